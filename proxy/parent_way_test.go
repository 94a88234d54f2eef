// Tests of the way of a request: after a reload, for WebSocket, and for datagrams.

package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// A reload changes the way of the next request on a kept connection: another parent, another login,
// none.
func TestReloadChangesTheWayOfKeptConnections(t *testing.T) {
	t.Parallel()
	const second = "10.9.9.8:3128"
	for _, c := range []struct{ what, keys, at, line string }{
		{"another parent", strings.ReplaceAll(parentKeys, parentAt, second), second, "GET http://a.example/2 "},
		{"no parent", "", "8.8.8.8:80", "GET /2 "},
		{"direct", parentKeys + "direct = [\"a.example\"]\n", "8.8.8.8:80", "GET /2 "},
		{"another login", strings.ReplaceAll(parentKeys, "auth_file = \"login\"\n", ""), parentAt, "GET http://a.example/2 "},
	} {
		w, first := parentWorld(t, "", fetching("200 OK"))
		other := first
		if c.at != parentAt {
			other = w.origin(c.at, fetching("200 OK"))
		}
		conn := w.dial(w.http)
		r := bufio.NewReader(conn)
		for i := 1; i <= 2; i++ {
			fmt.Fprintf(conn, "GET http://a.example/%d HTTP/1.1\r\nHost: a.example\r\n\r\n", i)
			resp, err := http.ReadResponse(r, nil)
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("%s: %v %v", c.what, resp, err)
			}
			io.Copy(io.Discard, resp.Body)
			if i == 1 {
				w.parented(c.keys)
				w.p.Recheck()
			}
		}
		if c.at != parentAt && strings.Contains(first.received(), "/2 ") {
			t.Errorf("%s: the parent of before got %q", c.what, first.received())
		}
		if _, last, _ := strings.Cut(other.received(), c.line); last == "" || strings.Contains(last, parentLogin) != (c.what == "another parent") {
			t.Errorf("%s: the other end got %q", c.what, other.received())
		}
	}
}

// A reload takes the permission away while the parent still thinks about the CONNECT: the client
// gets no tunnel, and the parent no byte.
func TestReloadWhileTheParentThinks(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan bool), make(chan bool)
	w, parent := parentWorld(t, "", func(conn *net.TCPConn, r io.Reader) {
		r.Read(make([]byte, 1024))
		asked <- true
		<-answer
		io.WriteString(conn, accepted)
		io.Copy(io.Discard, r)
	})
	go func() {
		<-asked
		w.parentedWith(parentKeys, strings.ReplaceAll(worldConfig, `"a.example", `, ""))
		w.p.Recheck()
		answer <- true
	}()
	conn, resp, _ := w.connectTo("a.example:443", string(helloFor(t, "a.example")))
	if resp.StatusCode != 403 {
		t.Errorf("%s", resp.Status)
	}
	conn.Close()
	w.wantOne(rules.Deny, rules.NotListed)
	if _, rest, _ := strings.Cut(parent.received(), "\r\n\r\n"); rest != "" {
		t.Errorf("the parent got %q", rest)
	}
}

// WebSocket needs a connection to the destination itself: by CONNECT, also if the connection before
// was one for absolute-form.
func TestUpgradeThroughParent(t *testing.T) {
	t.Parallel()
	w, parent := parentWorld(t, "", func(conn *net.TCPConn, r io.Reader) {
		b := bufio.NewReader(r)
		for {
			req, err := http.ReadRequest(b)
			if err != nil {
				return
			}
			switch {
			case req.Method == http.MethodConnect:
				io.WriteString(conn, accepted)
			case req.Header.Get("Upgrade") != "":
				fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", acceptOf(req.Header.Get("Sec-WebSocket-Key")))
				io.Copy(conn, b)
			default:
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		}
	})
	conn := w.dial(w.http)
	r := bufio.NewReader(conn)
	io.WriteString(conn, "GET http://a.example/first HTTP/1.1\r\nHost: a.example\r\n\r\n")
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	io.WriteString(conn, "GET http://a.example/chat HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	const frame = "\x81\x82abcd\x00\x00"
	io.WriteString(conn, frame)
	back := make([]byte, len(frame))
	if _, err := io.ReadFull(r, back); err != nil || string(back) != frame {
		t.Errorf("came back %q, %v", back, err)
	}
	got := parent.received()
	if !strings.HasPrefix(got, "GET http://a.example/first ") || !strings.Contains(got, "CONNECT 8.8.8.8:80 ") || !strings.Contains(got, "GET /chat HTTP/1.1\r\n") || strings.Count(got, parentLogin) != 2 {
		t.Errorf("the parent got %q", got)
	}
}

// A datagram goes through no parent, and is resolved here whatever by says.
func TestDatagramsGoThroughNoParent(t *testing.T) {
	t.Parallel()
	w := newUDPWorld(t, nil)
	w.parentedWith(parentKeys+"by = \"name\"\n", udpConfig)
	o, c := w.origin("8.8.8.8:123"), w.associated()
	c.send(header("a.example", 123) + "what time?")
	if got, _ := w.receive(o); got != "what time?" {
		t.Errorf("origin got %q", got)
	}
	if a := w.wantOne(rules.Allow, rules.ReasonNone).a; a.Parent != nil || a.DialedBy() != "" {
		t.Errorf("recorded parent %v", a.Parent)
	}
}

// A first parent that is a black hole leaves half of the time for the next one, and is tried last
// after that.
func TestParentBlackHole(t *testing.T) {
	t.Parallel()
	const second = "10.9.9.8:3128"
	w := newWorld(t, func(c *Config) {
		connect := c.Connect
		c.Limits.Dial = 2 * time.Second
		c.Connect = func(ctx context.Context, to netip.AddrPort) (*net.TCPConn, error) {
			if to.String() == parentAt {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return connect(ctx, to)
		}
	})
	keys := strings.ReplaceAll(parentKeys, "url", "default = true\nurl")
	w.parented(keys + strings.NewReplacer("corporate", "spare", parentAt, second).Replace(keys))
	spare := w.origin(second, saying(accepted))
	for i, most := range []time.Duration{1800 * time.Millisecond, 900 * time.Millisecond} {
		started := time.Now()
		conn, _ := w.tunnelTo("a.example:443", "")
		conn.Close()
		if took := time.Since(started); took > most {
			t.Errorf("tunnel %d took %v", i+1, took)
		}
	}
	if n := strings.Count(spare.received(), "CONNECT 8.8.8.8:443 "); n != 2 {
		t.Errorf("the second parent was asked %d times", n)
	}
	if s := w.p.Parents()[0]; s.Name != "corporate" || s.Failed[rules.ParentTimedOut] != 1 || s.Connected != 0 {
		t.Errorf("%+v", s)
	}
}
