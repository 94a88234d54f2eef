// Tests of the tunnel after a 101, of what comes before it, and of a refused upgrade (RFC 9931).

package proxy

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// A refusal keeps HTTP: a client that waited sends its next request on the same connection.
func TestUpgradeRefused(t *testing.T) {
	t.Parallel()
	for _, way := range plainWays {
		if strings.Contains(way.name, "port") {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			b := newRedirectWorld(t, nil)
			o := b.origin("8.8.8.8:80", answering("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 4\r\n\r\nwho?"))
			e := way.open(b)
			for range 2 {
				e.send(strings.Replace(getWS, "http://a.example", way.prefix, 1))
				if resp, body := e.want(401, ""); body != "who?" || resp.Close || resp.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("%v %q", resp, body)
				}
			}
			e.send("GET " + way.prefix + "/plain HTTP/1.1\r\nHost: a.example\r\n\r\n")
			e.want(401, "")
			if n := o.connections(); n > 2 || !strings.Contains(o.received(), "GET /plain ") {
				t.Errorf("%d connections, arrived %q", n, o.received())
			}
			e.send("GET " + way.prefix + "/ HTTP/1.1\r\nHost: evil.example\r\n\r\n")
			if way.prefix == "" {
				e.want(403, map[string]string{"tunnel": "host_mismatch", "redirected": "not_listed"}[way.name])
			}
		})
	}
}

// Bytes that come before the 101 wait unread, and then belong to the tunnel (RFC 9931): not a byte
// of them leaves before it.
func TestUpgradeEarlyBytes(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{true, false} {
		w := newWorld(t, nil)
		next := newScript(t)
		o := w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
			go io.Copy(io.Discard, r)
			for text := range next {
				io.WriteString(conn, text)
			}
		})
		e := w.exchange(getWS + map[bool]string{true: frame}[together])
		w.eventually("the head", func() bool { return strings.HasSuffix(o.received(), "\r\n\r\n") })
		head := o.received()
		e.send(frame)
		time.Sleep(50 * time.Millisecond) // time for a wrong proxy to forward them
		if got := o.received(); got != head {
			t.Errorf("arrived before the 101: %q", got[len(head):])
		}
		next.say(t, ok101)
		e.until("\r\n\r\n")
		want := head + frame
		if together {
			want += frame
		}
		w.eventually("the frames", func() bool { return o.received() == want })
	}
}

// If the upgrade is refused, bytes that came early are discarded, and the connection ends: they
// would otherwise be a request that only their place makes one (RFC 9931, section 3.1).
func TestUpgradeRefusedEarlyBytes(t *testing.T) {
	t.Parallel()
	for _, early := range []string{frame, "GET http://a.example/smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"} {
		for _, together := range []bool{true, false} {
			w := newWorld(t, nil)
			next := newScript(t)
			o := w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
				go io.Copy(io.Discard, r)
				for text := range next {
					io.WriteString(conn, text)
				}
			})
			var e *exchange
			if together {
				e = w.exchange(getWS + early)
			} else {
				e = w.exchange(getWS)
			}
			w.eventually("the head", func() bool { return strings.HasSuffix(o.received(), "\r\n\r\n") })
			head := o.received()
			if !together {
				e.send(early)
				time.Sleep(20 * time.Millisecond) // until it is in the proxy's queue
			}
			next.say(t, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
			if resp, body := e.want(403, ""); !resp.Close || body != "no" {
				t.Errorf("close %v, %q", resp.Close, body)
			}
			e.conn.CloseWrite()
			e.wantEnd()
			if got := o.received(); got != head {
				t.Errorf("arrived %q", got[len(head):])
			}
			w.wantOne(rules.Allow, rules.ReasonNone)
		}
	}
}

