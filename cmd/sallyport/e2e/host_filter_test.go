//go:build linux

// Host without its gateway or without its packet filter: nothing gets out.

package e2e

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// stopped stops sallyport and does not start it again. No packet gets out, and the
// filter stays loaded, even after its unit stops.
func (h *host) stopped(t *testing.T) {
	t.Helper()
	h.must(t, h.page.block(t, "systemctl stop sallyport.socket"))
	h.must(t, "systemctl stop sallyport-nft")
	if got := h.must(t, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"); got != "0\n0\n" {
		t.Errorf("without its unit the host routes: %q", got)
	}
	h.nothingGetsOut(t)
	h.filterFails(t)
	h.must(t, "systemctl start sallyport-nft sallyport")
	if r := h.manager(t, "curl -sS https://license.sangfor.com/"); r.code != 0 {
		t.Errorf("%v", r)
	}
}

// flushed starts, reloads and stops Debian's own unit, which begins with "flush
// ruleset", under load. No forbidden packet gets out. Afterwards the packet
// filter is loaded again and the host routes; after a stop it does not.
func (h *host) flushed(t *testing.T) {
	t.Helper()
	for _, verb := range []string{"start", "reload", "restart", "stop"} {
		routes := "1\n1\n"
		if verb == "stop" {
			routes = "0\n0\n"
		}
		mark := h.s.rec.mark(t)
		w := h.s.work(t)
		stop := h.flood(t)
		eventually(t, 30*time.Second, "transfers under load", func() error { return w.more(0) })
		h.must(t, "systemctl "+verb+" nftables")
		eventually(t, 30*time.Second, "all is well after "+verb, func() error {
			if now := h.must(t, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"); now != routes {
				return errorf("forwarding: %q", now)
			}
			if r := h.sh(t, "nft list table inet sallyport"); (r.code == 0) != (verb != "stop") {
				return errorf("%v%s", r, h.sh(t, "systemctl --no-pager status nftables sallyport-nft").stdout)
			}
			return nil
		})
		if verb != "stop" {
			before := w.done.Load()
			eventually(t, 30*time.Second, "transfers after "+verb, func() error { return w.more(before) })
		}
		stop()
		w.stop()
		t.Run(verb, func(t *testing.T) { h.nothingForbidden(t, mark) })
	}
	h.must(t, "systemctl start sallyport-nft")
	// A command by hand notifies no other unit.
	h.must(t, "nft flush ruleset\n"+h.page.block(t, "systemctl reload-or-restart sallyport-nft")+"nft list table inet sallyport")
}

// flood sends forbidden datagrams as fast as one sender can, so that a packet gets
// through even in a gap of a millisecond.
func (h *host) flood(t *testing.T) (stop func()) {
	t.Helper()
	c, err := h.s.clients.dial("udp", "", netip.AddrPortFrom(elsewhere[0], 9998).String())
	if err != nil {
		t.Fatal(err)
	}
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ended:
				return
			case <-time.After(200 * time.Microsecond):
				_, _ = c.Write([]byte("exfiltration"))
			}
		}
	}()
	return func() { close(ended); <-done; c.Close() }
}

// nothingForbidden checks the packets that arrived under the load of permitted and
// forbidden tries.
func (h *host) nothingForbidden(t *testing.T, mark int) {
	t.Helper()
	arrived := slices.DeleteFunc(h.s.rec.everything(t, mark), func(p packet) bool {
		// The host's ICMP message to a resolver: no socket waits for the answer any
		// more.
		return p.proto == "icmp" && p.src.Addr() == netip.MustParseAddr(outside4) && p.dst.Addr() == netip.MustParseAddr(resolver4)
	})
	try{ours: "license.sangfor.com"}.check(t, h.s, arrived)
}

// filterFails starts the filter's unit with a wrong configuration, as at boot,
// on a host where another program has switched routing on.
func (h *host) filterFails(t *testing.T) {
	t.Helper()
	const site = "/etc/sallyport/sallyport.toml"
	good := h.get(t, site)
	h.put(t, site, good+"\n[limits]\nidle = 1\n")
	h.must(t, "sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
	if r := h.sh(t, "systemctl start sallyport-nft"); r.code == 0 {
		t.Error("the unit started with a configuration that is wrong")
	}
	if got := h.must(t, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"); got != "0\n0\n" {
		t.Errorf("with its unit failed the host routes: %q", got)
	}
	h.put(t, site, good)
	// The filter works without the unit, when the README's single line loads it.
	h.must(t, "nft delete table inet sallyport\nsysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1\n"+readGuide(t, "README.md").command(t, "sallyport nft --config"))
	h.nothingGetsOut(t)
}

// nothingGetsOut makes tries for a while and demands that all of them fail.
func (h *host) nothingGetsOut(t *testing.T) {
	t.Helper()
	h.must(t, "nft list table inet sallyport >/dev/null")
	mark := h.s.rec.mark(t)
	w := h.s.work(t)
	eventually(t, 30*time.Second, "tries in vain", func() error {
		if n := w.tried.Load(); n < 200 {
			return errorf("%d", n)
		}
		return nil
	})
	w.stop()
	if n := w.done.Load(); n > 0 {
		t.Errorf("%d transfers without a gateway", n)
	}
	for _, p := range h.s.rec.everything(t, mark) {
		if tail := p.proto == "tcp" && !p.syn && len(p.payload) == 0; !tail && !(try{}.permits(h.s, p) && p.query == "") {
			t.Errorf("without a gateway there arrived: %v", p)
		}
	}
}
