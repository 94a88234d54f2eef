// Tests of a resolver without upstreams, beside parents that resolve names.

package dnsfilter

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"sallyport/rules"
)

func TestResolverWithoutUpstreams(t *testing.T) {
	if _, err := NewResolver(ResolverConfig{}); err == nil {
		t.Error("no upstream is accepted, although it was not asked for")
	}
	hosted, err := rules.ParseName("proxy.corp.example")
	if err != nil {
		t.Fatal(err)
	}
	other, err := rules.ParseName("a.example")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr("10.9.9.9")
	r, err := NewResolver(ResolverConfig{Alone: true, Hosts: map[rules.Name][]netip.Addr{hosted: {addr}}})
	if err != nil {
		t.Fatal(err)
	}
	g := &rules.Generation{Resolver: r}
	f := New(Config{Generation: func() *rules.Generation { return g }})
	defer f.Close()
	if got, err := f.Lookup(t.Context(), g, hosted); err != nil || len(got) != 1 || got[0] != addr {
		t.Errorf("%v, %v", got, err)
	}
	began := time.Now()
	if _, err := f.Lookup(t.Context(), g, other); !errors.Is(err, ErrUpstream) || time.Since(began) > time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	if err := f.Healthy(); err != nil {
		t.Error(err)
	}
}
