// Tests of TRACE, OPTIONS and Max-Forwards, from RFC 9110, sections 7.6.2, 9.3.7 and 9.3.8.

package proxy

import (
	"strings"
	"testing"

	"sallyport/rules"
)

// Each hop takes one from Max-Forwards of TRACE and OPTIONS. Other methods may ignore it.
func TestMaxForwards(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ method, value, arrives string }{
		{"TRACE", "1", "0"}, {"OPTIONS", "5", "4"}, {"OPTIONS", "010", "9"}, {"TRACE", "99999999999999999999999999", "1000"}, {"OPTIONS", "1001", "1000"},
		{"GET", "5", "5"}, {"GET", "0", "0"}, {"GET", "x", "x"}, {"POST", "1", "1"},
	} {
		for _, way := range plainWays[:2] {
			b := newRedirectWorld(t, nil)
			o := b.origin("8.8.8.8:80", answering(okAnswer))
			e := way.open(b)
			e.send(c.method + " " + way.prefix + "/ HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: " + c.value + "\r\n\r\n")
			e.want(200, "")
			if got := o.received(); !strings.HasPrefix(got, c.method+" / HTTP/1.1\r\n") || !strings.Contains(got, "\r\nMax-Forwards: "+c.arrives+"\r\n") || strings.Count(got, "Max-Forwards") != 1 {
				t.Errorf("%s %s, %s: arrived %q", c.method, c.value, way.name, got)
			}
			b.wantOne(rules.Allow, rules.ReasonNone)
		}
	}
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:80", answering(okAnswer))
	w.exchange("TRACE http://a.example/ HTTP/1.1\r\nHost: a.example\r\nProxy-Authorization: Basic x\r\n\r\n").want(200, "")
	if got := o.received(); !strings.HasPrefix(got, "TRACE / ") || strings.Contains(got, "Max-Forwards") || strings.Contains(got, "Proxy-") {
		t.Errorf("arrived %q", got)
	}
}

// A Max-Forwards that is no number, or is there twice, is refused.
func TestMaxForwardsMalformed(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"TRACE", "OPTIONS"} {
		for _, fields := range []string{"Max-Forwards: -1\r\n", "Max-Forwards: +1\r\n", "Max-Forwards: 1.0\r\n", "Max-Forwards:\r\n", "Max-Forwards: 1, 2\r\n",
			"Max-Forwards: 0x1\r\n", "Max-Forwards: 5\r\nmax-forwards: 0\r\n"} {
			w := newWorld(t, nil)
			o := w.origin("8.8.8.8:80", answering(okAnswer))
			w.exchange(method+" http://a.example/ HTTP/1.1\r\nHost: a.example\r\n"+fields+"\r\n").want(400, "malformed_request")
			if r := w.wantOne(rules.Deny, rules.MalformedRequest); o.received() != "" || r.a.Detail != "broken or repeated Max-Forwards" {
				t.Errorf("%q: %s, arrived %q", fields, r.a.Detail, o.received())
			}
		}
	}
}

