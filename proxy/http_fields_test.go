// Tests of what reaches the destination of a request: its own Host, no field that clients must
// not set in any spelling, and everything else unchanged.

package proxy

import (
	"strings"
	"testing"

	"sallyport/rules"
)

// Servers that turn fields into variables treat many signs as a hyphen: no spelling of a
// stripped field passes (RFC 3875, section 4.1.18).
func TestTwinsAreStripped(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"X_Forwarded_Host", "x_forwarded_for", "X-Forwarded_Proto", "X.Forwarded.For", "X!Forwarded-For", "FORWARDED",
		"Proxy_Authorization", "proxy.connection", "PROXY_ANYTHING", "Keep_Alive", "HTTP2_Settings", "TE", "Upgrade",
		"X_Upstream_Https_Proxy", "X_Named", "x-named", "X~Named",
	} {
		w := newWorld(t, nil)
		o := w.origin("8.8.8.8:80", answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX_Sallyport_Reason: x\r\nX-Sallyport-Other: x\r\nX_Back: 1\r\nConnection: x-back\r\n\r\n"))
		e := w.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nConnection: x_named\r\n" + name + ": stripped\r\nX_kept: kept\r\n\r\n")
		resp, _ := e.want(200, "")
		if got := o.received(); strings.Contains(got, "stripped") || !strings.Contains(got, "\r\nX_kept: kept\r\n") {
			t.Errorf("%s: arrived %q", name, got)
		}
		for _, back := range []string{"X_sallyport_reason", "X-Sallyport-Other", "X_back"} {
			if resp.Header[back] != nil {
				t.Errorf("%s came back", back)
			}
		}
	}
}

// An absolute-form target is the destination. A different Host is ignored, and recorded (RFC
// 9112, section 3.2.2). If the target is not permitted, the Host does not help.
func TestHostGivesWayToTarget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target, host string
		ignored      bool
		arrives      string
	}{
		{"http://a.example/", "a.example", false, "a.example"},
		{"http://a.example/", "A.example.:80", false, "a.example"},
		{"http://a.example/", "evil.example", true, "a.example"},
		{"http://a.example/", "b.example", true, "a.example"},
		{"http://a.example/", "a.example:5000", true, "a.example"},
		{"http://a.example:5000/", "a.example", true, "a.example:5000"},
		{"http://a.example/", "8.8.8.8", true, "a.example"},
		{"http://a.example/", "127.0.0.1:3128", true, "a.example"},
		{"http://a.example/", "[::1]:80", true, "a.example"},
	} {
		w := newWorld(t, nil)
		o := w.origin("8.8.8.8:80", answering(okAnswer))
		o5000 := w.origin("8.8.8.8:5000", answering(okAnswer))
		w.exchange("GET "+c.target+" HTTP/1.1\r\nHost: "+c.host+"\r\n\r\n").want(200, "")
		if got := o.received() + o5000.received(); strings.Count(got, "Host:") != 1 || !strings.Contains(got, "\r\nHost: "+c.arrives+"\r\n") {
			t.Errorf("%s, Host %s: arrived %q", c.target, c.host, got)
		}
		if r := w.wantOne(rules.Allow, rules.ReasonNone); r.a.HostIgnored != c.ignored || r.a.Authority.String() != "a.example" || r.a.HostPort == 0 {
			t.Errorf("%s, Host %s: %+v", c.target, c.host, r.a)
		}
	}
}

// OPTIONS of an absolute URI without a path is about the server: it is sent with an asterisk
// (RFC 9112, section 3.2.4).
func TestOptionsOfServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ target, arrives string }{
		{"http://a.example", "*"}, {"http://a.example:80", "*"}, {"http://a.example/", "/"}, {"http://a.example?q", "/?q"}, {"http://a.example/*", "/*"},
	} {
		w := newWorld(t, nil)
		o := w.origin("8.8.8.8:80", answering(okAnswer))
		w.exchange("OPTIONS "+c.target+" HTTP/1.1\r\nHost: a.example\r\n\r\n").want(200, "")
		if got := o.received(); !strings.HasPrefix(got, "OPTIONS "+c.arrives+" HTTP/1.1\r\n") {
			t.Errorf("%s: arrived %q", c.target, got)
		}
	}
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:80", answering(okAnswer))
	w.exchange("GET http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n").want(200, "")
	if got := o.received(); !strings.HasPrefix(got, "GET / HTTP/1.1\r\n") {
		t.Errorf("arrived %q", got)
	}
}

