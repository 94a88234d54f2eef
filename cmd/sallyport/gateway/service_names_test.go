// Tests that a gateway knows the addresses of parents and sinks with names before a client asks, and
// ends the flows to an address that it learns of later.

package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/rules"
)

// permits reports whether the policy in force permits a client of this host to reach dest, or the
// reason of its denial.
func (g *Gateway) permits(dest string) string {
	d := g.live.Policy().Decide(rules.Attempt{Client: netip.MustParseAddrPort("127.0.0.1:999"), Via: rules.ViaConnect, Provisional: true, Dest: netip.MustParseAddrPort(dest)})
	return strings.TrimSpace(d.Text() + " " + d.Why().String())
}

// openSite opens a gateway, and returns how to change its configuration.
func openSite(t *testing.T, text string) (*Gateway, *safeBuffer, func(string)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sallyport.toml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	g, log := openGateway(t, file)
	return g, log, write
}

const openRules = "[[client]]\nname = \"c\"\nsources = [\"127.0.0.1\"]\nprofiles = []\n" +
	"[[rule]]\nid = \"r\"\nclient = \"c\"\nto = [\"0.0.0.0/0\", \"127.0.0.0/8\"]\nany = true\nreason = \"test\"\n"

// The names are looked up before a configuration is in force, at the start and at each reload.
func TestServiceNamesAreFoundFirst(t *testing.T) {
	var proves atomic.Bool
	head := fmt.Sprintf("[journal]\npath = %q\n[dns]\nupstreams = [\"udp://%s\"]\n", filepath.Join(t.TempDir(), "denials.jsonl"), serveProof(t, &proves))
	parent := func(port int) string {
		return fmt.Sprintf("[[parent]]\nname = \"p\"\nurl = \"http://proxy%d.corp.example:%[1]d\"\n", port)
	}
	sink := "[[sink]]\ntype = \"syslog\"\nname = \"s\"\nurl = \"udp://log.corp.example:514\"\n"
	g, _, write := openSite(t, head+parent(3140)+openRules)
	for dest, want := range map[string]string{"127.0.0.1:3140": "deny self", "127.7.7.7:3140": "deny self", "127.0.0.1:3141": "allow", "127.0.0.1:514": "allow"} {
		if got := g.permits(dest); got != want {
			t.Errorf("after the start: %s: %s, want %s", dest, got, want)
		}
	}
	write(head + parent(3141) + sink + openRules)
	g.Reload("test")
	for dest, want := range map[string]string{"127.0.0.1:3140": "allow", "127.7.7.7:3141": "deny self", "127.0.0.1:514": "deny self"} {
		if got := g.permits(dest); got != want {
			t.Errorf("after a reload: %s: %s, want %s", dest, got, want)
		}
	}
}

// A tunnel to a parent whose address was not known ends when the address is known.
func TestFlowToAServiceThatIsFoundLater(t *testing.T) {
	parent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close()
	go func() {
		for {
			c, err := parent.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	port := parent.Addr().(*net.TCPAddr).Port
	g, log, _ := openSite(t, fmt.Sprintf("[journal]\npath = %q\n[dns]\nupstreams = [\"udp://127.0.0.1:1\"]\n[limits]\ndial = \"1s\"\n[[parent]]\nname = \"p\"\nurl = \"http://proxy.corp.example:%d\"\ndirect = [\"127.0.0.0/8\"]\n",
		filepath.Join(t.TempDir(), "denials.jsonl"), port)+openRules)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- g.proxy.ServeHTTP(ctx, l) }()
	defer func() { cancel(); <-served }()

	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(c, "CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: 127.0.0.1:%[1]d\r\n\r\nhello", port)
	in := bufio.NewReader(c)
	if line, _ := in.ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 200 ") {
		t.Fatal(line)
	}
	for line := ""; line != "\r\n"; {
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if b := make([]byte, 5); true {
		if _, err := io.ReadFull(in, b); string(b) != "hello" {
			t.Fatal(string(b), err)
		}
	}
	before := g.live.Load()
	g.closeGrown()
	if g.live.Load() != before {
		t.Error("nothing was found, but there is another generation")
	}
	found, _ := rules.ParseName("proxy.corp.example")
	g.found.Remember(found, []netip.Addr{netip.MustParseAddr("127.0.0.9")}, time.Now())
	g.closeGrown()
	if _, err := in.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the tunnel is open: %v", err)
	}
	if !strings.Contains(log.String(), "flows led to a parent or a sink, whose name has a new address") || g.live.Load() == before {
		t.Errorf("log:\n%s", log)
	}
	if got := g.permits(fmt.Sprint("127.0.0.1:", port)); got != "deny self" {
		t.Error(got)
	}
}

// The addresses of this host are listed anew after a short time, and at once if they could not be
// listed: then each address counts as one of this host.
func TestHostAddresses(t *testing.T) {
	now, lists := time.Unix(1, 0), 0
	var fails error
	addrs := []net.Addr{&net.IPNet{IP: net.ParseIP("192.0.2.1")}}
	h := hostAddresses{now: func() time.Time { return now }, list: func() ([]net.Addr, error) { lists++; return addrs, fails }}
	one, two := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	expect := func(what string, hasTwo bool, n int) {
		t.Helper()
		if !h.has(one) || h.has(two) != hasTwo || lists != n {
			t.Errorf("%s: has the first: %t, the second: %t, listed %d times", what, h.has(one), h.has(two), lists)
		}
	}
	fails = errors.New("no descriptor is free")
	expect("not listed", true, 2)
	fails = nil
	expect("listed", false, 3)
	addrs = append(addrs, &net.IPNet{IP: net.ParseIP("192.0.2.2")})
	expect("at the same time", false, 3)
	now = now.Add(hostFresh)
	expect("later", true, 4)
	now = now.Add(-time.Hour)
	expect("after the clock went back", true, 5)
}