// With Max-Forwards 0 this proxy answers, and nothing is looked up or connected. A destination that
// is not permitted is denied all the same. A TRACE comes back without any field that may hold a
// credential.
func TestMaxForwardsZero(t *testing.T) {
	t.Parallel()
	secrets := "Authorization: Basic hunter2\r\nProxy-Authorization: Basic hunter2\r\nCookie: s=hunter2\r\nX-Api-Key: hunter2\r\nX_Token: hunter2\r\nReferer: http://hunter2/\r\nX-Forwarded-For: hunter2\r\n"
	for _, c := range []struct{ request, body, allow string }{
		{"TRACE %s/p?token=hunter2", "/p HTTP/1.1\r\nHost: a.example\r\nVia: 1.1 before\r\nMax-Forwards: 0\r\nUser-Agent: t\r\n\r\n", ""},
		{"OPTIONS %s/p?token=hunter2", "", forwarded},
	} {
		for _, way := range plainWays {
			if strings.Contains(way.name, "port") {
				continue
			}
			b := newRedirectWorld(t, nil)
			o := b.origin("8.8.8.8:80", answering(okAnswer))
			e := way.open(b)
			before := len(b.dialed())
			request := strings.Replace(c.request, "%s", way.prefix, 1) + " HTTP/1.1\r\nHost: a.example\r\nVia: 1.1 before\r\nUser-Agent: t\r\nMax-Forwards: 0\r\n" + secrets + "\r\n"
			for range 2 { // the connection stays
				e.send(request)
				resp, body := e.want(200, "")
				if !strings.HasSuffix(body, c.body) || strings.Contains(body, "hunter2") || (body == "") != (c.body == "") || resp.Header.Get("Allow") != c.allow || resp.Close {
					t.Errorf("%s, %s: %v %q", c.request, way.name, resp.Header, body)
				}
				if c.body != "" && (resp.Header.Get("Content-Type") != "message/http" || !strings.HasPrefix(body, "TRACE "+way.prefix+"/p ")) {
					t.Errorf("%v %q", resp.Header, body)
				}
			}
			if len(b.dialed()) != before || o.received() != "" {
				t.Errorf("dialed %v, arrived %q", b.dialed(), o.received())
			}
			e.conn.Close()
			b.idle()
			if ends := b.journal.closes(); way.name != "tunnel" && (len(ends) != 2 || ends[0].Cause != rules.EndClean || !ends[0].Decision.Allowed() || ends[0].Dialed.IsValid()) {
				t.Errorf("%s: ends %+v", way.name, ends)
			}
		}
	}
	w := newWorld(t, nil)
	w.exchange("TRACE http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nMax-Forwards: 0\r\n\r\n").want(403, "not_listed")
	w.wantOne(rules.Deny, rules.NotListed)
}

// A TRACE has no body, and has one spelling.
func TestTraceRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"TRACE http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi",
		"TRACE http://a.example/ HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"trace http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
	} {
		w := newWorld(t, nil)
		o := w.origin("8.8.8.8:80", answering(okAnswer))
		w.exchange(text).want(400, "malformed_request")
		if w.wantOne(rules.Deny, rules.MalformedRequest); o.received() != "" {
			t.Errorf("arrived %q", o.received())
		}
	}
}

// OPTIONS of an asterisk is about a web server: it is forwarded in a tunnel and on a redirected
// connection, and refused on the proxy's own listener (RFC 9112, section 3.2.4). Only OPTIONS has
// this form.
func TestOptionsAsterisk(t *testing.T) {
	t.Parallel()
	for _, way := range plainWays[1:] {
		if strings.Contains(way.name, "port") {
			continue
		}
		b := newRedirectWorld(t, nil)
		o := b.origin("8.8.8.8:80", answering(okAnswer))
		e := way.open(b)
		e.send("OPTIONS * HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 2\r\n\r\n")
		e.want(200, "")
		if got := o.received(); !strings.HasPrefix(got, "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n") || !strings.Contains(got, "\r\nMax-Forwards: 1\r\n") {
			t.Errorf("%s: arrived %q", way.name, got)
		}
		e.send("OPTIONS * HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 0\r\n\r\n")
		if resp, _ := e.want(200, ""); resp.Header.Get("Allow") == "" {
			t.Errorf("%v", resp.Header)
		}
		e.send("GET * HTTP/1.1\r\nHost: a.example\r\n\r\n")
		e.want(400, "malformed_request")
	}
	w := newWorld(t, nil)
	if _, body := w.exchange("OPTIONS * HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 0\r\n\r\n").want(400, "malformed_request"); !strings.Contains(body, "This is a proxy") {
		t.Error(body)
	}
	w.wantOne(rules.Deny, rules.MalformedRequest)
}
