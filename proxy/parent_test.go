// Tests of parents: what a parent sees, what it does not see, and what a client learns of its
// failures.

package proxy

import (
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

const accepted = "HTTP/1.1 200 Connection established\r\n\r\n"

// The parent is asked for the judged address, and sees no byte of the client before the client's
// hello is judged.
func TestConnectThroughParent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, keys, to, asked, by, dest string }{
		{"by address", "", "a.example:443", "8.8.8.8:443", "address", "8.8.8.8:443"},
		{"by name", `by = "name"`, "a.example:443", "a.example:443", "name", "invalid AddrPort"},
		{"an address, whatever by says", `by = "name"`, "8.8.8.9:443", "8.8.8.9:443", "address", "8.8.8.9:443"},
	} {
		w, parent := parentWorld(t, c.keys, saying(accepted))
		conn, _ := w.tunnelTo(c.to, "")
		asked := parent.received()
		head, rest, _ := strings.Cut(asked, "\r\n\r\n")
		want := "CONNECT " + c.asked + " HTTP/1.1\r\nHost: " + c.asked + "\r\nVia: 1.1 " + w.p.engine.pseudonym() + "\r\nProxy-Authorization: Basic " + parentLogin
		if head != want || rest != "" {
			t.Errorf("%s: the parent got %q, want %q", c.what, asked, want)
		}
		name := "a.example"
		if strings.HasPrefix(c.to, "8") {
			name = ""
		}
		hello := string(helloFor(t, name))
		io.WriteString(conn, hello)
		w.eventually("the hello at the parent", func() bool { return strings.HasSuffix(parent.received(), hello) })
		got := w.wantOne(rules.Allow, rules.ReasonNone)
		if got.a.Parent == nil || got.a.Parent.Name != "corporate" || got.a.DialedBy() != c.by {
			t.Errorf("%s: recorded parent %v, dialed by %q", c.what, got.a.Parent, got.a.DialedBy())
		}
		conn.Close()
		if end := w.wantClosed(); end.Attempt.DialedBy() != c.by || c.by == "address" && end.Dialed.String() != c.dest {
			t.Errorf("%s: the end has %v, by %q", c.what, end.Dialed, end.Attempt.DialedBy())
		}
		w.onlyTo(parentAt)
		if c.by == "name" && len(w.lookedUp()) > 0 {
			t.Errorf("%s: looked up %v", c.what, w.lookedUp())
		}
	}
}

// A denial comes first: the parent gets no packet.
func TestParentGetsNothingOfADenial(t *testing.T) {
	t.Parallel()
	for _, keys := range []string{"", `by = "name"`} {
		w, parent := parentWorld(t, keys, saying(accepted))
		for _, to := range []string{"evil.example:443", "a.example:22", parentAt, "8.8.8.8:443"} {
			if _, resp, _ := w.connectTo(to, ""); resp.StatusCode != 403 {
				t.Errorf("%s: %s", to, resp.Status)
			}
		}
		resp, _ := w.get("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n")
		if resp.StatusCode != 403 || len(w.dialed()) > 0 || parent.received() != "" {
			t.Errorf("%s, dialed %v, the parent got %q", resp.Status, w.dialed(), parent.received())
		}
	}
}

// Another name in the hello is denied, and the parent has seen the CONNECT alone.
func TestParentSeesNoDeniedHello(t *testing.T) {
	t.Parallel()
	w, parent := parentWorld(t, "", saying(accepted))
	conn, r := w.tunnelTo("a.example:443", "")
	conn.Write(helloFor(t, "evil.example"))
	if got, _ := io.ReadAll(r); string(got) != alert {
		t.Errorf("the client got %q, want an alert", got)
	}
	w.wantOne(rules.Deny, rules.SNIMismatch)
	if _, rest, _ := strings.Cut(parent.received(), "\r\n\r\n"); rest != "" {
		t.Errorf("the parent got %q after its CONNECT", rest)
	}
}

