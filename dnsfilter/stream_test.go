// Streams: many questions on one connection, and connections that break.

package dnsfilter

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestStreamOutOfOrder asserts that many questions share one connection, and that each gets
// its own answer although the last one is answered first.
func TestStreamOutOfOrder(t *testing.T) {
	const many = busyStream
	ca, zone := newCertifier(t), newZone(t)
	for i := range many {
		rr, _ := dns.NewRR(fmt.Sprintf("n%d.example. 300 IN A 192.0.1.%d", i, 100+i))
		zone.add(rr)
	}
	s := serveDoT(t, tlsOf(ca.make(nil)), func(c net.Conn) {
		var waiting []*dns.Msg
		for {
			q, _, err := readQuery(c)
			if err != nil {
				return
			}
			if waiting = append(waiting, q); len(waiting) < many && q.Question[0].Name != "a.example." {
				continue
			}
			slices.Reverse(waiting)
			for _, q := range waiting {
				c.Write(framedMsg(zone.reply(q)))
			}
			waiting = nil
		}
	})
	b := provenHarness(t, ca, fmt.Sprintf("tls://%v?name=dns.test", s.addr), "*.example")
	b.cfg.TryTimeout = 2 * time.Second
	b.ask("a.example.", dns.TypeA)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			r := b.ask(fmt.Sprintf("n%d.example.", i), dns.TypeA)
			if want := fmt.Sprintf("192.0.1.%d", 100+i); !slices.Equal(data(r), []string{want}) {
				t.Errorf("n%d: %v", i, r)
			}
		})
	}
	wg.Wait()
	if n := s.conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if _, ok := s.names.Load("dns.test"); !ok {
		t.Error("the handshake does not name the server")
	}
}

// TestStreamSlowServer asserts that a server that answers one question after another gets
// more connections, but no more than four.
func TestStreamSlowServer(t *testing.T) {
	t.Parallel()
	ca, zone := newCertifier(t), newZone(t)
	release := make(chan struct{})
	s := serveDoT(t, tlsOf(ca.make(nil)), func(c net.Conn) {
		<-release
		answering(zone, nil)(c)
	})
	b := provenHarness(t, ca, fmt.Sprintf("tls://%v?name=dns.test", s.addr), "*.example")
	b.cfg.Timeout, b.cfg.TryTimeout = 10*time.Second, 5*time.Second
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() { b.ask(fmt.Sprintf("m%d.example.", i), dns.TypeA) })
		if i < 10 || i%5 == 0 {
			time.Sleep(20 * time.Millisecond)
		}
	}
	eventually(t, "four connections", func() bool { return s.conns.Load() == maxStreams })
	close(release)
	wg.Wait()
	if n := s.conns.Load(); n != maxStreams {
		t.Errorf("%d connections", n)
	}
}

// TestStreamReplaced asserts that a question gets its answer although the connection of the
// earlier question was closed, broke within a message, or is silent; and that the new
// connection is made once.
func TestStreamReplaced(t *testing.T) {
	t.Parallel()
	for what, second := range map[string]func(net.Conn, *authority){
		"closed while idle":      nil,
		"closed by the question": func(net.Conn, *authority) {},
		"half a message": func(c net.Conn, z *authority) {
			q, _, _ := readQuery(c)
			m := framedMsg(z.reply(q))
			c.Write(m[:len(m)/2])
		},
		"half a length":   func(c net.Conn, _ *authority) { c.Write([]byte{0}) },
		"silent for ever": func(c net.Conn, _ *authority) { c.Read(make([]byte, 4096)); c.Read(make([]byte, 1)) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ca, zone := newCertifier(t), newZone(t)
			var once sync.Once
			s := serveDoT(t, tlsOf(ca.make(nil)), func(c net.Conn) {
				first := false
				once.Do(func() { first = true })
				if !first {
					answering(zone, nil)(c)
					return
				}
				q, _, _ := readQuery(c)
				c.Write(framedMsg(zone.reply(q)))
				if second != nil {
					if what == "closed by the question" {
						readQuery(c)
					}
					second(c, zone)
				}
			})
			b := provenHarness(t, ca, fmt.Sprintf("tls://%v?name=dns.test", s.addr), "*.example")
			b.ask("a.example.", dns.TypeA)
			if second == nil {
				eventually(t, "the end is seen", func() bool {
					p := &b.current().root.servers[0].streams
					p.mu.Lock()
					defer p.mu.Unlock()
					return len(p.open) == 0
				})
			}
			began := time.Now()
			r := b.ask("b.example.", dns.TypeA)
			if !slices.Equal(data(r), []string{"192.0.1.11"}) || s.conns.Load() != 2 || time.Since(began) > 10*time.Second {
				t.Errorf("%v after %d connections and %v", r, s.conns.Load(), time.Since(began))
			}
			if u := b.Upstreams()[0]; u.Failures != 0 || !u.Up {
				t.Errorf("%+v", u)
			}
		})
	}
}

