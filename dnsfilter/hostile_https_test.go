// Hostile servers of DNS over HTTPS that have the right certificate: connections that end
// under a question, redirects, bodies that are no answer, and answers that drip.

package dnsfilter

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"sallyport/rules"
)

// answerHTTP2 answers the requests of one connection of HTTP/2, which is behind its
// handshake, until goAway says so; goAway then returns the last stream that the server
// says that it has served.
func answerHTTP2(c net.Conn, zone *authority, goAway func() (last uint32, ends bool)) error {
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return err
	}
	framer := http2.NewFramer(c, c)
	if err := framer.WriteSettings(); err != nil {
		return err
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return err
		}
		data, ok := frame.(*http2.DataFrame)
		if !ok || len(data.Data()) == 0 {
			continue
		}
		if last, ends := goAway(); ends {
			return framer.WriteGoAway(last, http2.ErrCodeNo, nil)
		}
		q := new(dns.Msg)
		if err := q.Unpack(data.Data()); err != nil {
			return err
		}
		body, err := zone.reply(q).Pack()
		if err != nil {
			return err
		}
		var block bytes.Buffer
		head := hpack.NewEncoder(&block)
		for _, field := range [][2]string{{":status", "200"}, {"content-type", mediaType}, {"content-length", strconv.Itoa(len(body))}} {
			if err := head.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
				return err
			}
		}
		err = errors.Join(framer.WriteHeaders(http2.HeadersFrameParam{StreamID: data.StreamID, BlockFragment: block.Bytes(), EndHeaders: true}),
			framer.WriteData(data.StreamID, true, body))
		if err != nil {
			return err
		}
	}
}

// TestGoAway asserts that a question is not lost if its connection of HTTP/2 ends under it,
// whether the server says that it has served the question or not.
func TestGoAway(t *testing.T) {
	for what, last := range map[string]uint32{"not served": 0, "served, without an answer": 1 << 20} {
		for _, warm := range []bool{false, true} {
			t.Run(fmt.Sprint(what, ", on a used connection ", warm), func(t *testing.T) {
				t.Parallel()
				ca, zone := newCertifier(t), newZone(t)
				config := tlsOf(ca.make(nil))
				config.NextProtos = []string{"h2"}
				var requests atomic.Int32
				at := int32(1)
				if warm {
					at = 2
				}
				s := serveDoT(t, config, func(c net.Conn) {
					answerHTTP2(c, zone, func() (uint32, bool) { return last, requests.Add(1) == at })
				})
				b := provenHarness(t, ca, fmt.Sprintf("https://%v/dns-query?name=dns.test", s.addr), "*.example")
				p := new(plainPorts)
				b.cfg.Dial = p.dial
				if warm {
					b.ask("a.example.", dns.TypeA)
				}
				if r := b.ask("b.example.", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.11"}) {
					t.Errorf("%v, %v", r, b.Upstreams()[0].Why)
				}
				if n := s.conns.Load(); n != 2 {
					t.Errorf("%d connections", n)
				}
				p.only(t, s.addr.String())
			})
		}
	}
}

// TestHTTPSRedirect asserts that no status of redirection makes sallyport ask another
// address or path, with any method, and that it returns no cookie.
func TestHTTPSRedirect(t *testing.T) {
	t.Parallel()
	for _, code := range []int{301, 302, 303, 307, 308} {
		ca, zone := newCertifier(t), newZone(t)
		var other atomic.Int32
		elsewhere := serveDoH(t, ca.make(nil), func(w http.ResponseWriter, r *http.Request) {
			other.Add(1)
			answeringHTTP(zone, nil)(w, r)
		})
		var mu sync.Mutex
		var paths, cookies []string
		addr := serveDoH(t, ca.make(nil), func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			paths, cookies = append(paths, r.URL.Path), append(cookies, r.Header["Cookie"]...)
			w.Header().Set("Set-Cookie", "id=1; Path=/")
			w.Header().Set("Alt-Svc", fmt.Sprintf(`h2="%v"`, elsewhere))
			w.Header().Set("Location", fmt.Sprintf("https://%v/dns-query", elsewhere))
			w.WriteHeader(code)
		})
		b := provenHarness(t, ca, fmt.Sprintf("https://%v/hunter2/q?name=dns.test", addr), "*.example")
		p := new(plainPorts)
		b.cfg.Dial = p.dial
		for _, name := range []string{"a.example.", "b.example."} {
			if r := b.ask(name, dns.TypeA); r.Rcode != dns.RcodeServerFailure {
				t.Errorf("%d: %v", code, r)
			}
		}
		p.only(t, addr.String())
		mu.Lock()
		if other.Load() != 0 || len(cookies) != 0 || slices.ContainsFunc(paths, func(p string) bool { return p != "/hunter2/q" }) {
			t.Errorf("%d: asked %v, %d times elsewhere, with cookies %v", code, paths, other.Load(), cookies)
		}
		mu.Unlock()
	}
}