// The private-address guard is ours if the parent is asked for addresses.
func TestParentByAddressKeepsTheGuard(t *testing.T) {
	t.Parallel()
	w, parent := parentWorld(t, "", saying(accepted))
	if _, resp, _ := w.connectTo("inside.example:443", ""); resp.StatusCode != 403 {
		t.Error(resp.Status)
	}
	w.wantOne(rules.Deny, rules.PrivateAddress)
	if len(w.dialed()) > 0 || parent.received() != "" {
		t.Errorf("dialed %v", w.dialed())
	}
}

// Bytes right behind the head of the answer belong to the tunnel; no byte of the head does.
func TestBytesBehindTheParentsAnswer(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		accepted + "220 hello\r\n",
		"HTTP/1.0 200 OK\r\n\r\n220 hello\r\n",
		"HTTP/1.1 200 \r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n220 hello\r\n", // no body: RFC 9110, section 9.3.6
		"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 299 Fine\r\nX: " + strings.Repeat("y", 5000) + "\r\n\r\n220 hello\r\n",
	} {
		for _, piece := range []int{len(answer), 1} {
			w, _ := parentWorld(t, "", func(conn *net.TCPConn, r io.Reader) {
				r.Read(make([]byte, 1024))
				for b := answer; b != ""; b = b[min(piece, len(b)):] {
					io.WriteString(conn, b[:min(piece, len(b))])
				}
				io.Copy(io.Discard, r)
			})
			conn, r := w.tunnelTo("a.example:5000", "")
			if line, err := r.ReadString('\n'); line != "220 hello\r\n" {
				t.Errorf("%q in pieces of %d: the client got %q, %v", answer, piece, line, err)
			}
			conn.Close()
		}
	}
}

// Each failure of a parent has its name, its status and its cure, and ends the flow.
func TestParentFaults(t *testing.T) {
	t.Parallel()
	bad := "The parent proxy corporate does not answer as a proxy does: check protocol and port in url of its [[parent]]."
	for _, c := range []struct {
		what   string
		serve  func(*net.TCPConn, io.Reader)
		status int
		fault  string
		hint   string
	}{
		{"407", saying("HTTP/1.1 407 " + parentLogin + "\r\nProxy-Authenticate: Basic realm=\"" + parentLogin + "\"\r\n\r\n"), 502, "parent_auth",
			"The parent proxy corporate does not accept sallyport's login (407 Proxy Authentication Required): correct auth_file of its [[parent]]."},
		{"403", saying("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!"), 502, "parent_refused",
			"The parent proxy corporate refuses the destination (403 Forbidden): ask its operator to permit it. sallyport permits it."},
		{"502", saying("HTTP/1.1 502 Bad Gateway\r\n\r\n"), 502, "parent_refused", "The parent proxy corporate could not reach the destination (502 Bad Gateway)."},
		{"504", saying("HTTP/1.1 504 Gateway Timeout\r\n\r\n"), 504, "parent_timeout", "The parent proxy corporate reports that the destination does not answer in time (504 Gateway Timeout)."},
		{"silence", func(_ *net.TCPConn, r io.Reader) { io.Copy(io.Discard, r) }, 504, "parent_timeout", "The parent proxy corporate did not answer in time: it is overloaded, or a firewall is between."},
		{"a slow head", func(conn *net.TCPConn, r io.Reader) {
			for i := 0; i < 1000; i++ {
				if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nA: aaaaaaaaaaaaaaaaaaaaaaaaaaa"[min(i, 40):min(i, 40)+1]); err != nil {
					return
				}
				time.Sleep(30 * time.Millisecond)
			}
		}, 504, "parent_timeout", "The parent proxy corporate did not answer in time: it is overloaded, or a firewall is between."},
		{"an end", func(*net.TCPConn, io.Reader) {}, 502, "parent_reply", bad},
		{"garbage", saying("\x05\x00"), 502, "parent_reply", bad},
		{"another protocol", saying("SSH-2.0-OpenSSH_9.2\r\n"), 502, "parent_reply", bad},
		{"a status of four digits", saying("HTTP/1.1 2000 OK\r\n\r\n"), 502, "parent_reply", bad},
		{"no status", saying("HTTP/1.1 OK\r\n\r\n"), 502, "parent_reply", bad},
		{"HTTP/2", saying("HTTP/2 200 OK\r\n\r\n"), 502, "parent_reply", bad},
		{"a line without a colon", saying("HTTP/1.1 200 OK\r\nhello\r\n\r\n"), 502, "parent_reply", bad},
		{"a bare line feed in a line", saying("HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n"), 502, "parent_reply", bad},
		{"an upgrade", saying("HTTP/1.1 101 Switching Protocols\r\n\r\n"), 502, "parent_reply", bad},
		{"a head without end", saying("HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 4000)), 502, "parent_reply", bad},
		{"interim answers without end", saying(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20)), 502, "parent_reply", bad},
	} {
		w := newWorld(t, func(cfg *Config) { cfg.Limits.Dial = 700 * time.Millisecond })
		w.parented(parentKeys)
		parent := w.origin(parentAt, c.serve)
		status, fault, hint := w.refused("a.example:443")
		if status != c.status || fault != c.fault || hint != c.hint {
			t.Errorf("%s: %d %s %q, want %d %s %q", c.what, status, fault, hint, c.status, c.fault, c.hint)
		}
		if end := w.wantClosed(); end.Cause.DialFault() != c.fault || end.Attempt.Parent == nil || end.Attempt.DialedBy() != "address" {
			t.Errorf("%s: the end is recorded as %v, parent %v by %q", c.what, end.Cause, end.Attempt.Parent, end.Attempt.DialedBy())
		}
		if strings.Count(parent.received(), "CONNECT ") > 1 {
			t.Errorf("%s: asked again: %q", c.what, parent.received())
		}
		w.onlyTo(parentAt)
	}
}

