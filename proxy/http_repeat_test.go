// Tests of kept connections that the destination ends while a request is on its way (RFC 9110,
// section 9.2.2; RFC 9112, section 9.3.1): what is repeated, once, and what is not.

package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sallyport/proxy/peek"
	"sallyport/rules"
)

// A staleOrigin answers a first request on each connection. It reads the second one, if that is for
// /twice, and ends the connection without an answer, as often as dies says.
type staleOrigin struct {
	dies  atomic.Int32
	reset bool
	part  string // what it answers before it dies
	died  func()
}

func (o *staleOrigin) serve(conn *net.TCPConn, recorded io.Reader) {
	r := bufio.NewReader(recorded)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		io.Copy(io.Discard, req.Body)
		if req.URL.Path == "/twice" && o.dies.Add(-1) >= 0 {
			if o.died != nil {
				o.died()
			}
			io.WriteString(conn, o.part)
			if o.reset {
				peek.Reset(conn)
			}
			return
		}
		io.WriteString(conn, okAnswer)
	}
}

// Methods that may be carried out twice are repeated once, on a new connection and as the same
// flow. Others are not, and neither is what has a body: its client gets a 502 that says so, and the
// record has the cause.
func TestRepeat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, fields string
		dies                 int32
		part                 string
		status, arrivals     int
		hint                 string
	}{
		{"GET", "GET", "\r\n", 1, "", 200, 2, ""},
		{"HEAD", "HEAD", "\r\n", 1, "", 200, 2, ""},
		{"OPTIONS", "OPTIONS", "\r\n", 1, "", 200, 2, ""},
		{"TRACE", "TRACE", "\r\n", 1, "", 200, 2, ""},
		{"DELETE", "DELETE", "\r\n", 1, "", 200, 2, ""},
		{"PUT without a body", "PUT", "Content-Length: 0\r\n\r\n", 1, "", 200, 2, ""},
		{"GET, twice", "GET", "\r\n", 2, "", 502, 2, "closed the connection before it answered."},
		{"DELETE, twice", "DELETE", "\r\n", 2, "", 502, 2, "closed the connection before it answered."},
		{"POST", "POST", "Content-Length: 2\r\n\r\nhi", 1, "", 502, 1, "It may have carried out the request"},
		{"POST without a body", "POST", "Content-Length: 0\r\n\r\n", 1, "", 502, 1, "It may have carried out the request"},
		{"POST with a key", "POST", "Idempotency-Key: 1\r\nContent-Length: 0\r\n\r\n", 1, "", 502, 1, "It may have carried out the request"},
		{"PATCH", "PATCH", "\r\n", 1, "", 502, 1, "It may have carried out the request"},
		{"an unknown method", "QUERY", "\r\n", 1, "", 502, 1, "It may have carried out the request"},
		{"PUT with a body", "PUT", "Content-Length: 2\r\n\r\nhi", 1, "", 502, 1, "closed the connection before it answered."},
		{"GET with a body", "GET", "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 1, "", 502, 1, "closed the connection before it answered."},
		{"GET, half an answer", "GET", "\r\n", 1, "HTTP/1.1 20", 502, 1, "no valid answer in HTTP/1"},
		{"GET, an interim answer", "GET", "\r\n", 1, "HTTP/1.1 103 Early Hints\r\n\r\n", 502, 1, "no valid answer in HTTP/1"},
	} {
		for _, reset := range []bool{false, true} {
			for _, way := range plainWays {
				if strings.Contains(way.name, "port") || reset && way.name != "proxy" || reset && c.part != "" {
					continue
				}
				t.Run(c.name+", "+way.name, func(t *testing.T) {
					b := newRedirectWorld(t, nil)
					stale := &staleOrigin{reset: reset, part: c.part}
					stale.dies.Store(c.dies)
					o := b.origin("8.8.8.8:80", stale.serve)
					e := way.open(b)
					e.send("GET " + way.prefix + "/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
					e.want(200, "")
					e.send(c.method + " " + way.prefix + "/twice HTTP/1.1\r\nHost: a.example\r\n" + c.fields)
					resp, body := e.answer(c.method)
					if resp.StatusCode != c.status || !strings.Contains(resp.Header.Get("X-Sallyport-Hint"), c.hint) || c.status == 502 && resp.Header.Get("X-Sallyport-Fault") != "no valid answer" {
						t.Errorf("%s %v %q", resp.Status, resp.Header, body)
					}
					if n := strings.Count(o.received(), " /twice "); n != c.arrivals || o.connections() != c.arrivals {
						t.Errorf("%d arrivals on %d connections: %q", n, o.connections(), o.received())
					}
					e.conn.Close()
					b.idle()
					want := map[int]rules.Cause{200: rules.EndClean, 502: rules.EndNoAnswer}[c.status]
					ends := b.journal.closes()
					if last := ends[len(ends)-1]; last.Cause != want || way.name != "tunnel" && (len(ends) != 2 || int(ends[0].BytesIn+last.BytesIn) != len(o.received())) {
						t.Errorf("ends %+v, want %q", ends, want)
					}
					if ds := b.journal.decisions(); len(ds) != 2 {
						t.Errorf("%d decisions: %+v", len(ds), ds)
					}
				})
			}
		}
	}
}

// A connection that was never used is not stale: a destination that closes it does not like the
// request, and would get it again and again.
func TestNoRepeatOnNewConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	stale := &staleOrigin{}
	stale.dies.Store(1)
	o := w.origin("8.8.8.8:80", stale.serve)
	w.exchange("GET http://a.example/twice HTTP/1.1\r\nHost: a.example\r\n\r\n").want(502, "")
	if o.connections() != 1 {
		t.Errorf("%d connections", o.connections())
	}
	if end := w.wantClosed(); end.Cause != rules.EndNoAnswer {
		t.Errorf("cause %q", end.Cause)
	}
}

