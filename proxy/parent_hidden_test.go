// Tests of the login in what a parent sends back.

package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TRACE repeats the request with our login, if its last recipient is the parent.
func TestTraceAtTheParentKeepsOurLogin(t *testing.T) {
	t.Parallel()
	w, parent := parentWorld(t, "", func(conn *net.TCPConn, r io.Reader) {
		head := make([]byte, 4096)
		n, _ := r.Read(head)
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: message/http\r\nContent-Length: %d\r\n\r\n%s", n, head[:n])
	})
	resp, body := w.get("TRACE http://a.example/ HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 1\r\n\r\n")
	if resp.StatusCode != 200 || !strings.Contains(parent.received(), parentLogin) || !strings.Contains(body, "Proxy-Authorization: Basic ****") || strings.Contains(body, "c2FsbHk6") {
		t.Errorf("%s: %q", resp.Status, body)
	}
}

// A parent's error page repeats the request with our login, as Squid's did: the client sees none of
// it, in fields and body, in one piece or byte by byte, and every length fits.
func TestParentsErrorPageKeepsOurLogin(t *testing.T) {
	t.Parallel()
	page := "<a href=\"mailto:admin?body=Proxy-Authorization%3A%20Basic%20" + strings.ReplaceAll(parentLogin, "=", "%3D") + "\">or Basic " + parentLogin + " sally:hunter2 c2Fs</a>"
	for _, c := range []struct {
		what, head string
		piece      int
	}{
		{"one piece", fmt.Sprintf("HTTP/1.1 403 Forbidden\r\nX-Request: Basic %s\r\nContent-Length: %d\r\n\r\n", parentLogin, len(page)), len(page)},
		{"byte by byte", fmt.Sprintf("HTTP/1.1 503 Service Unavailable\r\nX-Request: Basic %s\r\nContent-Length: %d\r\n\r\n", parentLogin, len(page)), 1},
		{"chunked", "HTTP/1.1 302 Found\r\nX-Request: Basic " + parentLogin + "\r\nLocation: http://help.corp.example/?" + parentLogin + "\r\nTransfer-Encoding: chunked\r\n\r\n", 7},
	} {
		w, _ := parentWorld(t, "", func(conn *net.TCPConn, r io.Reader) {
			if _, err := http.ReadRequest(bufio.NewReader(r)); err != nil {
				return
			}
			io.WriteString(conn, c.head)
			for rest := page; rest != ""; {
				n := min(c.piece, len(rest))
				if strings.HasSuffix(c.head, "chunked\r\n\r\n") {
					fmt.Fprintf(conn, "%x\r\n%s\r\n", n, rest[:n])
				} else {
					io.WriteString(conn, rest[:n])
				}
				rest = rest[n:]
			}
			if strings.HasSuffix(c.head, "chunked\r\n\r\n") {
				io.WriteString(conn, "0\r\n\r\n")
			}
			io.Copy(io.Discard, r)
		})
		resp, body := w.get("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
		want := strings.NewReplacer(strings.TrimRight(parentLogin, "="), strings.Repeat("*", len(parentLogin)-2), "sally:hunter2", strings.Repeat("*", 13)).Replace(page)
		if body != want || len(body) != len(page) {
			t.Errorf("%s: the client got %q, want %q", c.what, body, want)
		}
		if text := fmt.Sprint(resp.Header); strings.Contains(text, "c2FsbHk6") || !strings.Contains(text, "*****") {
			t.Errorf("%s: fields %s", c.what, text)
		}
	}
}