// No parent there: the client learns that, and nothing else is tried.
func TestParentUnreachable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.parented(parentKeys)
	if status, fault, hint := w.refused("a.example:443"); status != 502 || fault != "parent_unreachable" || hint != "There is no connection to the parent proxy corporate: it is down, or a firewall is between." {
		t.Errorf("%d %s %s", status, fault, hint)
	}
	if end := w.wantClosed(); end.Attempt.DialedBy() != "address" || end.Attempt.Dest.String() != "8.8.8.8:443" {
		t.Errorf("recorded by %q, to %v", end.Attempt.DialedBy(), end.Attempt.Dest)
	}
	w.onlyTo(parentAt)
	if stats := w.p.Parents(); len(stats) != 1 || stats[0].Last != rules.ParentUnreachable || stats[0].Failed[rules.ParentUnreachable] != 1 {
		t.Errorf("stats %+v", stats)
	}
}

// The next parent is tried if there is no connection to the one before. A refusal is an answer:
// no other parent is asked.
func TestParentsInOrder(t *testing.T) {
	t.Parallel()
	const second = "10.9.9.8:3128"
	two := strings.ReplaceAll(parentKeys, "url", "default = true\nurl") + strings.NewReplacer("corporate", "spare", parentAt, second, "url", "default = true\nurl").Replace(parentKeys)
	w := newWorld(t, nil)
	w.parented(two)
	spare := w.origin(second, saying(accepted))
	for range 2 {
		conn, _ := w.tunnelTo("a.example:443", "")
		conn.Close()
	}
	if got := w.dialed(); len(got) != 3 || got[0].String() != parentAt || got[1].String() != second || got[2].String() != second {
		t.Errorf("dialed %v: want the first, then the second, then the second at once", got)
	}
	w.eventually("a record", func() bool { return len(w.journal.decisions()) > 0 })
	if p := w.journal.decisions()[0].a.Parent; p == nil || p.Name != "spare" {
		t.Errorf("recorded parent %v", p)
	}
	if !strings.Contains(spare.received(), "CONNECT 8.8.8.8:443") {
		t.Errorf("the second parent got %q", spare.received())
	}

	w = newWorld(t, nil)
	w.parented(two)
	w.origin(parentAt, saying("HTTP/1.1 403 Forbidden\r\n\r\n"))
	spare = w.origin(second, saying(accepted))
	if _, fault, _ := w.refused("a.example:443"); fault != "parent_refused" || spare.received() != "" {
		t.Errorf("fault %s, the second parent got %q", fault, spare.received())
	}
}