// If the policy changes before the request is repeated, the new policy decides: the repeated
// request does not leave, and the denial is recorded.
func TestRepeatAsksTheNewPolicy(t *testing.T) {
	t.Parallel()
	for _, way := range plainWays {
		if strings.Contains(way.name, "port") {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			b := newRedirectWorld(t, nil)
			stale := &staleOrigin{died: func() { b.policy(strings.Replace(redirectConfig, `"a.example", `, "", 1)) }}
			stale.dies.Store(1)
			o := b.origin("8.8.8.8:80", stale.serve)
			e := way.open(b)
			e.send("GET " + way.prefix + "/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
			e.want(200, "")
			e.send("GET " + way.prefix + "/twice HTTP/1.1\r\nHost: a.example\r\n\r\n")
			e.want(403, "not_listed")
			if n := strings.Count(o.received(), " /twice "); n != 1 || o.connections() != 1 {
				t.Errorf("%d arrivals on %d connections", n, o.connections())
			}
			e.conn.Close()
			b.idle()
			ds, ends := b.journal.decisions(), b.journal.closes()
			if last := ds[len(ds)-1]; len(ds) != 3 || last.d.Allowed() || last.d.Why() != rules.NotListed || last.a.Flow != ds[1].a.Flow {
				t.Errorf("%+v", ds)
			}
			if last := ends[len(ends)-1]; last.Cause != rules.EndDenied(rules.NotListed) {
				t.Errorf("ends %+v", ends)
			}
		})
	}
}

// If the destination cannot be reached a second time, there is one record with that cause.
func TestRepeatCannotConnect(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, func(c *Config) {
		connect := c.Connect
		c.Connect = func(ctx context.Context, to netip.AddrPort) (*net.TCPConn, error) { return connect(ctx, to) }
	})
	stale := &staleOrigin{}
	stale.dies.Store(1)
	stale.died = func() {
		b.world.mu.Lock()
		defer b.world.mu.Unlock()
		delete(b.origins, netip.MustParseAddrPort("8.8.8.8:80"))
	}
	o := b.origin("8.8.8.8:80", stale.serve)
	t.Cleanup(o.close)
	e := b.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
	e.want(200, "")
	e.send("GET http://a.example/twice HTTP/1.1\r\nHost: a.example\r\n\r\n")
	if resp, _ := e.want(502, ""); resp.Header.Get("X-Sallyport-Fault") != "refused" {
		t.Errorf("%v", resp.Header)
	}
	e.conn.Close()
	b.idle()
	if ends := b.journal.closes(); len(ends) != 2 || ends[1].Cause != rules.DialRefused {
		t.Errorf("%+v", ends)
	}
}

// If the policy changes and still permits the request, the new generation resolves its name.
func TestRepeatUsesTheNewGeneration(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []*rules.Generation
	w := newWorld(t, func(c *Config) {
		lookup := c.Lookup
		c.Lookup = func(ctx context.Context, g *rules.Generation, n rules.Name) ([]netip.Addr, error) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, g)
			return lookup(ctx, g, n)
		}
	})
	stale := &staleOrigin{died: func() { w.policy(worldConfig) }}
	stale.dies.Store(1)
	w.origin("8.8.8.8:80", stale.serve)
	e := w.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
	e.want(200, "")
	e.send("GET http://a.example/twice HTTP/1.1\r\nHost: a.example\r\n\r\n")
	e.want(200, "")
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 2 || asked[0] == asked[1] || asked[1] != w.live.Load() {
		t.Errorf("asked %v, in force %p", asked, w.live.Load())
	}
}
