// Redirected plain HTTP: each request goes to the name in its Host, on connections of that
// name.

package proxy

import (
	"io"
	"net"
	"strings"
	"testing"

	"sallyport/rules"
)

func getFrom(host, path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
}

// One connection, several permitted hosts: each request is decided by itself and goes to its
// own host, whatever the original destination was.
func TestRedirectedHosts(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, nil)
	oa, ob := b.origin("8.8.8.8:80", answering(okAnswer)), b.origin("8.8.8.6:80", answering(okAnswer))
	elsewhere := b.origin(unlisted+":80", answering(okAnswer))
	e := b.exchangeTo(unlisted+":80", getFrom("a.example", "/a1"))
	e.want(200, "")
	for _, next := range []struct{ host, path string }{{"b.example", "/b1"}, {"A.Example.", "/a2"}, {"b.example:80", "/b2"}} {
		e.send(getFrom(next.host, next.path))
		e.want(200, "")
	}
	e.send(getFrom("evil.example", "/e") + getFrom("a.example", "/a3"))
	_, body := e.want(403, "not_listed")
	if !strings.Contains(body, "evil.example") {
		t.Errorf("page %q", body)
	}
	e.wantEnd()
	e.conn.Close()
	b.idle()
	for o, paths := range map[*origin]string{oa: "/a1 /a2", ob: "/b1 /b2"} {
		if o.connections() != 1 {
			t.Errorf("%s: %d connections", paths, o.connections())
		}
		var got []string
		for _, line := range strings.Split(o.received(), "\r\n") {
			if p, ok := strings.CutPrefix(line, "GET "); ok {
				got = append(got, strings.TrimSuffix(p, " HTTP/1.1"))
			}
		}
		if strings.Join(got, " ") != paths {
			t.Errorf("arrived %v, want %s", got, paths)
		}
	}
	if elsewhere.connections() > 0 {
		t.Errorf("at the original destination arrived %q", elsewhere.received())
	}
	ds := b.journal.decisions()
	flows := map[uint64]bool{}
	for i, host := range []string{"a.example", "b.example", "a.example", "b.example", "evil.example"} {
		if i >= len(ds) {
			t.Fatalf("%d decisions", len(ds))
		}
		a, d := ds[i].a, ds[i].d
		if target := a.Target(); target.String() != host || d.Allowed() != (host != "evil.example") || a.Via != rules.ViaTransparent ||
			a.Original.String() != unlisted+":80" || a.Mismatch != d.Allowed() || flows[a.Flow] {
			t.Errorf("decision %d: %v %v %+v", i, d.Verdict, d.Why(), a)
		}
		flows[a.Flow] = true
	}
	if len(ds) != 5 || len(b.journal.closes()) != 4 {
		t.Errorf("%d decisions, %d ends", len(ds), len(b.journal.closes()))
	}
}

// Every denial of an HTTP request is a page that gives the reason.
func TestRedirectedRequestDenied(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, dst, text string
		reason          rules.Reason
		status          int
	}{
		{"forbidden host", "8.8.8.8:80", getFrom("evil.example", "/"), rules.NotListed, 403},
		{"permitted host, undocumented port", "8.8.8.8:8080", getFrom("a.example:8080", "/"), rules.PortNotListed, 403},
		{"another port in Host", "8.8.8.8:80", getFrom("a.example:5000", "/"), rules.HostMismatch, 403},
		{"Host is the address", "8.8.8.8:80", getFrom("8.8.8.8", "/"), rules.IPLiteral, 403},
		{"Host is a bound address, the flow goes elsewhere", unlisted + ":80", getFrom("8.8.8.5", "/"), rules.IPLiteral, 403},
		{"Host is another address than the bound one", "8.8.8.5:80", getFrom("8.8.8.9", "/"), rules.HostMismatch, 403},
		{"no Host in 1.0", "8.8.8.8:80", "GET / HTTP/1.0\r\n\r\n", rules.IPLiteral, 403},
		{"no Host in 1.1", "8.8.8.8:80", "GET / HTTP/1.1\r\n\r\n", rules.MalformedRequest, 400},
		{"two Hosts", "8.8.8.8:80", "GET / HTTP/1.1\r\nHost: a.example\r\nHost: evil.example\r\n\r\n", rules.MalformedRequest, 400},
		{"only private answers", "8.8.8.8:80", getFrom("inside.example", "/"), rules.PrivateAddress, 403},
		{"CONNECT", "8.8.8.8:80", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", rules.MalformedRequest, 400},
		{"a request to a proxy", "8.8.8.8:80", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", rules.MalformedRequest, 400},
		{"both lengths", "8.8.8.8:80", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", rules.MalformedRequest, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newRedirectWorld(t, nil)
			e := b.exchangeTo(c.dst, c.text)
			e.wantStatus(c.status, c.reason.String())
			r := b.wantOne(rules.Deny, c.reason)
			if r.a.Original.String() != c.dst {
				t.Errorf("original %v on record", r.a.Original)
			}
			if len(b.dialed()) > 0 {
				t.Errorf("dialed %v", b.dialed())
			}
		})
	}
}

// HTTP on a port without a rule for its address is still HTTP.
func TestRedirectedRequestOnAnyPort(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, nil)
	o := b.origin("8.8.8.8:5000", answering(okAnswer))
	b.exchangeTo(unlisted+":5000", getFrom("a.example:5000", "/")).want(200, "")
	if r := b.wantOne(rules.Allow, 0); !r.a.Mismatch || r.a.Dest.String() != "8.8.8.8:5000" {
		t.Errorf("on record %+v", r.a)
	}
	if !strings.Contains(o.received(), "\r\nHost: a.example:5000\r\n") {
		t.Errorf("arrived %q", o.received())
	}
}

// A body arrives whole, and a destination that fails is a 502.
func TestRedirectedBodies(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, nil)
	o := b.origin("8.8.8.8:80", answering(okAnswer))
	e := b.exchangeTo("8.8.8.8:80", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nbody")
	e.want(200, "")
	if !strings.HasSuffix(o.received(), "\r\n\r\nbody") {
		t.Errorf("arrived %q", o.received())
	}
	e.send(getFrom("gone.example", "/"))
	e.want(502, "")
}

// A head that arrives byte by byte has the verdict of the whole.
func TestRedirectedHeadInPieces(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, nil)
	b.origin("8.8.8.8:80", answering(okAnswer))
	for _, c := range []struct {
		host   string
		status int
		reason string
	}{{"a.example", 200, ""}, {"evil.example", 403, "not_listed"}} {
		e := b.exchangeTo(unlisted+":80", "")
		for _, piece := range split([]byte(getFrom(c.host, "/")), 1) {
			e.send(string(piece))
		}
		e.want(c.status, c.reason)
		e.conn.Close()
	}
}

// An upgrade is not forwarded, so nothing opaque follows a request.
func TestRedirectedUpgrade(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, nil)
	o := b.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
		io.ReadAtLeast(r, make([]byte, 4096), 1)
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
		io.Copy(io.Discard, r)
	})
	e := b.exchangeTo("8.8.8.8:80", "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n\r\n")
	e.want(502, "")
	if strings.Contains(strings.ToLower(o.received()), "upgrade") {
		t.Errorf("arrived %q", o.received())
	}
}
