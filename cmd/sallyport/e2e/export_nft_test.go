//go:build linux

// Export to nft: a router with the exports of all clients forwards what explain permits by
// address, and nothing else of these clients.

package e2e

import (
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestExportToNFT(t *testing.T) {
	need(t, "nft")
	l := newLab(t)
	e := newExporter(t, l.gateway)
	l.gateway.sysctl(t, "ipv4/ip_forward", "1")
	l.gateway.sysctl(t, "ipv6/conf/all/forwarding", "1")
	l.internet.ip(t, "route add 10.77.0.0/24 via "+outside4, "route add fd77::/64 via 2a0d:5600::2")
	l.internet.sysctl(t, "ipv4/icmp_ratelimit", "0")
	l.internet.sysctl(t, "ipv6/icmp/ratelimit", "0")
	l.clients.ip(t, "addr add 10.77.0.40/24 dev client", "addr add fd77::40/64 dev client nodad")
	for range 2 { // loading it again replaces it
		for _, c := range e.clients {
			if r := l.gateway.run(t, e.dir, e.export(t, c, "nft"), "nft", "-f", "-"); r.code != 0 {
				t.Fatal(r)
			}
		}
	}
	if r := l.gateway.run(t, e.dir, "", "nft", "list", "tables"); strings.Count(r.stdout, "table inet sallyport-") != len(e.clients) {
		t.Fatal(r)
	}
	var all []exportProbe
	for _, c := range e.clients {
		for _, p := range e.exportProbes(t, c, "tcp", "udp") {
			if !p.isName() {
				all = append(all, p)
			}
		}
	}
	arrives := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	work := make(chan exportProbe)
	for range 64 {
		wg.Go(func() {
			for p := range work {
				yes := forwarded(t, l.clients, p, 700*time.Millisecond)
				mu.Lock()
				arrives[p.String()] = yes
				mu.Unlock()
			}
		})
	}
	for _, p := range all {
		work <- p
	}
	close(work)
	wg.Wait()
	disagreements(t, "nft", all, func(p exportProbe) bool {
		// On a busy machine an answer can come late: then ask again, with more time.
		return arrives[p.String()] == p.allowed() || p.allowed() && forwarded(t, l.clients, p, 5*time.Second)
	})
	if p := (exportProbe{client: named("nobody"), host: "93.184.216.34", proto: "tcp", port: 443}); !forwarded(t, l.clients, p, 5*time.Second) {
		t.Error("the tables drop packets of a client that they are not for")
	}
}

// forwarded reports whether a packet arrives: every address of the internet's side either
// accepts it or refuses it at once, and what is dropped has no answer.
func forwarded(t *testing.T, ns *netns, p exportProbe, limit time.Duration) bool {
	source := p.client.v4()
	if strings.Contains(p.host, ":") {
		source = p.client.v6()
	}
	c, err := ns.dialWithin(limit, p.proto, source, hostPort(p.host, p.port))
	if errors.Is(err, syscall.ECONNREFUSED) {
		return true
	}
	if err != nil {
		if !errors.Is(err, os.ErrDeadlineExceeded) && !strings.Contains(err.Error(), "i/o timeout") {
			t.Errorf("%v: %v", p, err)
		}
		return false
	}
	defer c.Close()
	if p.proto == "tcp" {
		return true
	}
	_ = c.SetDeadline(time.Now().Add(limit))
	if _, err := c.Write([]byte("probe")); err != nil {
		t.Errorf("%v: %v", p, err)
	}
	_, err = c.Read(make([]byte, 100))
	return err == nil || errors.Is(err, syscall.ECONNREFUSED)
}
