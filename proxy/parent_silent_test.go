// Tests of a parent that says yes and then ends the connection without a byte.

package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"sallyport/rules"
)

// A parent that closes after its yes: the client sees the end, and the record has the parent, its
// fault and the cure. The parent is not blamed if a byte came back, if the client left first, or if
// the flow is not TLS, because only then a server must answer.
func TestParentThatClosesAfterYes(t *testing.T) {
	t.Parallel()
	const hint = "The parent proxy corporate reported a connection, which ended before the destination answered the ClientHello: ask its operator whether it lets this destination through. sallyport permits the destination."
	end := func(conn *net.TCPConn, r io.Reader) { conn.CloseWrite(); io.Copy(io.Discard, r) }
	reset := func(conn *net.TCPConn, _ io.Reader) { conn.SetLinger(0); conn.Close() }
	hello := string(helloFor(t, "a.example"))
	for _, c := range []struct {
		what, to, send string
		ends           func(*net.TCPConn, io.Reader) // after the answer
		leaves         bool                          // the client leaves first
		cause          rules.Cause
	}{
		{"an end at once", "a.example:443", hello, end, false, rules.ParentReply},
		{"a reset at once", "a.example:443", hello, reset, false, rules.ParentReply},
		{"an end after the hello", "a.example:443", hello, func(conn *net.TCPConn, r io.Reader) {
			r.Read(make([]byte, 1))
			end(conn, r)
		}, false, rules.ParentReply},
		{"a reset after the hello", "a.example:443", hello, func(conn *net.TCPConn, r io.Reader) {
			r.Read(make([]byte, 1))
			reset(conn, r)
		}, false, rules.ParentReply},
		{"TLS on another port", "a.example:5000", hello, func(conn *net.TCPConn, r io.Reader) {
			r.Read(make([]byte, 1))
			end(conn, r)
		}, false, rules.ParentReply},
		{"an alert of the destination", "a.example:443", hello, func(conn *net.TCPConn, r io.Reader) {
			io.WriteString(conn, "\x15\x03\x03\x00\x02\x02\x28")
			end(conn, r)
		}, false, rules.EndClean},
		{"a client that leaves first", "a.example:443", hello, func(conn *net.TCPConn, r io.Reader) { io.Copy(io.Discard, r) }, true, rules.EndClean},
		{"no TLS", "a.example:5000", "\x00\x01", func(conn *net.TCPConn, r io.Reader) {
			r.Read(make([]byte, 1))
			end(conn, r)
		}, false, rules.EndClean},
	} {
		w, _ := parentWorld(t, "", func(conn *net.TCPConn, r io.Reader) {
			b := bufio.NewReader(r)
			for line := ""; line != "\r\n"; line, _ = b.ReadString('\n') {
			}
			io.WriteString(conn, accepted)
			c.ends(conn, b)
		})
		conn, r := w.tunnelTo(c.to, "")
		io.WriteString(conn, c.send)
		if c.leaves {
			conn.CloseWrite()
		}
		if got, _ := io.ReadAll(r); len(got) > 0 && c.cause == rules.ParentReply {
			t.Errorf("%s: the client got %q", c.what, got)
		}
		conn.Close()
		closed := w.wantClosed()
		if closed.Cause != c.cause || closed.Attempt.Parent == nil || closed.Attempt.DialedBy() != "address" {
			t.Errorf("%s: the end: %v, %v", c.what, closed.Cause, closed.Attempt.Parent)
		}
		if blamed := c.cause == rules.ParentReply; blamed != (closed.Help == hint) || blamed && (closed.BytesOut != 0 || !strings.Contains(closed.Why, "parent corporate: parent_reply: the connection ended")) {
			t.Errorf("%s: %q, %q", c.what, closed.Why, closed.Help)
		}
		if failed := w.p.Parents()[0].Failed[rules.ParentReply]; (failed == 1) != (c.cause == rules.ParentReply) {
			t.Errorf("%s: %d failures are counted", c.what, failed)
		}
		w.onlyTo(parentAt)
	}
}

// The same without a parent blames nobody.
func TestDestinationThatClosesAfterTheHello(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.origin("8.8.8.8:443", func(_ *net.TCPConn, r io.Reader) { r.Read(make([]byte, 1024)) })
	conn, r := w.tunnelTo("a.example:443", "")
	conn.Write(helloFor(t, "a.example"))
	io.Copy(io.Discard, r)
	conn.Close()
	if end := w.wantClosed(); end.Cause.DialFault() != "" || end.Why != "" {
		t.Errorf("%v, %q", end.Cause, end.Why)
	}
}

// A plain request in a tunnel through a parent that closes: the page names the parent.
func TestParentThatClosesAfterARequest(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "POST"} {
		w, _ := parentWorld(t, "", func(conn *net.TCPConn, r io.Reader) {
			r.Read(make([]byte, 1024))
			io.WriteString(conn, accepted)
			r.Read(make([]byte, 1024))
		})
		conn, r := w.tunnelTo("a.example:80", "")
		fmt.Fprintf(conn, "%s / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n", method)
		page, _ := io.ReadAll(r)
		want := "The parent proxy corporate reported a connection, which ended before the destination answered."
		if !strings.Contains(string(page), want) || strings.Contains(string(page), "check that before you send it again") != (method == "POST") {
			t.Errorf("%s: %s", method, page)
		}
		conn.Close()
		if end := w.wantClosed(); end.Cause != rules.EndNoAnswer {
			t.Errorf("%s: %v", method, end.Cause)
		}
	}
}

// The name of a parent is looked up like a destination's: where DNSSEC must prove the answer, an
// unproven address is not used, and the cure says so.
func TestParentWithAnUnprovenName(t *testing.T) {
	t.Parallel()
	unproven := &UnprovenError{Why: "the zone of the name is not signed", Err: errors.New("dns bogus: the zone of the name is not signed")}
	w := newWorld(t, func(c *Config) {
		next := c.Lookup
		c.Lookup = lookupUnless("proxy.corp.example", unproven, next)
	})
	w.parented(strings.ReplaceAll(parentKeys, parentAt, "proxy.corp.example:3128"))
	status, fault, hint := w.refused("a.example:443")
	if status != 502 || fault != "parent_unreachable" || hint != "The parent proxy corporate has a name whose address DNSSEC does not prove, and [dns] dnssec demands that: write its address into url, or add its name to [hosts]." {
		t.Errorf("%d %s %s", status, fault, hint)
	}
	if end := w.wantClosed(); end.Cause != rules.ParentUnreachable || !strings.Contains(end.Why, "the zone of the name is not signed") {
		t.Errorf("%v, %q", end.Cause, end.Why)
	}
	if d := w.dialed(); len(d) > 0 {
		t.Errorf("connected to %v", d)
	}
}

// lookupUnless is next, except for one name.
func lookupUnless(name string, err error, next func(context.Context, *rules.Generation, rules.Name) ([]netip.Addr, error)) func(context.Context, *rules.Generation, rules.Name) ([]netip.Addr, error) {
	return func(ctx context.Context, g *rules.Generation, n rules.Name) ([]netip.Addr, error) {
		if n.String() == name {
			return nil, err
		}
		return next(ctx, g, n)
	}
}
