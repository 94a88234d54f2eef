// Tests of HTTP inside tunnels.

package proxy

import (
	"io"
	"strings"
	"testing"

	"sallyport/rules"
)

// Inside a tunnel each request is decided by itself, goes where the tunnel goes, and uses the
// tunnel's connection.
func TestTunnelRequests(t *testing.T) {
	t.Parallel()
	inA := "GET /in?x=1 HTTP/1.1\r\nHost: A.example\r\nX-Forwarded-For: 1\r\n\r\n"
	for _, c := range []struct {
		name, second string
		status       int
		reason       rules.Reason
	}{
		{"another host", "GET / HTTP/1.1\r\nHost: b.example\r\n\r\n", 403, rules.HostMismatch},
		{"absolute-form", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, rules.MalformedRequest},
		{"CONNECT", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", 400, rules.MalformedRequest},
		{"smuggling", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, rules.MalformedRequest},
		{"something else", "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 400, rules.MalformedRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			o := w.origin("8.8.8.8:80", answering(okAnswer))
			conn, r := w.tunnelTo("a.example:80", "")
			e := &exchange{w: w, conn: conn, r: r}
			for range 3 {
				e.send(inA)
				e.want(200, "")
			}
			before := o.received()
			if o.connections() != 1 || strings.Count(before, "GET /in?x=1 HTTP/1.1\r\nHost: a.example\r\n") != 3 || strings.Contains(before, "X-Forwarded") {
				t.Errorf("%d connections, arrived %q", o.connections(), before)
			}
			e.send(c.second + "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n")
			e.want(c.status, c.reason.String())
			conn.CloseWrite()
			io.Copy(io.Discard, r)
			end := w.wantClosed()
			if o.received() != before || int(end.BytesIn) != len(before) || len(w.journal.closes()) != 1 {
				t.Errorf("arrived %q, %d ends: %+v", o.received()[len(before):], len(w.journal.closes()), end)
			}
			ds := w.journal.decisions()
			if len(ds) != 4 || ds[3].d.Allowed() || ds[3].d.Why() != c.reason || ds[3].a.Flow != ds[0].a.Flow || ds[0].a.Via != rules.ViaConnect {
				t.Errorf("%+v", ds)
			}
		})
	}
}

// A tunnel whose first request is refused stays unused.
func TestTunnelFirstRequestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:80", answering(okAnswer))
	conn, r := w.tunnelTo("a.example:80", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
	e := &exchange{w: w, conn: conn, r: r}
	e.want(403, "host_mismatch")
	conn.CloseWrite()
	io.Copy(io.Discard, r)
	w.wantOne(rules.Deny, rules.HostMismatch)
	if o.received() != "" || len(w.journal.closes()) != 0 {
		t.Errorf("arrived %q, ends %+v", o.received(), w.journal.closes())
	}
}

// If the destination closes between requests, the tunnel connects again.
func TestTunnelRequestsReconnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:80", once("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"))
	conn, r := w.tunnelTo("a.example:80", "")
	e := &exchange{w: w, conn: conn, r: r}
	for range 2 {
		e.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
		e.want(200, "")
	}
	if o.connections() != 2 {
		t.Errorf("%d connections", o.connections())
	}
}
