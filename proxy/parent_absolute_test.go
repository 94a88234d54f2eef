// Tests of plain HTTP through a parent: absolute-form with our login, never the client's.

package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"sallyport/rules"
)

// fetching returns a parent that answers each request in absolute-form with its target.
func fetching(status string) func(*net.TCPConn, io.Reader) {
	return func(conn *net.TCPConn, r io.Reader) {
		b := bufio.NewReader(r)
		for {
			req, err := http.ReadRequest(b)
			if err != nil {
				return
			}
			io.Copy(io.Discard, req.Body)
			fmt.Fprintf(conn, "HTTP/1.1 %s\r\nProxy-Authenticate: Basic\r\nContent-Length: %d\r\n\r\n%s", status, len(req.RequestURI), req.RequestURI)
		}
	}
}

func TestAbsoluteFormThroughParent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, keys, request, line, host, by string }{
		{"a path and a query", "", "GET http://a.example/b%2fc?d=e%20f HTTP/1.1\r\nHost: a.example\r\n", "GET http://a.example/b%2fc?d=e%20f HTTP/1.1", "a.example", "name"},
		{"no path", "", "GET http://a.example HTTP/1.1\r\nHost: a.example\r\n", "GET http://a.example/ HTTP/1.1", "a.example", "name"},
		{"another port", "", "GET http://a.example:5000/ HTTP/1.1\r\nHost: a.example:5000\r\n", "GET http://a.example:5000/ HTTP/1.1", "a.example:5000", "name"},
		{"the Host is not the target", "", "GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n", "GET http://a.example/ HTTP/1.1", "a.example", "name"},
		{"an address", "", "GET http://8.8.8.9:5000/ HTTP/1.1\r\nHost: 8.8.8.9:5000\r\n", "GET http://8.8.8.9:5000/ HTTP/1.1", "8.8.8.9:5000", "address"},
		{"about the server", "", "OPTIONS http://a.example HTTP/1.1\r\nHost: a.example\r\n", "OPTIONS http://a.example HTTP/1.1", "a.example", "name"},
		{"by name", `by = "name"`, "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n", "GET http://a.example/ HTTP/1.1", "a.example", "name"},
		{"with fields for proxies", "", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nProxy-Authorization: Basic bWU6bWU=\r\nProxy-Connection: keep-alive\r\nX-Forwarded-For: 1.2.3.4\r\n", "GET http://a.example/ HTTP/1.1", "a.example", "name"},
	} {
		w, parent := parentWorld(t, c.keys, fetching("200 OK"))
		resp, _ := w.get(c.request + "\r\n")
		if resp.StatusCode != 200 || resp.Header.Get("Proxy-Authenticate") != "" {
			t.Errorf("%s: %s %v", c.what, resp.Status, resp.Header)
		}
		line, fields, _ := strings.Cut(parent.received(), "\r\n")
		if line != c.line {
			t.Errorf("%s: the parent got %q, want %q", c.what, line, c.line)
		}
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(parent.received())))
		if err != nil {
			t.Fatal(err)
		}
		if got := req.Header["Proxy-Authorization"]; len(got) != 1 || got[0] != "Basic "+parentLogin {
			t.Errorf("%s: login %q", c.what, got)
		}
		if strings.Contains(fields, "bWU6") || strings.Contains(fields, "Proxy-Connection") || strings.Contains(fields, "Forwarded") || !strings.HasPrefix(fields, "Host: "+c.host+"\r\n") {
			t.Errorf("%s: the parent got %q", c.what, fields)
		}
		got := w.wantOne(rules.Allow, rules.ReasonNone)
		if got.a.DialedBy() != c.by || got.a.Parent.Name != "corporate" {
			t.Errorf("%s: recorded %v, by %q", c.what, got.a.Parent, got.a.DialedBy())
		}
		w.onlyTo(parentAt)
		if looked := len(w.lookedUp()) > 0; looked && c.keys != "" {
			t.Errorf("%s: looked up %v", c.what, w.lookedUp())
		}
	}
}

