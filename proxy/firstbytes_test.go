// First bytes tests: ports on which either side may send first, and HTTP inside tunnels.

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

// On other ports the server may send first. The client's first bytes are still judged.
func TestServerSpeaksFirst(t *testing.T) {
	t.Parallel()
	sendGreeting := func(conn *net.TCPConn, r io.Reader) {
		io.WriteString(conn, "220 hello\r\n")
		io.Copy(conn, r)
	}
	hello := string(helloFor(t, "evil.example"))
	for _, c := range []struct {
		name, first string
		reason      rules.Reason
		shown       rules.Shown
	}{
		{"text", "EHLO client\r\n", rules.ReasonNone, rules.ShownOpaque},
		{"binary", "\x00\x01\x02", rules.ReasonNone, rules.ShownOpaque},
		{"hello for another name", hello, rules.SNIMismatch, rules.ShownTLS},
		{"such a hello in records of version 2.0", "\x16\x02\x00" + hello[3:], rules.MalformedRequest, rules.Unseen},
		{"such a request after an empty line", "\r\nGET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", rules.MalformedRequest, rules.ShownHTTP},
		{"such a request with bare line feeds", "GET / HTTP/1.1\nHost: evil.example\n\n", rules.MalformedRequest, rules.ShownHTTP},
		{"request for another host", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", rules.HostMismatch, rules.ShownHTTP},
		{"request for this host", "GET / HTTP/1.1\r\nHost: a.example:5000\r\n\r\n", rules.ReasonNone, rules.ShownHTTP},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			o := w.origin("8.8.8.8:5000", sendGreeting)
			conn, r := w.tunnelTo("a.example:5000", "")
			if _, err := io.ReadFull(r, make([]byte, 11)); err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, c.first)
			if c.reason == rules.ReasonNone {
				if _, err := io.ReadFull(r, make([]byte, len(c.first))); err != nil {
					t.Error(err)
				}
				if got := w.wantOne(rules.Allow, c.reason); got.a.Shown != c.shown {
					t.Errorf("shown %v", got.a.Shown)
				}
				conn.CloseWrite()
				io.Copy(io.Discard, r)
				if got := w.wantClosed(); got.Cause != rules.EndClean {
					t.Errorf("cause %q", got.Cause)
				}
				return
			}
			io.Copy(io.Discard, r)
			w.wantOne(rules.Deny, c.reason)
			w.idle()
			if o.received() != "" {
				t.Errorf("origin got %q", o.received())
			}
		})
	}
}

// A client that only listens is one allowed flow with one decision.
func TestSilentClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.origin("8.8.8.8:5000", func(conn *net.TCPConn, r io.Reader) {
		io.WriteString(conn, "news")
		io.Copy(io.Discard, r)
		io.WriteString(conn, ", and more")
	})
	conn, r := w.tunnelTo("a.example:5000", "")
	io.ReadFull(r, make([]byte, 4))
	conn.CloseWrite()
	if got, err := io.ReadAll(r); string(got) != ", and more" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got := w.wantOne(rules.Allow, rules.ReasonNone); got.a.Shown != rules.ShownSilent {
		t.Errorf("shown %v", got.a.Shown)
	}
	if got := w.wantClosed(); got.BytesOut != 14 || got.Cause != rules.EndClean {
		t.Errorf("closed %+v", got)
	}
}

// If the rule has any = true, no first bytes are awaited, on any port.
func TestAnyAwaitsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, impatient)
	w.origin("8.8.8.7:443", func(conn *net.TCPConn, r io.Reader) {
		io.WriteString(conn, "hello, who is there?")
		io.Copy(io.Discard, r)
	})
	conn, r := w.tunnelTo("8.8.8.7:443", "")
	if _, err := io.ReadFull(r, make([]byte, 20)); err != nil {
		t.Error(err)
	}
	conn.Close()
	w.wantOne(rules.Allow, rules.ReasonNone)
}

// HTTP inside a tunnel is decided request by request.
func TestRequestsInsideTunnel(t *testing.T) {
	t.Parallel()
	for _, port := range []string{"80", "5000"} {
		w := newWorld(t, nil)
		o := w.origin("8.8.8.8:"+port, func(conn *net.TCPConn, r io.Reader) {
			br := bufio.NewReader(r)
			for {
				if _, err := http.ReadRequest(br); err != nil {
					return
				}
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		})
		host := "a.example"
		if port != "80" {
			host += ":" + port
		}
		conn, r := w.tunnelTo("a.example:"+port, "")
		fmt.Fprintf(conn, "GET /1 HTTP/1.1\r\nHost: %s\r\n\r\n", host)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("port %s: %v, %v", port, resp, err)
		}
		io.Copy(io.Discard, resp.Body)
		fmt.Fprintf(conn, "GET /2 HTTP/1.1\r\nHost: evil.example\r\n\r\n")
		resp, err = http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != 403 || resp.Header.Get("X-Sallyport-Reason") != "host_mismatch" {
			t.Fatalf("port %s: %v, %v", port, resp, err)
		}
		w.idle()
		ds := w.journal.decisions()
		if len(ds) != 2 || !ds[0].d.Allowed() || ds[1].d.Why() != rules.HostMismatch {
			t.Errorf("port %s: decisions %+v", port, ds)
		}
		if strings.Contains(o.received(), "evil") || !strings.Contains(o.received(), "GET /1 ") {
			t.Errorf("port %s: origin got %q", port, o.received())
		}
	}
}

func TestPort80IsHTTPOnly(t *testing.T) {
	t.Parallel()
	for _, first := range []string{string(helloFor(t, "a.example")), "SSH-2.0-x\r\n", "\x00\x01"} {
		w := newWorld(t, nil)
		o := w.origin("8.8.8.8:80", nil)
		conn, r := w.tunnelTo("a.example:80", "")
		io.WriteString(conn, first)
		io.Copy(io.Discard, r)
		conn.Close() // otherwise the proxy waits before it closes
		w.wantOne(rules.Deny, rules.NotHTTP)
		w.idle()
		if o.received() != "" {
			t.Errorf("origin got %q", o.received())
		}
	}
}