// TestHTTPSBodies asserts that a body of the right type that is no answer gives none, in
// the time limit and in bounded memory.
func TestHTTPSBodies(t *testing.T) {
	t.Parallel()
	zone := newZone(t)
	ca := newCertifier(t)
	body := func(write func(w io.Writer, flush func(), stop <-chan struct{})) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			write(w, w.(http.Flusher).Flush, r.Context().Done())
		}
	}
	for what, serve := range map[string]http.HandlerFunc{
		"nothing":     body(func(io.Writer, func(), <-chan struct{}) {}),
		"garbage":     body(func(w io.Writer, _ func(), _ <-chan struct{}) { w.Write(bytes.Repeat([]byte{0xc0, 0x0c, 0xff}, 400)) }),
		"zeros":       body(func(w io.Writer, _ func(), _ <-chan struct{}) { w.Write(make([]byte, 500)) }),
		"half a head": body(func(w io.Writer, _ func(), _ <-chan struct{}) { w.Write(make([]byte, 7)) }),
		"without end": body(func(w io.Writer, _ func(), _ <-chan struct{}) {
			for _, err := w.Write(make([]byte, 32<<10)); err == nil; _, err = w.Write(make([]byte, 32<<10)) {
			}
		}),
		"a drip": body(func(w io.Writer, flush func(), stop <-chan struct{}) {
			for {
				select {
				case <-stop:
					return
				case <-time.After(50 * time.Millisecond):
					w.Write([]byte{0})
					flush()
				}
			}
		}),
		"compressed": func(w http.ResponseWriter, r *http.Request) {
			in, _ := io.ReadAll(r.Body)
			q := new(dns.Msg)
			if q.Unpack(in) != nil {
				return
			}
			out, _ := zone.reply(q).Pack()
			w.Header().Set("Content-Type", mediaType)
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(out)
			z.Close()
		},
		"two messages": func(w http.ResponseWriter, r *http.Request) {
			in, _ := io.ReadAll(r.Body)
			q := new(dns.Msg)
			if q.Unpack(in) != nil {
				return
			}
			q.Response, q.Rcode = true, dns.RcodeServerFailure
			out, _ := q.Pack()
			w.Header().Set("Content-Type", mediaType)
			w.Write(append(out, out...))
		},
		"interim responses without end": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				w.WriteHeader(http.StatusEarlyHints)
				time.Sleep(time.Millisecond)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			addr := serveDoH(t, ca.make(nil), serve)
			b := provenHarness(t, ca, fmt.Sprintf("https://%v/dns-query?name=dns.test", addr), "a.example")
			p := new(plainPorts)
			b.cfg.Dial, b.cfg.Timeout = p.dial, time.Second
			began := time.Now()
			if r := b.ask("a.example.", dns.TypeA); r.Rcode != dns.RcodeServerFailure || len(r.Answer) != 0 || time.Since(began) > 3*time.Second {
				t.Errorf("answered %v after %v", r, time.Since(began))
			}
			p.only(t, addr.String())
		})
	}
}

// TestHTTPSUnasked asserts that a server of HTTP/1.1 that sends a second response which
// nobody asked for cannot answer the next question with it.
func TestHTTPSUnasked(t *testing.T) {
	ca, zone := newCertifier(t), newZone(t)
	forged, _ := dns.NewRR("b.example. 300 IN A 192.0.1.66")
	s := serveDoT(t, tlsOf(ca.make(nil)), func(c net.Conn) {
		buf := make([]byte, 8192)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			_, body, ok := strings.Cut(string(buf[:n]), "\r\n\r\n")
			q := new(dns.Msg)
			if !ok || q.Unpack([]byte(body)) != nil {
				return
			}
			unasked := new(dns.Msg)
			unasked.SetQuestion("b.example.", dns.TypeA)
			unasked.Id, unasked.Response, unasked.Answer = 0, true, []dns.RR{forged}
			for _, m := range []*dns.Msg{zone.reply(q), unasked} {
				wire, _ := m.Pack()
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", mediaType, len(wire), wire)
			}
		}
	})
	b := provenHarness(t, ca, fmt.Sprintf("https://%v/q?name=dns.test", s.addr), "*.example")
	if r := b.ask("a.example.", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.10"}) {
		t.Fatal(r)
	}
	time.Sleep(100 * time.Millisecond)
	if r := b.ask("b.example.", dns.TypeA); strings.Contains(fmt.Sprint(r), "192.0.1.66") {
		t.Errorf("answered %v", r)
	}
}

// TestProofIsRepeated asserts that a connection that resumes an earlier session of TLS is
// checked like the first one: a certificate that expired meanwhile is refused.
func TestProofIsRepeated(t *testing.T) {
	ca, zone := newCertifier(t), newZone(t)
	cert := ca.make(nil)
	var resumed atomic.Int32
	config := &tls.Config{Certificates: []tls.Certificate{cert}, VerifyConnection: func(s tls.ConnectionState) error {
		if s.DidResume {
			resumed.Add(1)
		}
		return nil
	}}
	s := serveDoT(t, config, func(c net.Conn) {
		q, _, err := readQuery(c)
		if err == nil {
			c.Write(framedMsg(zone.reply(q)))
		}
	})
	b := newHarness(t, func(c *setup) {
		c.Upstreams, c.Roots = []rules.Upstream{upstreamOf(t, fmt.Sprintf("tls://%v?name=dns.test", s.addr))}, ca.roots
	}, "*.example")
	for _, name := range []string{"a.example.", "b.example."} {
		if r := b.ask(name, dns.TypeA); len(r.Answer) != 1 {
			t.Fatal(name, r, b.Upstreams())
		}
	}
	if resumed.Load() == 0 {
		t.Fatal("no session was resumed: the test shows nothing")
	}
	b.advance(2000 * time.Hour)
	if r := b.ask("a.example.", dns.TypeA); r.Rcode != dns.RcodeServerFailure || !strings.Contains(fmt.Sprint(b.Upstreams()[0].Why), "expired") {
		t.Errorf("after the end of the certificate: %v, %v", r, b.Upstreams()[0].Why)
	}
}
