// Hostile servers of DNS over TLS that have the right certificate: answers that drip, come
// twice, come late, are swapped or come in pieces.

package dnsfilter

import (
	"crypto/tls"
	"fmt"
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

// TestStreamDrips asserts that a server that sends its answer byte by byte ends neither the
// time limit of a question nor the next upstream's turn.
func TestStreamDrips(t *testing.T) {
	t.Parallel()
	ca, zone := newCertifier(t), newZone(t)
	bad := serveDoT(t, tlsOf(ca.make(nil)), func(c net.Conn) {
		q, _, err := readQuery(c)
		if err != nil {
			return
		}
		for _, b := range framedMsg(zone.reply(q)) {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			select {
			case <-time.After(time.Second):
			case <-t.Context().Done():
				return
			}
		}
	})
	good := serveDoT(t, tlsOf(ca.make(nil)), answering(zone, nil))
	text := func(s *dotServer) string { return fmt.Sprintf("tls://%v?name=dns.test", s.addr) }

	alone := provenHarness(t, ca, text(bad), "*.example")
	alone.cfg.Timeout = time.Second
	began := time.Now()
	if r := alone.ask("a.example.", dns.TypeA); r.Rcode != dns.RcodeServerFailure || time.Since(began) > 20*time.Second {
		t.Errorf("alone: %v after %v", r, time.Since(began))
	}

	both := newHarness(t, func(s *setup) {
		s.Upstreams, s.Roots = []rules.Upstream{upstreamOf(t, text(bad)), upstreamOf(t, text(good))}, ca.roots
		s.Timeout, s.TryTimeout = 20*time.Second, 300*time.Millisecond
	}, "*.example")
	for _, name := range []string{"a.example.", "b.example."} {
		began = time.Now()
		if r := both.ask(name, dns.TypeA); len(r.Answer) != 1 || time.Since(began) > 10*time.Second {
			t.Errorf("beside another upstream: %v after %v", r, time.Since(began))
		}
	}
}

// TestStreamInPieces asserts that answers arrive whatever the pieces are in which they come:
// one octet in each TLS record, or all answers in one.
func TestStreamInPieces(t *testing.T) {
	ca, zone := newCertifier(t), newZone(t)
	for what, send := range map[string]func(net.Conn, []byte){
		"octet by octet": func(c net.Conn, b []byte) {
			for i := range b {
				c.Write(b[i : i+1])
			}
		},
		"in one record": func(c net.Conn, b []byte) { c.Write(b) },
	} {
		s := serveDoT(t, tlsOf(ca.make(nil)), func(c net.Conn) {
			for {
				var all []byte
				for range 2 {
					q, _, err := readQuery(c)
					if err != nil {
						return
					}
					all = append(all, framedMsg(zone.reply(q))...)
				}
				send(c, all)
			}
		})
		b := provenHarness(t, ca, fmt.Sprintf("tls://%v?name=dns.test", s.addr), "*.example")
		b.cfg.TryTimeout = 2 * time.Second
		var both sync.WaitGroup
		for name, want := range map[string]string{"a.example.": "192.0.1.10", "b.example.": "192.0.1.11"} {
			both.Go(func() {
				if r := b.ask(name, dns.TypeA); !slices.Equal(data(r), []string{want}) {
					t.Errorf("%s: %s: %v", what, name, r)
				}
			})
		}
		both.Wait()
	}
}

// TestStreamSwaps asserts that two answers that a server swaps, and an answer that it sends
// once more under the ID of a later question, never become the answer to another question.
func TestStreamSwaps(t *testing.T) {
	t.Parallel()
	forge := func(q, id *dns.Msg, address string) []byte {
		r := new(dns.Msg)
		r.SetReply(q)
		r.Id = id.Id
		rr, _ := dns.NewRR(q.Question[0].Name + " 300 IN A " + address)
		r.Answer = []dns.RR{rr}
		return framedMsg(r)
	}
	for what, serve := range map[string]func(c net.Conn, first, second *dns.Msg){
		"swapped IDs": func(c net.Conn, first, second *dns.Msg) {
			c.Write(append(forge(first, second, "192.0.1.66"), forge(second, first, "192.0.1.66")...))
		},
		"the first answer again": func(c net.Conn, first, second *dns.Msg) {
			c.Write(append(forge(first, first, "192.0.1.10"), forge(first, second, "192.0.1.66")...))
		},
		"two answers to each question": func(c net.Conn, first, second *dns.Msg) {
			one, two := forge(first, first, "192.0.1.10"), forge(second, second, "192.0.1.11")
			c.Write(slices.Concat(one, forge(first, first, "192.0.1.66"), two, forge(second, second, "192.0.1.66")))
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ca := newCertifier(t)
			s := serveDoT(t, tlsOf(ca.make(nil)), func(c net.Conn) {
				first, _, err := readQuery(c)
				if err != nil {
					return
				}
				if second, _, err := readQuery(c); err == nil {
					serve(c, first, second)
				}
			})
			b := provenHarness(t, ca, fmt.Sprintf("tls://%v?name=dns.test", s.addr), "*.example")
			b.cfg.Timeout, b.cfg.TryTimeout = time.Second, time.Second
			var both sync.WaitGroup
			for _, name := range []string{"a.example.", "b.example."} {
				both.Go(func() {
					if r := b.ask(name, dns.TypeA); strings.Contains(fmt.Sprint(r.Answer), "192.0.1.66") {
						t.Errorf("%s: %v", name, r)
					}
				})
			}
			both.Wait()
		})
	}
}

