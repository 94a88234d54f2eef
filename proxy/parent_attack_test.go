// Attacks on parents and by parents: a client that wants to use or to see the parent, and a parent
// that lies.

package proxy

import (
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// Fields about proxies never reach the parent, in no spelling, whatever form the request has.
func TestClientsProxyFieldsStayHere(t *testing.T) {
	t.Parallel()
	fields := "Proxy-Authorization: Basic bWU6bWluZQ==\r\nProxy_Authorization: bWU6bWluZQ==\r\n" +
		"Proxy-Connection: keep-alive\r\nPROXY-SECRET: bWU6bWluZQ==\r\nProxy-Authenticate: bWU6bWluZQ==\r\nX-Mine: bWU6bWluZQ==\r\nConnection: X-Mine\r\n\r\n"
	for _, c := range []struct{ what, send, asked string }{
		{"CONNECT", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n" + fields, "CONNECT 8.8.8.8:443 "},
		{"absolute-form", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n" + fields, "GET http://a.example/ "},
		{"a body with trailers", "POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nTrailer: Proxy-Authorization\r\nTransfer-Encoding: chunked\r\n" +
			strings.TrimSuffix(fields, "\r\n") + "\r\n1\r\nx\r\n0\r\nProxy-Authorization: Basic bWU6bWluZQ==\r\n\r\n", "POST http://a.example/ "},
		{"inside a tunnel", "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\nGET /in HTTP/1.1\r\nHost: a.example\r\n" + fields, "CONNECT 8.8.8.8:80 "},
	} {
		serve := fetching("200 OK")
		if c.what == "inside a tunnel" {
			serve = saying(accepted) // without a body, which would come before the request
		}
		w, parent := parentWorld(t, "", serve)
		conn := w.dial(w.http)
		io.WriteString(conn, c.send)
		w.eventually(c.what, func() bool { return strings.Contains(parent.received(), "\r\n\r\n") })
		if c.what == "inside a tunnel" {
			w.eventually("the request", func() bool { return strings.Contains(parent.received(), "/in HTTP/1.1\r\n") })
		}
		time.Sleep(20 * time.Millisecond)
		got := parent.received()
		if strings.Contains(got, "bWU6bWluZQ") || strings.Contains(strings.ToLower(got), "proxy-connection") || !strings.HasPrefix(got, c.asked) || strings.Count(got, "roxy") != 1 {
			t.Errorf("%s: the parent got %q", c.what, got)
		}
		conn.Close()
	}
}

// A parent answers 200 to everything, sends bytes before it is asked for them, or closes: the
// client's bytes are judged all the same, and no byte of the parent comes before.
func TestParentThatSaysYes(t *testing.T) {
	t.Parallel()
	smuggled := accepted + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nLEAK!"
	for _, c := range []struct {
		what, answer, send, want string
		reason                   rules.Reason
	}{
		{"bytes behind the answer, before a forbidden hello", smuggled, string(helloFor(t, "evil.example")), alert, rules.SNIMismatch},
		{"bytes behind the answer, before another protocol", smuggled, "SSH-2.0-x\r\n", "", rules.NotTLS},
		{"a chunked answer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nLEAK!\r\n0\r\n\r\n", string(helloFor(t, "evil.example")), alert, rules.SNIMismatch},
		{"a page as answer", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nLEAK!", string(helloFor(t, "evil.example")), alert, rules.SNIMismatch},
	} {
		w, parent := parentWorld(t, "", saying(c.answer))
		conn, r := w.tunnelTo("a.example:443", "")
		conn.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
		if b, err := r.Peek(1); err == nil {
			t.Errorf("%s: the client gets %q before it has sent a byte", c.what, b)
		}
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(conn, c.send)
		if got, _ := io.ReadAll(r); string(got) != c.want {
			t.Errorf("%s: the client got %q, want %q", c.what, got, c.want)
		}
		w.wantOne(rules.Deny, c.reason)
		if _, rest, _ := strings.Cut(parent.received(), "\r\n\r\n"); rest != "" {
			t.Errorf("%s: the parent got %q", c.what, rest)
		}
	}
}

// The environment names no parent, and takes none away.
func TestParentsIgnoreTheEnvironment(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, "http://sally:hunter2@10.66.66.66:3128")
	}
	t.Setenv("NO_PROXY", "*")
	w, parent := parentWorld(t, "", fetching("200 OK"))
	if resp, _ := w.get("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"); resp.StatusCode != 200 || !strings.HasPrefix(parent.received(), "GET http://a.example/ ") {
		t.Errorf("%s, the parent got %q", resp.Status, parent.received())
	}
	w.onlyTo(parentAt)
	w = newWorld(t, nil)
	o := w.origin("8.8.8.8:80", answering(okAnswer))
	if resp, _ := w.get("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"); resp.StatusCode != 200 || !strings.HasPrefix(o.received(), "GET / ") {
		t.Errorf("without a parent: %s, the origin got %q", resp.Status, o.received())
	}
}

// by = "name" leaves the guard of names to the parent, and nothing else: an address is judged here.
func TestByNameKeepsTheGuardOfAddresses(t *testing.T) {
	t.Parallel()
	w := newRedirectWorld(t, nil)
	w.parented(parentKeys + "by = \"name\"\n")
	parent := w.origin(parentAt, saying(accepted))
	for _, c := range []struct {
		to     string
		reason rules.Reason
	}{
		{"169.254.169.254:80", rules.IPLiteral}, {"127.0.0.1:443", rules.IPLiteral}, {"[::1]:443", rules.IPLiteral}, {"10.9.9.9:443", rules.IPLiteral},
	} {
		before := len(w.journal.decisions())
		if _, resp, _ := w.connectTo(c.to, ""); resp.StatusCode != 403 {
			t.Errorf("%s: %s", c.to, resp.Status)
		}
		if got := w.journal.decisions(); len(got) != before+1 || got[before].d.Why() != c.reason {
			t.Errorf("%s: %v", c.to, got[before:])
		}
	}
	if len(w.dialed()) > 0 || len(w.lookedUp()) > 0 || parent.received() != "" {
		t.Errorf("dialed %v, looked up %v", w.dialed(), w.lookedUp())
	}
}

// A request in absolute-form that passed through us before ends here, and the parent gets nothing
// more.
func TestParentLoopInAbsoluteForm(t *testing.T) {
	t.Parallel()
	w, parent := parentWorld(t, "", fetching("200 OK"))
	resp, _ := w.get("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nVia: 1.0 first, 1.1 " + w.p.engine.pseudonym() + ", 1.1 corporate (squid)\r\n\r\n")
	if resp.StatusCode != 403 || parent.received() != "" {
		t.Errorf("%s, the parent got %q", resp.Status, parent.received())
	}
	w.wantOne(rules.Deny, rules.Self)
}

// A parent that has a name is no destination from the start on, also by its address, and also for
// flows that no parent carries.
func TestParentWithANameIsNoDestination(t *testing.T) {
	t.Parallel()
	for _, keys := range []string{"", "direct = [\"8.0.0.0/8\"]\n", "by = \"name\"\n"} {
		w := newWorld(t, nil)
		w.parentedWith(strings.ReplaceAll(parentKeys, parentAt, "proxy.b.example:5000")+keys, strings.ReplaceAll(worldConfig, `"8.8.8.9"`, `"8.8.8.9", "8.8.8.0/24"`))
		w.names["proxy.b.example"] = []netip.Addr{netip.MustParseAddr("8.8.8.6")}
		w.names["b.example"] = w.names["proxy.b.example"]
		o := w.origin("8.8.8.6:5000", saying(accepted))
		w.own.Found.Remember(mustParse(t, "proxy.b.example"), w.names["proxy.b.example"], time.Now())
		for _, to := range []string{"8.8.8.6:5000", "b.example:5000", "proxy.b.example:5000"} {
			if keys == "by = \"name\"\n" && to == "b.example:5000" {
				continue // the parent resolves it
			}
			before := len(w.journal.decisions())
			if _, resp, _ := w.connectTo(to, ""); resp.StatusCode != 403 {
				t.Errorf("%q: %s: %s", keys, to, resp.Status)
			}
			if got := w.journal.decisions(); len(got) != before+1 || got[before].d.Why() != rules.Self {
				t.Errorf("%q: %s: %v", keys, to, got[before:])
			}
		}
		if len(w.dialed()) > 0 || o.received() != "" {
			t.Errorf("%q: dialed %v", keys, w.dialed())
		}
	}
}