// What the site lists as direct does not go to the parent.
func TestDirectBesideParent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, keys, rule string }{
		{"a name", `direct = ["a.example"]`, ""},
		{"a name, by name", "by = \"name\"\ndirect = [\"a.example\"]", ""},
		{"an address", `direct = ["8.8.8.0/24"]`, ""},
	} {
		w, parent := parentWorld(t, c.keys, saying(accepted))
		o := w.origin("8.8.8.8:443", echo)
		conn, _ := w.tunnelTo("a.example:443", "")
		hello := string(helloFor(t, "a.example"))
		io.WriteString(conn, hello)
		w.eventually("the hello at the origin", func() bool { return o.received() == hello })
		if got := w.wantOne(rules.Allow, rules.ReasonNone); got.a.Parent != nil || got.a.DialedBy() != "" || parent.received() != "" {
			t.Errorf("%s: recorded parent %v, the parent got %q", c.what, got.a.Parent, parent.received())
		}
	}
}

// A parent with a name is found by our own resolver, and its address is never a destination.
func TestParentWithAName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.parented(strings.ReplaceAll(parentKeys, parentAt, "b.example:443"))
	parent := w.origin("8.8.8.6:443", saying(accepted))
	if _, resp, _ := w.connectTo("b.example:443", ""); resp.StatusCode != 403 || len(w.dialed()) > 0 {
		t.Errorf("the parent's name as destination: %s", resp.Status)
	}
	conn, _ := w.tunnelTo("a.example:443", "")
	conn.Close()
	if !strings.Contains(parent.received(), "CONNECT 8.8.8.8:443") {
		t.Errorf("the parent got %q", parent.received())
	}
	if _, resp, _ := w.connectTo("8.8.8.6:443", ""); resp.StatusCode != 403 {
		t.Errorf("the parent's address as destination: %s", resp.Status)
	}
	w.eventually("a denial as self", func() bool {
		return slices.ContainsFunc(w.journal.decisions(), func(r record) bool {
			return r.a.Dest == netip.MustParseAddrPort("8.8.8.6:443") && r.d.Why() == rules.Self
		})
	})
}

// A parent that leads back to sallyport: the loop ends at once.
func TestParentLoop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.parented(strings.ReplaceAll(parentKeys, parentAt, "b.example:443"))
	w.own.Listeners = append(w.own.Listeners, netip.MustParseAddrPort("8.8.8.6:443"))
	w.parented(strings.ReplaceAll(parentKeys, parentAt, "b.example:443"))
	if _, fault, hint := w.refused("a.example:443"); fault != "parent_unreachable" || hint != "The parent proxy corporate is sallyport itself: correct url of its [[parent]]." || len(w.dialed()) > 0 {
		t.Errorf("%s %s, dialed %v", fault, hint, w.dialed())
	}

	w, _ = parentWorld(t, "", func(conn *net.TCPConn, r io.Reader) { io.Copy(io.Discard, r) })
	c := w.dial(w.http)
	io.WriteString(c, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nVia: 1.1 other, 1.1 "+w.p.engine.pseudonym()+"\r\n\r\n")
	if got, _ := io.ReadAll(c); !strings.HasPrefix(string(got), "HTTP/1.1 403 ") {
		t.Errorf("our own CONNECT, sent back: %q", got)
	}
	w.wantOne(rules.Deny, rules.Self)
}
