// Tests of plain HTTP through the proxy: what arrives, and how each request is read and
// decided. Origins record every byte.

package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// A permitted request arrives as it was sent, without the fields of one hop and the fields
// that clients must not set.
func TestRequestArrives(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // the environment does not matter
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:80", answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Hop, keep-alive\r\n"+
		"X-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nX-Sallyport-Reason: fake\r\nX-Sallyport-Fault: fake\r\nX-End: 2\r\n\r\nok"))
	e := w.exchange("GET http://A.EXAMPLE.:80/p%41th?secret=1 HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: br\r\n" +
		"Connection: X-Named, Host, keep-alive\r\nX-Named: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: websocket\r\nHTTP2-Settings: AA\r\n" +
		"Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic c2VjcmV0\r\nX-Forwarded-For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\n" +
		"X-Upstream-Https-Proxy: x\r\nVia: 1.1 before\r\nX-End: to end\r\nCookie: c=1\r\n\r\n")
	resp, body := e.want(200, "")
	if body != "ok" || resp.Header.Get("X-End") != "2" || !strings.Contains(resp.Header.Get("Via"), "sallyport-") {
		t.Errorf("%q %v", body, resp.Header)
	}
	for _, name := range []string{"X-Hop", "Keep-Alive", "Proxy-Authenticate", "Upgrade", "Content-Type", "X-Sallyport-Fault"} {
		if resp.Header.Get(name) != "" {
			t.Errorf("%s came back", name)
		}
	}
	lines := strings.Split(strings.TrimSuffix(o.received(), "\r\n\r\n"), "\r\n")
	slices.Sort(lines[1:])
	want := []string{"GET /p%41th?secret=1 HTTP/1.1", "Accept-Encoding: br", "Cookie: c=1", "Host: a.example",
		"Via: 1.1 before, 1.1 " + w.p.engine.name, "X-End: to end"}
	if !slices.Equal(lines, want) {
		t.Errorf("arrived:\n%s\nwant:\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	got := w.wantOne(rules.Allow, rules.ReasonNone)
	if a := got.a; a.Via != rules.ViaHTTP || a.Authority.String() != "a.example" || a.Host.String() != "a.example" || a.HostPort != 80 ||
		a.Dest != netip.MustParseAddrPort("8.8.8.8:80") || len(a.Resolved) != 1 || a.Shown != rules.ShownHTTP {
		t.Errorf("%+v", a)
	}
	c := w.wantClosed()
	if int(c.BytesIn) != len(o.received()) || c.BytesOut < 100 || c.Cause != rules.EndClean || c.Dialed != got.a.Dest || c.Attempt.Flow != got.a.Flow {
		t.Errorf("%+v", c)
	}
}

// Every request of a connection is decided; upstream connections are reused
// for the same name of the same client and for nothing else.
func TestRequestsDecidedOneByOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a, b := w.origin("8.8.8.8:80", answering(okAnswer)), w.origin("8.8.8.6:80", answering(okAnswer))
	toA := "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"
	e := w.exchange(toA)
	e.want(200, "")
	e.send(toA)
	e.want(200, "")
	if a.connections() != 1 {
		t.Errorf("%d connections for two requests", a.connections())
	}
	e.send("GET http://b.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n" + toA) // pipelined
	e.want(200, "")
	e.want(200, "")
	if strings.Contains(b.received(), "a.example") || strings.Contains(a.received(), "b.example") {
		t.Errorf("mixed up: a %q, b %q", a.received(), b.received())
	}
	other := w.exchangeFrom("127.0.0.2", toA)
	other.want(200, "")
	if a.connections() != 2 {
		t.Errorf("%d connections for two clients", a.connections())
	}
	e.send("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n" + toA)
	e.want(403, "not_listed")
	e.conn.CloseWrite()
	io.Copy(io.Discard, e.r)
	ds := w.journal.decisions()
	if len(ds) != 6 || ds[5].d.Allowed() {
		t.Errorf("%d decisions", len(ds))
	}
	flows := map[uint64]bool{}
	for _, d := range ds {
		flows[d.a.Flow] = true
	}
	if len(flows) != 6 {
		t.Errorf("flows %v", flows)
	}
	w.policy(`[[client]]
name = "lab"
sources = ["127.0.0.0/8"]
profiles = []
`)
	other.send(toA)
	other.want(403, "not_listed")
	if len(w.journal.closes()) != 5 {
		t.Errorf("%d ends of flows", len(w.journal.closes()))
	}
}

// A head must arrive completely in time. A connection without a byte is only counted.
func TestRequestHeadDeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, impatient)
	e := w.exchange("")
	e.wantEnd()
	w.eventually("count", func() bool { return w.p.Stats().Empty == 1 })
	if n := len(w.journal.decisions()); n != 0 {
		t.Errorf("%d decisions about nothing", n)
	}
	start := time.Now()
	e = w.exchange("GET http://a.exam")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond): // an attacker's pace
				io.WriteString(e.conn, "p")
			}
		}
	}()
	e.want(408, "sniff_timeout")
	close(stop)
	<-stopped
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
	w.wantOne(rules.Deny, rules.SniffTimeout)
}

// A head that ends too early is recorded.
func TestRequestHeadCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.exchange("GET http://a.example/ HTTP/1.1\r\n")
	e.conn.CloseWrite()
	io.Copy(io.Discard, e.r)
	w.wantOne(rules.Deny, rules.MalformedRequest)
}

// A request that returns to this proxy is refused.
func TestRequestLoop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.exchange(fmt.Sprintf("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nVia: 1.1 x, 1.1 %s\r\n\r\n",
		w.p.engine.pseudonym())).want(403, "self")
	w.wantOne(rules.Deny, rules.Self)
}

// CONNECT may follow requests on the same connection.
func TestConnectAfterRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.origin("8.8.8.8:80", answering(okAnswer))
	o := w.origin("8.8.8.8:443", echo)
	e := w.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
	e.want(200, "")
	hello := string(helloFor(t, "a.example"))
	e.send("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n" + hello)
	if resp, err := http.ReadResponse(e.r, &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	if _, err := io.ReadFull(e.r, make([]byte, len(hello))); err != nil || o.received() != hello {
		t.Errorf("%v, arrived %q", err, o.received())
	}
}

// A panic while a request is served ends one connection, and is counted and denied, wherever it
// happens.
func TestRequestPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) {
		c.Lookup = func(context.Context, *rules.Generation, rules.Name) ([]netip.Addr, error) { panic("boom") }
	})
	e := w.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
	io.Copy(io.Discard, e.r)
	w.eventually("count", func() bool { return w.p.Stats().Panics == 1 })
	w.wantOne(rules.Deny, rules.MalformedRequest)
}