// A URL may be long, like a signed URL with its signature in the query. Beyond the limits of
// path or URL the status is 414; beyond the limits of the fields it is 431 (RFC 9112, section
// 3; RFC 6585, section 5).
func TestLongHeads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                 string
		path, target, fields int
		status               int
	}{
		{"longest path", 8000, 0, 0, 200}, {"signed, 9 KiB", 2, 9 << 10, 0, 200}, {"all", 8000, 32 << 10, 30 << 10, 200},
		{"longest target", 2, 32 << 10, 0, 200},
		{"path", 8001, 0, 0, 414}, {"path and query", 8001, 9 << 10, 0, 414}, {"path of 9,000", 9000, 0, 0, 414},
		{"path, far", 1 << 20, 0, 0, 414}, {"target", 2, 32<<10 + 1, 0, 414}, {"target, far", 2, 1 << 20, 0, 414},
		{"fields", 100, 0, 32 << 10, 431},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			o := w.origin("8.8.8.8:80", answering(okAnswer))
			url := "http://a.example/" + strings.Repeat("a", c.path-1)
			if c.target > 0 {
				url += "?" + strings.Repeat("s", c.target-len(url)-1)
			}
			e := w.exchange("")
			go e.conn.Write([]byte("GET " + url + " HTTP/1.1\r\nHost: a.example\r\nX: " + strings.Repeat("x", c.fields) + "\r\n\r\n"))
			if c.status == 200 {
				e.want(200, "")
				w.wantOne(rules.Allow, rules.ReasonNone)
				if !strings.Contains(o.received(), url[len("http://a.example"):]+" HTTP/1.1\r\n") {
					t.Error("the target did not arrive whole")
				}
				return
			}
			e.want(c.status, "sniff_too_long")
			if w.wantOne(rules.Deny, rules.SniffTooLong); o.received() != "" {
				t.Errorf("arrived %.100q", o.received())
			}
		})
	}
}

// GET with a body has no general meaning (RFC 9110, section 9.3.1), but it is used. Its length
// is judged like any other, and the body arrives in new framing, so that no server reads it as
// a next request. Octets above ASCII in a value are opaque (section 5.5) and arrive unchanged.
func TestUnusualButHarmless(t *testing.T) {
	t.Parallel()
	for _, framing := range []string{"Content-Length: 26\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1a\r\n"} {
		w := newWorld(t, nil)
		o := w.origin("8.8.8.8:80", answering(okAnswer))
		text := "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nX: \x85\xff\xe2\x80\xa8\r\n" + framing + "GET /smuggled HTTP/1.1\r\n\r\n"
		if strings.Contains(framing, "chunked") {
			text += "\r\n0\r\n\r\n"
		}
		e := w.exchange(text)
		e.want(200, "")
		e.send("GET http://a.example/next HTTP/1.1\r\nHost: a.example\r\n\r\n")
		e.want(200, "")
		if got := o.received(); !strings.Contains(got, "X: \x85\xff\xe2\x80\xa8\r\n") || strings.Count(got, "Host:") != 2 {
			t.Errorf("arrived %q", got)
		}
		if ds := w.journal.decisions(); len(ds) != 2 {
			t.Errorf("%d decisions", len(ds))
		}
	}
}

// The target of a CONNECT decides where the tunnel goes (RFC 9110, section 9.3.6). A different
// Host, as from clients that send the proxy's own name, is ignored, and recorded. It does not
// affect the requests in the tunnel and does not reach the destination.
func TestHostGivesWayToConnect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		host    string
		ignored bool
	}{
		{"a.example:80", false}, {"A.example.", false}, {"127.0.0.1:3128", true}, {"[::1]:3128", true}, {"proxy.example:3128", true},
		{"a.example:5000", true}, {"evil.example", true},
	} {
		w := newWorld(t, nil)
		o := w.origin("8.8.8.8:80", answering(okAnswer))
		e := w.exchange("CONNECT a.example:80 HTTP/1.1\r\nHost: " + c.host + "\r\n\r\n")
		e.until("\r\n\r\n")
		e.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
		e.want(200, "")
		before := o.received()
		if strings.Count(before, "Host:") != 1 || !strings.Contains(before, "\r\nHost: a.example\r\n") {
			t.Errorf("Host %s: arrived %q", c.host, before)
		}
		e.send("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
		e.want(403, "host_mismatch")
		if ds := w.journal.decisions(); len(ds) != 2 || o.received() != before {
			t.Errorf("Host %s: arrived %q, %+v", c.host, o.received(), ds)
		}

		w = newWorld(t, nil)
		o = w.origin("8.8.8.8:443", echo)
		e = w.exchange("CONNECT a.example:443 HTTP/1.1\r\nHost: " + c.host + "\r\n\r\n")
		e.until("\r\n\r\n")
		hello := string(helloFor(t, "a.example"))
		e.send(hello)
		e.until(hello)
		if r := w.wantOne(rules.Allow, rules.ReasonNone); o.received() != hello || r.a.HostIgnored != c.ignored || r.a.Authority.String() != "a.example" {
			t.Errorf("Host %s: %+v, arrived %q", c.host, r.a, o.received())
		}
	}
}
