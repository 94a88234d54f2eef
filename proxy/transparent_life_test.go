// Redirected connections from accept to close: failures, silence, limits,
// drains and reloads.

package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// A destination that does not answer looks the same to the client, and the flow's end is
// recorded.
func TestRedirectedUpstreamFailure(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, nil)
	conn := b.to("8.8.8.1:443")
	conn.Write(helloFor(t, "gone.example"))
	b.wantEndOf(conn, endsReset, 0)
	if end := b.wantClosed(); end.Cause != rules.DialRefused {
		t.Errorf("closed %+v", end)
	}
	b = newRedirectWorld(t, func(c *Config) {
		c.Lookup = func(context.Context, *rules.Generation, rules.Name) ([]netip.Addr, error) {
			return nil, errors.New("SERVFAIL")
		}
	})
	conn = b.to("8.8.8.8:443")
	conn.Write(helloFor(t, "a.example"))
	b.wantEndOf(conn, endsReset, 0)
	if end := b.wantClosed(); end.Cause != rules.DialUnresolved {
		t.Errorf("closed %+v", end)
	}
	if len(b.dialed()) > 0 {
		t.Errorf("dialed %v", b.dialed())
	}
}

// A client that leaves a permitted destination without a byte is counted and not recorded. A
// drain ends the wait for first bytes.
func TestRedirectedSilence(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, nil)
	b.pin("8.8.8.8", "a.example")
	b.to("8.8.8.8:443").Close()
	b.eventually("an empty connection", func() bool { return b.p.Stats().Empty == 1 })
	waiting, begun := b.to("8.8.8.8:443"), b.to("8.8.8.8:443")
	begun.Write(helloFor(t, "a.example")[:50])
	b.eventually("two sniffers", func() bool { return b.p.Stats().Sniffing == 2 })
	b.eventually("the bytes of one", func() bool { return queued(t, begun) == 0 })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	b.p.grace = 20 * time.Millisecond
	if err := b.p.Drain(ctx); err != nil {
		t.Error(err)
	}
	io.Copy(io.Discard, waiting)
	io.Copy(io.Discard, begun)
	b.wantNoTrace()
	for _, r := range b.journal.decisions() {
		if r.d.Allowed() {
			t.Errorf("allowed %+v", r)
		}
	}
}

// If too many connections wait for their first bytes, the next flow is refused because of the
// limit. Its protocol does not matter.
func TestRedirectedSniffingLimit(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, func(c *Config) { c.Limits.Sniffing, c.Limits.Sniff = 1, time.Minute })
	first := b.to("8.8.8.8:443")
	b.eventually("a sniffer", func() bool { return b.p.Stats().Sniffing == 1 })
	b.wantEndOf(b.to("8.8.8.8:443"), endsReset, rules.Limit)
	b.wantOne(rules.Deny, rules.Limit)
	first.Close()
	b.idle()
	b.wantNoTrace()
}

// Bytes go both ways, and so does the half-close.
func TestRedirectedRelay(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, nil)
	b.origin("8.8.8.8:443", func(conn *net.TCPConn, r io.Reader) {
		n, _ := io.Copy(io.Discard, r)
		conn.Write(make([]byte, n))
	})
	sent := helloFor(t, "a.example")
	for len(sent) < 3<<20 {
		sent = append(sent, "\x17\x03\x03\x40\x00"+strings.Repeat("x", 16384)...)
	}
	conn := b.to(unlisted + ":443")
	conn.Write(sent)
	conn.CloseWrite()
	if n, err := io.Copy(io.Discard, conn); n != int64(len(sent)) || err != nil {
		t.Errorf("%d bytes back, %v", n, err)
	}
	if end := b.wantClosed(); end.Cause != rules.EndClean || end.BytesIn != end.BytesOut || end.BytesIn != uint64(len(sent)) {
		t.Errorf("closed %+v", end)
	}
}

// A reload that removes the name ends the flow.
func TestRedirectedRecheck(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, nil)
	b.pin("8.8.8.8", "a.example")
	b.origin("8.8.8.8:443", echo)
	b.origin("8.8.8.8:5000", echo)
	for _, c := range []struct{ dst, first string }{{"8.8.8.8:443", string(helloFor(t, "a.example"))}, {"8.8.8.8:5000", "\x00"}} {
		conn := b.to(c.dst)
		io.WriteString(conn, c.first)
		io.ReadFull(conn, make([]byte, len(c.first)))
	}
	if n := b.p.Recheck(); n != 0 {
		t.Errorf("%d flows closed under the same policy", n)
	}
	b.policy("[[client]]\nname = 'lab'\nsources = ['127.0.0.0/8']\nprofiles = []\n")
	if n := b.p.Recheck(); n != 2 {
		t.Errorf("%d flows closed, want 2", n)
	}
	b.idle()
}
