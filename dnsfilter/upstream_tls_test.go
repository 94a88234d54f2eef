// Upstreams that must prove who they are: what they show, and what is said about it.

package dnsfilter

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// plainPorts dials as the filter would, and records every address.
type plainPorts struct {
	mu    sync.Mutex
	dials []string
}

func (p *plainPorts) dial(ctx context.Context, network, address string) (net.Conn, error) {
	p.mu.Lock()
	p.dials = append(p.dials, network+" "+address)
	p.mu.Unlock()
	return dialLiteral(ctx, network, address)
}

// count returns how many connections were dialed.
func (p *plainPorts) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.dials)
}

// only fails the test if anything was dialed but TCP to this address.
func (p *plainPorts) only(t *testing.T, address string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(p.dials, func(d string) bool { return d != "tcp "+address }); i >= 0 {
		t.Errorf("dialed %s, not only %s", p.dials[i], address)
	}
}

// TestProof asserts, for DNS over TLS and over HTTPS, that a server that does not prove who
// it is gets no question, that the cure is said, and that nothing is asked in another way:
// every connection is by TCP to the configured port.
func TestProof(t *testing.T) {
	t.Parallel()
	ca, other := newCertifier(t), newCertifier(t)
	good := ca.make(nil)
	expired := ca.make(func(x *x509.Certificate) { x.NotAfter = time.Unix(1e9, 0).Add(-time.Minute) })
	early := ca.make(func(x *x509.Certificate) { x.NotBefore = time.Unix(1e9, 0).Add(time.Hour) })
	self := ca.make(func(x *x509.Certificate) { x.Subject.CommonName = "self" })
	another := ca.make(func(x *x509.Certificate) { x.DNSNames, x.IPAddresses = []string{"other.test", "*.dns.test"}, nil })
	unknown := other.make(nil)
	pin := func(c tls.Certificate) string { return "spki=" + rules.PinText(keyHash(c.Leaf)) }
	for _, c := range []struct {
		what  string
		cert  tls.Certificate
		query string
		want  string // in the error; "": it is asked
	}{
		{"the right name", good, "name=dns.test", ""},
		{"the right address", good, "name=127.0.0.1", ""},
		{"the right name and key", good, "name=dns.test&" + pin(good), ""},
		{"the right name and the authority's key", good, "name=dns.test&spki=" + rules.PinText(keyHash(ca.cert)), ""},
		{"the second of two keys, alone", self, pin(good) + "&" + pin(self), ""},
		{"the right key, alone, of a certificate that expired", expired, pin(expired), ""},
		{"another name", another, "name=dns.test", "the certificate is for other.test, *.dns.test, not for dns.test: correct name= or the address"},
		{"another address", another, "name=127.0.0.1", "the certificate is for other.test, *.dns.test, not for 127.0.0.1"},
		{"an expired certificate", expired, "name=dns.test", `the certificate of "CN=server" expired on 2001-09-09: ask the operator of the resolver to renew it`},
		{"a certificate of the future", early, "name=dns.test", "the certificate is not valid before 2001-09-09: set the clock of this host"},
		{"a self-signed certificate", self, "name=dns.test", "the certificate is self-signed: name a file with the certificate of its authority in [dns] upstreams_ca; or compare its key with the operator of the resolver, and pin it with " + pin(self)},
		{"an unknown authority", unknown, "name=dns.test", `an unknown authority signed the certificate: "CN=authority of the test": name a file`},
		{"another key", good, "name=dns.test&" + pin(self), "the server has another key, " + pin(good) + ": if its operator has replaced the key"},
		{"another key, alone", good, pin(self), "the server has another key, " + pin(good)},
		{"the authority's key, alone", good, "spki=" + rules.PinText(keyHash(ca.cert)), "the server has another key, " + pin(good)},
		{"the right key and another name", another, "name=dns.test&" + pin(another), "the certificate is for other.test"},
		{"an expired certificate with the right key and name", expired, "name=dns.test&" + pin(expired), "expired on"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			zone := newZone(t)
			var asked sync.Map
			dot := serveDoT(t, tlsOf(c.cert), answering(zone, func(*dns.Msg) { asked.Store("tls", true) }))
			doh := serveDoH(t, c.cert, answeringHTTP(zone, func(*dns.Msg, http.Header) { asked.Store("https", true) }))
			for scheme, text := range map[string]string{
				"tls": fmt.Sprintf("tls://%v?%s", dot.addr, c.query), "https": fmt.Sprintf("https://%v/dns-query?%s", doh, c.query),
			} {
				b := provenHarness(t, ca, text, "a.example")
				p := new(plainPorts)
				b.cfg.Dial = p.dial
				r := b.ask("a.example.", dns.TypeA)
				why := b.Upstreams()[0].Why
				_, was := asked.Load(scheme)
				var fault *UpstreamFault
				switch {
				case c.want == "" && (!slices.Equal(data(r), []string{"192.0.1.10"}) || why != nil):
					t.Errorf("%s: answered %v, %v", scheme, r, why)
				case c.want != "" && (r.Rcode != dns.RcodeServerFailure || was || why == nil || !strings.Contains(why.Error(), c.want) || !errors.As(why, &fault)):
					t.Errorf("%s: asked %v, answered %v because of %v; want %q", scheme, was, r, why, c.want)
				case c.want != "" && (b.Healthy() == nil || !strings.Contains(b.Healthy().Error(), c.want)):
					t.Errorf("%s: not ready with %v; want %q", scheme, b.Healthy(), c.want)
				}
				p.only(t, b.current().root.servers[0].text)
			}
		})
	}
}

