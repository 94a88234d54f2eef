// Tests of prefetched names: only a transparent gateway looks names up in advance,
// and a reload changes these names.

package gateway

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// aheadSite is a configuration whose names have fixed answers, so no upstream is
// asked. The tests fill in its front end and the names of its rule.
const aheadSite = `
[listen]
%s = ["127.0.0.1:0"]
[dns]
upstreams = ["udp://127.0.0.1:9"]
[journal]
path = "denials.jsonl"
[hosts]
"one.example" = ["192.0.2.1"]
"two.example" = ["192.0.2.2"]
"not.example" = ["192.0.2.3"]
[[client]]
name     = "manager"
sources  = ["10.77.0.10"]
profiles = []
[[rule]]
id     = "names"
client = "manager"
to     = [%s]
tcp    = [25]
reason = "test"
`

// aheadGateway starts a gateway's DNS filter.
func aheadGateway(t *testing.T, frontEnd string) (g *Gateway, rewrite func(to string)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sallyport.toml")
	rewrite = func(to string) {
		if err := os.WriteFile(file, fmt.Appendf(nil, aheadSite, frontEnd, to), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rewrite(`"one.example"`)
	g, _ = openGateway(t, file)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.filter.Serve(ctx, nil, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return g, rewrite
}

// pinnedAddresses returns the names to which the addresses of the site are pinned.
func (g *Gateway) pinnedAddresses() (names []string) {
	for _, a := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		for _, n := range g.filter.Pinned(netip.MustParseAddr("10.77.0.10"), netip.MustParseAddr(a)) {
			names = append(names, n.String())
		}
	}
	return names
}

func TestNamesAreLookedUpAhead(t *testing.T) {
	g, rewrite := aheadGateway(t, "transparent")
	await := func(want string) {
		t.Helper()
		var got string
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if got = strings.Join(g.pinnedAddresses(), " "); got == want {
				return
			}
		}
		t.Fatalf("pinned are %q, want %q", got, want)
	}
	await("one.example")
	rewrite(`"one.example", "two.example"`)
	g.Reload("test")
	await("one.example two.example")
	rewrite(`"two.example"`)
	g.Reload("test")
	await("two.example")
}

func TestProxyLooksNothingUpAhead(t *testing.T) {
	g, _ := aheadGateway(t, "http")
	if cfg := g.dnsConfig(g.cfg); cfg.Pins || cfg.PrefetchNames != nil {
		t.Error("a gateway without a transparent listener pins or looks up ahead")
	}
	if got := g.pinnedAddresses(); got != nil {
		t.Errorf("pinned are %q", got)
	}
}
