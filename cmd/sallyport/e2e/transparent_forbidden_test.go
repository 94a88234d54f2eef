//go:build linux

// Forbidden, redirected: every try arrives without sallyport, and none arrives
// with sallyport and its packet filter on the way.

package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRedirectedForbidden(t *testing.T) {
	need(t, "curl", "dig", "openssl")
	everyMode(t, func(t *testing.T, mode string) {
		open, shut := newScene(t, mode), newScene(t, mode)
		shut.catch(t, fleet)
		shut.user(t, "", "dig", "license.sangfor.com") // now this client has looked the name up
		for _, v6 := range []bool{false, true} {
			for _, f := range open.tries(v6) {
				t.Run(fmt.Sprintf("%s, v6=%t", f.name, v6), func(t *testing.T) {
					f.mustArrive(t, open)
					f.mustNotArrive(t, shut)
				})
			}
		}
		// No packet of a try may arrive later.
		mark := shut.rec.mark(t)
		time.Sleep(time.Second)
		try{}.check(t, shut, shut.rec.everything(t, mark))
	})
}

// mustArrive makes the try in a scene that only forwards packets.
func (f try) mustArrive(t *testing.T, s *scene) {
	t.Helper()
	s.from(t, f.from)
	mark := s.rec.mark(t)
	var seen []packet
	var r result
	for range 10 { // a client with a short limit may end before a busy machine sends its packet
		r = f.send(t, s)
		for range 20 { // a frame may still be on its way after the call that sent it has returned
			seen = s.rec.everything(t, mark)
			if slices.ContainsFunc(seen, func(p packet) bool { return p.proto+" "+p.dst.String() == f.to }) {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	t.Errorf("without a filter nothing arrives at %s, so that its absence proves nothing: %v\n%.400s", f.to, seen, r)
}

// mustNotArrive makes the try with sallyport on the way.
func (f try) mustNotArrive(t *testing.T, s *scene) {
	t.Helper()
	s.from(t, f.from)
	records, packets := s.g.journal().mark(), s.rec.mark(t)
	r := f.send(t, s)
	defer func() { f.check(t, s, s.rec.everything(t, packets)) }()
	if !strings.Contains(strings.ToLower(r.all()), strings.ToLower(f.says)) {
		t.Errorf("the client should get %q: %v", f.says, r)
	}
	if f.ours != "" && !slices.ContainsFunc(s.addressesOf(f.ours), func(a netip.Addr) bool { return strings.Contains(r.stdout, "origin "+a.String()) }) {
		t.Errorf("should be answered by %s, wherever the client was headed: %v", f.ours, r)
	}
	if f.ours == "" && strings.Contains("\n"+r.stdout, "\norigin ") || strings.Contains(r.stdout, "leaked") {
		t.Errorf("got through: %v", r)
	}
	if f.want.reason != "" {
		s.g.journal().mustDeny(t, records, f.want)
	}
}

// from sets the source of the following tries: a client of the fleet, or the
// unknown client.
func (s *scene) from(t *testing.T, name string) {
	t.Helper()
	if name == "" {
		name = fleet[0].name
	}
	if s.source != name {
		s.become(t, named(name))
		s.source = name
	}
}

// check fails the test for every packet that must not arrive.
func (f try) check(t *testing.T, s *scene, packets []packet) {
	t.Helper()
	for _, p := range packets {
		if !f.permits(s, p) {
			t.Errorf("arrived: %v", p)
		}
	}
}

// permits reports whether a packet may arrive during the try: neighbour
// discovery, the gateway's own questions about documented names, the last
// packets of earlier permitted flows, and the name that the try may reach.
func (f try) permits(s *scene, p packet) bool {
	const listenerReport, firstND, lastND, report2 = 131, 133, 136, 143
	switch {
	case p.proto == "icmp":
		return p.dst.Addr().Is6() && (p.icmp >= listenerReport && p.icmp <= lastND || p.icmp == report2)
	case p.dst.String() == resolver4+":53" || p.dst.String() == "["+resolver6+"]:53":
		return p.query == probe || p.query == "" && p.proto == "tcp" || s.names()[p.query]
	case p.proto != "tcp":
		return false
	case !p.syn && len(p.payload) == 0:
		return true
	}
	return f.ours == "*" && s.documented()[p.dst] ||
		(p.dst.Port() == 443 || p.dst.Port() == 80) && slices.Contains(s.mine(f.ours), p.dst.Addr())
}

// mine returns the addresses of the name that a try may reach.
func (s *scene) mine(name string) []netip.Addr {
	if name == "" || name == "*" {
		return nil
	}
	return s.addressesOf(name)
}

// names returns the names that the gateway may look up, documented or the site's
// own.
func (s *scene) names() map[string]bool {
	s.learn()
	return s.known
}

// documented returns the addresses and ports of all documented destinations.
func (s *scene) documented() map[netip.AddrPort]bool {
	s.learn()
	return s.places
}

func (s *scene) learn() {
	if s.known != nil {
		return
	}
	s.known, s.places = make(map[string]bool), make(map[netip.AddrPort]bool)
	for _, d := range documentedDestinations() {
		s.known[d.host] = true
		for _, a := range s.addressesOf(d.host) {
			s.places[netip.AddrPortFrom(a, d.port)] = true
		}
	}
}

// QUIC is answered with ICMP at once, so that a client falls back without
// waiting.
func TestQUICIsRejectedAtOnce(t *testing.T) {
	everyMode(t, func(t *testing.T, mode string) {
		s := newScene(t, mode)
		s.catch(t, fleet)
		for _, v6 := range []bool{false, true} {
			dst := netip.AddrPortFrom(pick(s.book.of("license.sangfor.com"), v6), 443)
			start := time.Now()
			answer, err := s.exchange(dst, quicInitial, 5*time.Second)
			if err == nil || strings.Contains(err.Error(), "timeout") || time.Since(start) > time.Second {
				t.Errorf("QUIC to %v: %q %v after %v, want an ICMP error at once", dst, answer, err, time.Since(start))
			}
		}
	})
}

// TestUnprivilegedSockets asserts that a client's process without privileges has no
// raw and no packet sockets. So a packet filter in the same namespace sees every
// packet that the process sends.
func TestUnprivilegedSockets(t *testing.T) {
	everyMode(t, func(t *testing.T, mode string) {
		s := newScene(t, mode)
		s.catch(t, fleet)
		mark := s.rec.mark(t)
		for _, v6 := range []bool{false, true} {
			for _, f := range s.rawTries(v6) {
				if err := s.clients.doAs(clientUser, func() error { return sendRaw(f.dst, f.packet) }); err == nil {
					t.Errorf("%s: an unprivileged user can open a raw socket", f.name)
				}
				if err := s.clients.doAs(clientUser, func() error { return sendFrame("client", s.hardwareAddress(t), f.packet) }); err == nil {
					t.Errorf("%s: an unprivileged user can open a packet socket", f.name)
				}
			}
		}
		try{}.check(t, s, s.rec.everything(t, mark))
	})
}