// TestNoDowngrade asserts that servers that speak no TLS, old TLS, or break off get no
// question, and that a resolver of plain DNS at the same address is never asked instead.
func TestNoDowngrade(t *testing.T) {
	t.Parallel()
	ca := newCertifier(t)
	for _, c := range []struct {
		what   string
		config *tls.Config
		serve  func(net.Conn)
		want   string
	}{
		{"no TLS", nil, func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }, "what answers speaks no TLS: correct the port"},
		{"plain DNS", nil, answering(newZone(t), nil), ""},
		{"TLS 1.1", &tls.Config{Certificates: []tls.Certificate{ca.make(nil)}, MaxVersion: tls.VersionTLS11}, func(net.Conn) {}, "the server refuses the handshake"},
		{"an end before the handshake", nil, func(net.Conn) {}, "the connection ended during the handshake: check that the server serves"},
		{"a client certificate demanded", &tls.Config{Certificates: []tls.Certificate{ca.make(nil)}, ClientAuth: tls.RequireAnyClientCert}, func(net.Conn) {}, "asks for no client certificate"},
	} {
		for _, form := range []string{"tls://%v?name=dns.test", "https://%v/dns-query?name=dns.test"} {
			t.Run(c.what+", "+form[:5], func(t *testing.T) {
				t.Parallel()
				s := serveDoT(t, c.config, c.serve)
				plain := newZone(t)
				plain.addr = s.addr
				pc, err := net.ListenPacket("udp", s.addr.String()) // plain DNS at the same address and port
				if err != nil {
					t.Skip(err)
				}
				defer pc.Close()
				b := provenHarness(t, ca, fmt.Sprintf(form, s.addr), "a.example")
				p := new(plainPorts)
				b.cfg.Dial = p.dial
				if c.want == "" {
					b.cfg.Timeout = 2 * time.Second // the server never answers
				}
				r := b.ask("a.example.", dns.TypeA)
				why := b.Upstreams()[0].Why
				if r.Rcode != dns.RcodeServerFailure || why == nil || !strings.Contains(why.Error(), c.want) {
					t.Errorf("%s: %v because of %v, want %q", form, r, why, c.want)
				}
				p.only(t, s.addr.String())
				pc.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				if n, _, err := pc.ReadFrom(make([]byte, 512)); err == nil {
					t.Errorf("%s: a datagram of %d bytes", form, n)
				}
			})
		}
	}
}

// TestProvenZone asserts that the servers of a zone prove who they are like all others, also
// beside [dns] dnssec, which a zone does not need; and that a zone whose server cannot prove who
// it is is never asked of the other upstreams.
func TestProvenZone(t *testing.T) {
	t.Parallel()
	ca, zone := newCertifier(t), newZone(t)
	s := serveDoT(t, tlsOf(ca.make(nil)), answering(zone, nil))
	for name, works := range map[string]bool{"dns.test": true, "other.test": false} {
		b := newHarness(t, func(c *setup) {
			c.Roots, c.DNSSEC = ca.roots, DNSSECRequire
			c.Zones = []Zone{{mustName(t, "corp.test"), []rules.Upstream{upstreamOf(t, fmt.Sprintf("tls://%v?name=%s", s.addr, name))}}}
		}, "db.corp.test")
		p := new(plainPorts)
		b.cfg.Dial = p.dial
		r := b.ask("db.corp.test.", dns.TypeA)
		if works != slices.Equal(data(r), []string{"10.20.0.5"}) || !works && r.Rcode != dns.RcodeServerFailure {
			t.Errorf("%s: %v", name, r)
		}
		if addrs, err := b.Lookup(t.Context(), nil, mustName(t, "db.corp.test")); works != (err == nil && len(addrs) == 1) {
			t.Errorf("%s: looked up %v, %v", name, addrs, err)
		}
		p.only(t, s.addr.String())
		if asked := b.up.asked(); len(asked) != 0 {
			t.Errorf("%s: the other upstream was asked %v", name, asked)
		}
	}
}
