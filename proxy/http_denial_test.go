// Tests of denied plain HTTP: what the client gets, and what is recorded.

package proxy

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"sallyport/rules"
)

// A denied request is answered and recorded once. Nothing else happens: no look-up, no
// connection, and pipelined requests after it are not read.
func TestRequestDenied(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, text string
		status     int
		reason     rules.Reason
	}{
		{"not listed", "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, rules.NotListed},
		{"below a listed name", "GET http://x.a.example/ HTTP/1.1\r\nHost: x.a.example\r\n\r\n", 403, rules.NotListed},
		{"port", "GET http://a.example:81/ HTTP/1.1\r\nHost: a.example:81\r\n\r\n", 403, rules.PortNotListed},
		{"port that carries TLS", "GET http://a.example:443/ HTTP/1.1\r\nHost: a.example:443\r\n\r\n", 403, rules.NotTLS},
		{"Host of a permitted name", "GET http://evil.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", 403, rules.NotListed},
		{"malformed Host", "GET http://a.example/ HTTP/1.1\r\nHost: a..example\r\n\r\n", 400, rules.MalformedName},
		{"Host with a path", "GET http://a.example/ HTTP/1.1\r\nHost: evil.example/x\r\n\r\n", 400, rules.MalformedRequest},
		{"two Hosts that differ", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nHost: evil.example\r\n\r\n", 400, rules.MalformedRequest},
		{"address", "GET http://8.8.8.8/ HTTP/1.1\r\nHost: 8.8.8.8\r\n\r\n", 403, rules.IPLiteral},
		{"mapped loopback", "GET http://[::ffff:127.0.0.1]:9180/ HTTP/1.1\r\nHost: [::ffff:127.0.0.1]:9180\r\n\r\n", 403, rules.Self},
		{"our own listener", "GET http://127.0.0.1:9180/ HTTP/1.1\r\nHost: 127.0.0.1:9180\r\n\r\n", 403, rules.Self},
		{"with a body", "POST http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 5\r\n\r\nhello", 403, rules.NotListed},
		{"name with a NUL", "GET http://evil.example\x00.a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, rules.MalformedRequest},
		{"bad name", "GET http://a..example/ HTTP/1.1\r\nHost: a..example\r\n\r\n", 400, rules.MalformedName},
		{"two Hosts", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n", 400, rules.MalformedRequest},
		{"CL and TE", "POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, rules.MalformedRequest},
		{"chunked in HTTP/1.0", "POST http://a.example/ HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, rules.MalformedRequest},
		{"bare LF", "GET http://a.example/ HTTP/1.1\nHost: a.example\n\n", 400, rules.MalformedRequest},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, rules.MalformedRequest},
		{"origin-form", "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, rules.MalformedRequest},
		{"asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, rules.MalformedRequest},
		{"https", "GET https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, rules.MalformedRequest},
		{"trace", "trace http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, rules.MalformedRequest},
		{"too long", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", 431, rules.SniffTooLong},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			o := w.origin("8.8.8.8:80", answering(okAnswer))
			e := &exchange{w: w, conn: w.dial(w.http)}
			e.r = bufio.NewReader(e.conn)
			// A refusal can come before everything is sent; the rest of the write may then
			// fail.
			go io.WriteString(e.conn, c.text+"GET http://a.example/smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n")
			resp, body := e.want(c.status, c.reason.String())
			if !resp.Close || !strings.Contains(body, c.reason.String()) || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
				t.Errorf("close %v, %q, %v", resp.Close, body, resp.Header)
			}
			e.conn.CloseWrite()
			if rest, _ := io.ReadAll(e.r); len(rest) > 0 {
				t.Errorf("%q after the refusal", rest)
			}
			w.wantOne(rules.Deny, c.reason)
			if len(w.dialed()) > 0 || len(w.lookedUp()) > 0 || o.received() != "" {
				t.Errorf("dialed %v, looked up %v, arrived %q", w.dialed(), w.lookedUp(), o.received())
			}
		})
	}
}

// The recorder of TestRequestDenied would have seen a request.
func TestRequestRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:80", answering(okAnswer))
	w.exchange("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n").want(200, "")
	if len(w.dialed()) != 1 || len(w.lookedUp()) != 1 || o.received() == "" {
		t.Errorf("dialed %v, looked up %v, arrived %q", w.dialed(), w.lookedUp(), o.received())
	}
}

// A denial reaches a client that goes on sending: a close over unread bytes would reset the
// connection and destroy the answer.
func TestDenialOutlivesBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.exchange("POST http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 200000\r\n\r\n")
	w.wantOne(rules.Deny, rules.NotListed)
	for range 200 {
		if _, err := e.conn.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	e.want(403, "not_listed")
	e.conn.CloseWrite()
	e.wantEnd()
}

// A denial names the destination and the reason, in the form that the client wants. HEAD gets no
// body.
func TestDenialForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.exchange("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nAccept: application/json\r\n\r\n")
	resp, body := e.want(403, "not_listed")
	if resp.Header.Get("Content-Type") != "application/json" || !strings.Contains(body, `"reason":"not_listed"`) || !strings.Contains(body, `"hint":`) {
		t.Errorf("%v %s", resp.Header, body)
	}
	e = w.exchange("HEAD http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n")
	if resp, _ := e.answer("HEAD"); resp.StatusCode != 403 {
		t.Error(resp.Status)
	}
	e.wantEnd()
	e = w.exchange("GET / HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n")
	if _, body := e.want(400, "malformed_request"); !strings.Contains(body, "This is a proxy") {
		t.Error(body)
	}
}

// A permitted name with private addresses is refused after the look-up, without a connection,
// and recorded once.
func TestRequestPrivateAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.exchange("GET http://inside.example/ HTTP/1.1\r\nHost: inside.example\r\n\r\n")
	if resp, _ := e.want(403, "private_address"); !resp.Close {
		t.Error("kept alive")
	}
	e.wantEnd()
	w.wantOne(rules.Deny, rules.PrivateAddress)
	if len(w.dialed()) > 0 || len(w.journal.closes()) > 0 {
		t.Errorf("dialed %v, closed %v", w.dialed(), w.journal.closes())
	}
}

// A denial by a documented rule names the document. The reason of a site's own rule stays
// inside.
func TestDenialNamesTheDocument(t *testing.T) {
	documented := &rules.Rule{Profile: "backup", ID: "licence", Section: "3", Document: &rules.Document{Title: "Ports of Backup 7", Version: "7.2"}, Origin: "profile revision 0123456789ab"}
	for _, c := range []struct {
		nearest    *rules.Rule
		json, text string
	}{
		{documented, `"source":"Ports of Backup 7, version 7.2, section 3; profile revision 0123456789ab"`, "\nsource: Ports of Backup 7, version 7.2, section 3; profile revision 0123456789ab\n"},
		{&rules.Rule{Profile: rules.SiteProfile, ID: "wsus", Reason: "TICKET-4711"}, "", ""},
		{nil, "", ""},
	} {
		for asJSON, want := range map[bool]string{true: c.json, false: c.text} {
			var b strings.Builder
			d := rules.Decision{Reason: rules.PortNotListed, Nearest: c.nearest, Client: &rules.Client{Name: "c"}}
			if err := writeError(&b, 403, rules.Attempt{Proto: rules.TCP}, d, asJSON); err != nil {
				t.Fatal(err)
			}
			if got := b.String(); want != "" && !strings.Contains(got, want) || want == "" && (strings.Contains(got, "source") || strings.Contains(got, "TICKET")) {
				t.Errorf("%v: %q in\n%s", c.nearest, want, got)
			}
		}
	}
}