// TestStreamLies asserts that a proven server whose messages answer another question, or are
// none, gives no answer: the client gets SERVFAIL, and the connection ends.
func TestStreamLies(t *testing.T) {
	t.Parallel()
	forged := &dns.A{Hdr: dns.RR_Header{Name: "a.example.", Rrtype: dns.TypeA, Class: 1, Ttl: 9}, A: []byte{192, 0, 1, 66}}
	for what, lie := range map[string]func(c net.Conn, q, r *dns.Msg){
		"another ID":          func(c net.Conn, _, r *dns.Msg) { r.Id++; c.Write(framedMsg(r)) },
		"another question":    func(c net.Conn, _, r *dns.Msg) { r.Question[0].Name = "b.example."; c.Write(framedMsg(r)) },
		"another type":        func(c net.Conn, _, r *dns.Msg) { r.Question[0].Qtype = dns.TypeAAAA; c.Write(framedMsg(r)) },
		"no question":         func(c net.Conn, _, r *dns.Msg) { r.Question = nil; c.Write(framedMsg(r)) },
		"two questions":       func(c net.Conn, _, r *dns.Msg) { r.Question = append(r.Question, r.Question[0]); c.Write(framedMsg(r)) },
		"the question itself": func(c net.Conn, q, _ *dns.Msg) { c.Write(framedMsg(q)) },
		"an unasked message first": func(c net.Conn, _, r *dns.Msg) {
			other := r.Copy()
			other.Id += 7
			c.Write(append(framedMsg(other), framedMsg(r)...))
		},
		"truncated":        func(c net.Conn, _, r *dns.Msg) { r.Truncated = true; c.Write(framedMsg(r)) },
		"an empty message": func(c net.Conn, _, _ *dns.Msg) { c.Write([]byte{0, 0}) },
		"garbage": func(c net.Conn, q, _ *dns.Msg) {
			m := append([]byte{0xff, 0xff}, make([]byte, 65535)...)
			binary.BigEndian.PutUint16(m[2:], q.Id)
			c.Write(m)
		},
		"records beyond the limit": func(c net.Conn, _, r *dns.Msg) {
			for range maxUnpacked + 1 {
				r.Answer = append(r.Answer, forged)
			}
			r.Compress = true
			c.Write(framedMsg(r))
		},
		"nothing":           func(c net.Conn, _, _ *dns.Msg) { c.Read(make([]byte, 1)) },
		"an end":            func(net.Conn, *dns.Msg, *dns.Msg) {},
		"a half and an end": func(c net.Conn, _, r *dns.Msg) { m := framedMsg(r); c.Write(m[:20]) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ca := newCertifier(t)
			s := serveDoT(t, tlsOf(ca.make(nil)), func(c net.Conn) {
				q, _, err := readQuery(c)
				if err != nil {
					return
				}
				r := new(dns.Msg)
				r.SetReply(q)
				r.Answer = []dns.RR{forged}
				lie(c, q, r)
			})
			b := provenHarness(t, ca, fmt.Sprintf("tls://%v?name=dns.test", s.addr), "a.example")
			p := new(plainPorts)
			b.cfg.Dial, b.cfg.Timeout = p.dial, time.Second
			r := b.ask("a.example.", dns.TypeA)
			if r.Rcode != dns.RcodeServerFailure || len(r.Answer) != 0 {
				t.Errorf("answered %v", r)
			}
			if u := b.Upstreams()[0]; u.Failures == 0 || u.Why == nil {
				t.Errorf("the failure is not counted: %+v", u)
			}
			p.only(t, s.addr.String())
		})
	}
}

// TestStreamCloses asserts that an upstream that accepts connections and closes them after
// the handshake does not keep the next upstream from being asked in time.
func TestStreamCloses(t *testing.T) {
	ca, zone := newCertifier(t), newZone(t)
	bad := serveDoT(t, tlsOf(ca.make(nil)), func(net.Conn) {})
	good := serveDoT(t, tlsOf(ca.make(nil)), answering(zone, nil))
	b := newHarness(t, func(c *setup) {
		c.Upstreams, c.Roots = append(c.Upstreams[:0], upstreamOf(t, fmt.Sprintf("tls://%v?name=dns.test", bad.addr)), upstreamOf(t, fmt.Sprintf("tls://%v?name=dns.test", good.addr))), ca.roots
	}, "*.example")
	began := time.Now()
	if r := b.ask("a.example.", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.10"}) || time.Since(began) > 10*time.Second {
		t.Errorf("answered %v after %v", r, time.Since(began))
	}
	before := bad.conns.Load()
	if r := b.ask("b.example.", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.11"}) || bad.conns.Load() != before {
		t.Errorf("answered %v; the failed upstream is asked first again", r)
	}
}

// TestStreamIDs asserts that a question never has the ID of one that still waits.
func TestStreamIDs(t *testing.T) {
	client, server := net.Pipe()
	s := newStream(client)
	go s.readAll()
	t.Cleanup(func() { s.end(context.Canceled); server.Close() })
	seen := map[uint16]bool{}
	for range 3 {
		query, err := upstreamQuery("a.example.", want{qtype: dns.TypeA}, queryForm{edns: true})
		if err != nil {
			t.Fatal(err)
		}
		query[0], query[1] = 0xff, 0xff
		go s.begin(query)
		q, _, err := readQuery(server)
		if err != nil || seen[q.Id] {
			t.Fatalf("ID %d again, %v", q.Id, err)
		}
		seen[q.Id] = true
	}
}