// A name that resolves to private addresses only is denied, although the parent would resolve it
// again.
func TestAbsoluteFormKeepsTheGuard(t *testing.T) {
	t.Parallel()
	w, parent := parentWorld(t, "", fetching("200 OK"))
	if resp, _ := w.get("GET http://inside.example/ HTTP/1.1\r\nHost: inside.example\r\n\r\n"); resp.StatusCode != 403 || parent.received() != "" {
		t.Errorf("%s, the parent got %q", resp.Status, parent.received())
	}
	w.wantOne(rules.Deny, rules.PrivateAddress)
}

// Requests of one connection to several destinations: each has the right target, and the login
// never goes to a destination that is reached directly.
func TestAbsoluteFormBesideDirect(t *testing.T) {
	t.Parallel()
	w, parent := parentWorld(t, `direct = ["b.example"]`, fetching("200 OK"))
	direct := w.origin("8.8.8.6:80", answering(okAnswer))
	c := w.dial(w.http)
	r := bufio.NewReader(c)
	for _, host := range []string{"a.example", "b.example", "a.example", "b.example"} {
		fmt.Fprintf(c, "GET http://%s/x HTTP/1.1\r\nHost: %[1]s\r\n\r\n", host)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		io.Copy(io.Discard, resp.Body)
	}
	if got := parent.received(); strings.Count(got, "GET http://a.example/x HTTP/1.1\r\n") != 2 || strings.Contains(got, "b.example") {
		t.Errorf("the parent got %q", got)
	}
	if got := direct.received(); strings.Count(got, "GET /x HTTP/1.1\r\nHost: b.example\r\n") != 2 || strings.Contains(got, "Proxy-Authorization") || strings.Contains(got, "a.example") {
		t.Errorf("the direct destination got %q", got)
	}
}

// A body goes on as it arrives, and a POST is sent once.
func TestAbsoluteFormWithBody(t *testing.T) {
	t.Parallel()
	w, parent := parentWorld(t, "", fetching("201 Created"))
	resp, _ := w.get("POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
	if got := parent.received(); resp.StatusCode != 201 || strings.Count(got, "POST http://a.example/") != 1 || !strings.HasSuffix(got, "\r\n\r\n3\r\nabc\r\n0\r\n\r\n") {
		t.Errorf("%s, the parent got %q", resp.Status, got)
	}
}

// A 407 is about our login: the client must not see it as a question for its own. Any other
// answer may be the destination's, and goes on.
func TestAbsoluteFormFaults(t *testing.T) {
	t.Parallel()
	w, _ := parentWorld(t, "", fetching("407 Proxy Authentication Required"))
	resp, body := w.get("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
	if resp.StatusCode != 502 || resp.Header.Get("X-Sallyport-Fault") != "parent_auth" || resp.Header.Get("Proxy-Authenticate") != "" || strings.Contains(body, parentLogin) {
		t.Errorf("%s %v %q", resp.Status, resp.Header, body)
	}
	if end := w.wantClosed(); end.Cause != rules.ParentAuth {
		t.Errorf("the end is recorded as %v", end.Cause)
	}
	w, _ = parentWorld(t, "", fetching("403 Forbidden"))
	if resp, _ := w.get("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"); resp.StatusCode != 403 || resp.Header.Get("X-Sallyport-Fault") != "" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	w = newWorld(t, nil)
	w.parented(parentKeys)
	if resp, _ := w.get("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"); resp.StatusCode != 502 || resp.Header.Get("X-Sallyport-Fault") != "parent_unreachable" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
}

// A plain-HTTP request inside a tunnel went to the parent by CONNECT, and stays in origin-form.
func TestRequestInTunnelThroughParent(t *testing.T) {
	t.Parallel()
	w, parent := parentWorld(t, "", saying(accepted))
	conn, _ := w.tunnelTo("a.example:80", "")
	io.WriteString(conn, "GET /x HTTP/1.1\r\nHost: a.example\r\nProxy-Authorization: Basic bWU6bWU=\r\n\r\n")
	w.eventually("the request at the parent", func() bool { return strings.Contains(parent.received(), "GET /x HTTP/1.1\r\nHost: a.example\r\n") })
	if got := parent.received(); !strings.HasPrefix(got, "CONNECT 8.8.8.8:80 ") || strings.Contains(got, "bWU6") || strings.Count(got, parentLogin) != 1 {
		t.Errorf("the parent got %q", got)
	}
}