// A server may send a true 101 and still read requests, for example if the 101 came from another
// server behind it. What a client sends then must be a WebSocket frame: a request that nobody has
// judged does not arrive.
func TestRequestAfter101(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ sent, arrives string }{
		{"GET /admin HTTP/1.1\r\nHost: evil.example\r\n\r\n", ""}, {"POST / HTTP/1.1\r\n", ""}, {"\r\nGET / HTTP/1.1\r\n", ""},
		{"HEAD / HTTP/1.1\r\n", ""}, {"BIND / HTTP/1.1\r\n", ""}, // the first byte could begin a frame
		{"\x16\x03\x01\x00\x05hello", ""}, {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""}, {"\x00\x80", ""}, {"\x83\x80", ""},
		{"\x81\x05hello", ""}, // no mask
		{frame, frame}, {"\x82\x80\x00\x00\x00\x00", "\x82\x80\x00\x00\x00\x00"}, {"\x88\x80\x00\x00\x00\x00", "\x88\x80\x00\x00\x00\x00"}, {"\xc1\x80\x01\x01\x01\x01", "\xc1\x80\x01\x01\x01\x01"},
	} {
		for _, early := range []bool{false, true} {
			w := newWorld(t, nil)
			o := w.origin("8.8.8.8:80", switching(ok101))
			text := getWS
			if early {
				text += c.sent
			}
			e := w.exchange(text)
			e.until("\r\n\r\n")
			head := strings.Index(o.received(), "\r\n\r\n") + 4
			if !early {
				e.conn.Write([]byte(c.sent))
			}
			if c.arrives != "" {
				e.until(c.arrives)
				continue
			}
			if rest, _ := io.ReadAll(e.r); len(rest) > 0 {
				t.Errorf("%q: %q came back", c.sent, rest)
			}
			end := w.wantClosed()
			if got := o.received()[head:]; got != "" || end.Cause != rules.EndDenied(rules.MalformedRequest) {
				t.Errorf("%q, early %v: arrived %q, cause %q", c.sent, early, got, end.Cause)
			}
			if ds := w.journal.decisions(); len(ds) != 2 || ds[1].d.Allowed() || ds[1].d.Why() != rules.MalformedRequest || ds[1].a.Detail != notFrame || ds[0].a.Flow != ds[1].a.Flow {
				t.Errorf("%q: %+v", c.sent, ds)
			}
		}
	}
}

// The tunnel after a 101 ends like any tunnel: with its rule, at the end of a drain, and when it is
// idle.
func TestUpgradedTunnelEnds(t *testing.T) {
	t.Parallel()
	for _, way := range plainWays {
		if strings.Contains(way.name, "port") {
			continue
		}
		for _, c := range []struct {
			name  string
			end   func(*redirectWorld)
			cause rules.Cause
		}{
			{"reload", func(b *redirectWorld) {
				b.policy(strings.Replace(redirectConfig, `"a.example", `, "", 1))
				b.p.Recheck()
			}, rules.EndPolicy},
			{"idle", func(*redirectWorld) {}, rules.EndIdle},
			{"expiry", func(b *redirectWorld) {
				b.policyAt(strings.Replace(redirectConfig, "reason = \"test\"", "reason = \"test\"\nexpires = 2026-01-01", 1), time.Now())
				b.p.Recheck()
			}, rules.EndDenied(rules.Expired)},
		} {
			t.Run(way.name+", "+c.name, func(t *testing.T) {
				b := newRedirectWorld(t, func(cfg *Config) {
					if c.name == "idle" {
						cfg.Limits.Idle = 300 * time.Millisecond
					}
				})
				b.origin("8.8.8.8:80", switching(ok101))
				e := way.open(b)
				e.send(strings.Replace(getWS, "http://a.example", way.prefix, 1))
				e.until("\r\n\r\n")
				e.send(frame)
				e.until(frame)
				if n := b.p.Stats().Tunnels; n != 1 {
					t.Errorf("%d tunnels", n)
				}
				c.end(b)
				if rest, err := io.ReadAll(e.r); len(rest) > 0 || err == nil {
					t.Errorf("%q, %v; want a reset", rest, err)
				}
				if end := b.wantClosed(); end.Cause != c.cause || end.BytesIn == 0 || end.BytesOut == 0 {
					t.Errorf("%+v, want %q", end, c.cause)
				}
				b.idle()
				if n := b.p.Stats().Tunnels; n != 0 || len(b.journal.closes()) != 1 {
					t.Errorf("%d tunnels, %d ends", n, len(b.journal.closes()))
				}
			})
		}
	}
}

// Interim responses may come before the 101 (RFC 9110, section 15.2).
func TestInterimBefore101(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.origin("8.8.8.8:80", switching("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"+ok101))
	e := w.exchange(getWS)
	e.until("Via: 1.1 " + w.p.engine.pseudonym() + "\r\n\r\n")
	resp, err := http.ReadResponse(e.r, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("%+v, %v", resp, err)
	}
	e.send(frame)
	e.until(frame)
}
