// Tests of the probe of upstreams that must prove who they are, and of the names that a fault lists.

package dnsfilter

import (
	"crypto/x509"
	"fmt"
	"net"
	"sync"
	"testing"

	"sallyport/rules"
)

// ProbeProven asks each upstream that must prove who it is, and no other: one that proves it is up,
// and one with a certificate for another name is down, with the reason.
func TestProbeProven(t *testing.T) {
	t.Parallel()
	ca, zone := newCertifier(t), newZone(t)
	s := serveDoT(t, tlsOf(ca.make(nil)), answering(zone, nil))
	for name, works := range map[string]bool{"dns.test": true, "other.test": false} {
		var mu sync.Mutex
		var tries []UpstreamTry
		b := newHarness(t, func(c *setup) {
			c.Roots = ca.roots
			c.Zones = []Zone{{mustName(t, "corp.test"), []rules.Upstream{upstreamOf(t, fmt.Sprintf("tls://%v?name=%s", s.addr, name))}}}
			c.ObserveUpstream = func(u UpstreamTry) { mu.Lock(); tries = append(tries, u); mu.Unlock() }
		}, "db.corp.test")
		p := new(plainPorts)
		b.cfg.Dial = p.dial
		b.ProbeProven(t.Context())
		mu.Lock()
		if len(tries) != 1 || tries[0].Up != works || (tries[0].Why == nil) != works {
			t.Errorf("%s: %+v", name, tries)
		}
		mu.Unlock()
		p.only(t, s.addr.String())
		if asked := b.up.asked(); len(asked) != 0 {
			t.Errorf("%s: the other upstream was asked %v", name, asked)
		}
	}
}

// A fault lists five names of a certificate, so that a certificate with thousands stays one line.
func TestCertifiedNames(t *testing.T) {
	var many []string
	for i := range 7 {
		many = append(many, fmt.Sprintf("n%d.test", i))
	}
	for _, c := range []struct {
		cert x509.Certificate
		want string
	}{
		{x509.Certificate{}, "no name"},
		{x509.Certificate{DNSNames: []string{"dns.test"}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 53)}}, "dns.test, 192.0.2.53"},
		{x509.Certificate{DNSNames: many}, "n0.test, n1.test, n2.test, n3.test, n4.test and others"},
	} {
		if got := certifiedNames(&c.cert); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