// TestReloadOfPins asserts that after a reload with another pin, or another name, nothing is
// asked over a connection that the earlier configuration accepted, although it is open and
// works; and that the new configuration is asked over a new connection if it is accepted.
func TestReloadOfPins(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"tls://%v?%s", "https://%v/dns-query?%s"} {
		ca, zone := newCertifier(t), newZone(t)
		cert := ca.make(nil)
		var mu sync.Mutex
		asked := map[string]int{}
		note := func(m *dns.Msg) {
			mu.Lock()
			defer mu.Unlock()
			asked[m.Question[0].Name]++
		}
		var addr string
		if strings.HasPrefix(scheme, "tls") {
			addr = serveDoT(t, tlsOf(cert), answering(zone, note)).addr.String()
		} else {
			addr = serveDoH(t, cert, answeringHTTP(zone, func(m *dns.Msg, _ http.Header) { note(m) })).String()
		}
		good := "name=dns.test&spki=" + rules.PinText(keyHash(cert.Leaf))
		b := provenHarness(t, ca, fmt.Sprintf(scheme, addr, good), "*.example")
		p := new(plainPorts)
		b.cfg.Dial = p.dial
		if r := b.ask("a.example.", dns.TypeA); len(r.Answer) != 1 {
			t.Fatal(r, b.Upstreams())
		}
		for _, other := range []string{"name=dns.test&spki=sha256/" + strings.Repeat("A", 43) + "=", "name=other.test"} {
			b.gens.reload(t, ResolverConfig{Upstreams: []rules.Upstream{upstreamOf(t, fmt.Sprintf(scheme, addr, other))}, Roots: ca.roots})
			if r := b.ask("b.example.", dns.TypeA); r.Rcode != dns.RcodeServerFailure || len(r.Answer) != 0 {
				t.Errorf("%s: after a reload to %s: %v", scheme, other, r)
			}
		}
		mu.Lock()
		if asked["b.example."] != 0 {
			t.Errorf("%s: the question went over a connection that is not accepted any more", scheme)
		}
		mu.Unlock()
		b.gens.reload(t, ResolverConfig{Upstreams: []rules.Upstream{upstreamOf(t, fmt.Sprintf(scheme, addr, good))}, Roots: ca.roots})
		before := p.count()
		if r := b.ask("b.example.", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.11"}) || p.count() != before+1 {
			t.Errorf("%s: after a reload to the right pin: %v, %d new connections", scheme, r, p.count()-before)
		}
		p.only(t, addr)
	}
}

// TestOldTLS asserts that no question goes over TLS 1.0 or 1.1, whatever a server offers.
func TestOldTLS(t *testing.T) {
	t.Parallel()
	ca := newCertifier(t)
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		var read sync.Map
		s := serveDoT(t, &tls.Config{Certificates: []tls.Certificate{ca.make(nil)}, MinVersion: tls.VersionTLS10, MaxVersion: version}, func(c net.Conn) {
			if n, _ := c.Read(make([]byte, 1)); n > 0 {
				read.Store(version, true)
			}
		})
		for _, form := range []string{"tls://%v?name=dns.test", "https://%v/dns-query?name=dns.test"} {
			b := provenHarness(t, ca, fmt.Sprintf(form, s.addr), "a.example")
			r := b.ask("a.example.", dns.TypeA)
			if _, was := read.Load(version); was || r.Rcode != dns.RcodeServerFailure || b.Upstreams()[0].Why == nil {
				t.Errorf("%s over %s: asked %v, %v", form, tls.VersionName(version), was, r)
			}
		}
	}
}
