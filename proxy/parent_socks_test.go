// Tests of a SOCKS5 parent: what it is asked, and what each of its replies means.

package proxy

import (
	"io"
	"net"
	"strings"
	"testing"

	"sallyport/rules"
)

const (
	socksKeys = "[[parent]]\nname = \"corporate\"\nurl = \"socks5://" + parentAt + "\"\n"
	bound     = "\x00\x01\x0a\x00\x00\x01\x12\x34" // the rest of a reply: reserved, IPv4, address, port
	hello5    = "\x05\x01\x00"
)

// inTurns returns a parent that expects and says texts in turn, and then echoes.
func inTurns(turns ...string) func(*net.TCPConn, io.Reader) {
	return func(conn *net.TCPConn, r io.Reader) {
		for i := 0; i+1 < len(turns); i += 2 {
			if _, err := io.ReadFull(r, make([]byte, len(turns[i]))); err != nil {
				return
			}
			io.WriteString(conn, turns[i+1])
		}
		io.Copy(conn, r)
	}
}

func TestSOCKS5Parent(t *testing.T) {
	t.Parallel()
	const eight = "\x05\x01\x00\x01\x08\x08\x08\x08\x01\xbb" // 8.8.8.8:443
	for _, c := range []struct{ what, keys, asked, by string }{
		{"by address", "", hello5 + eight, "address"},
		{"by name", `by = "name"`, hello5 + "\x05\x01\x00\x03\x09a.example\x01\xbb", "name"},
	} {
		w := newWorld(t, nil)
		w.parented(socksKeys + c.keys)
		parent := w.origin(parentAt, inTurns(hello5, "\x05\x00", c.asked[3:], "\x05\x00"+bound))
		conn, _ := w.tunnelTo("a.example:443", "")
		hello := string(helloFor(t, "a.example"))
		io.WriteString(conn, hello)
		w.eventually("the hello at the parent", func() bool { return parent.received() == c.asked+hello })
		if got := w.wantOne(rules.Allow, rules.ReasonNone); got.a.DialedBy() != c.by || got.a.Parent.Name != "corporate" {
			t.Errorf("%s: recorded %v by %q", c.what, got.a.Parent, got.a.DialedBy())
		}
		w.onlyTo(parentAt)
	}
}

// The login of RFC 1929 is sent only if the parent asks for it.
func TestSOCKS5ParentLogin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, chosen, login, answer, fault, hint string }{
		{"asks for it", "\x05\x02", "\x01\x05sally\x07hunter2", "\x01\x00", "", ""},
		{"does not ask", "\x05\x00", "", "", "", ""},
		{"wrong password", "\x05\x02", "\x01\x05sally\x07hunter2", "\x01\x01", "parent_auth", "The parent proxy corporate does not accept sallyport's login (wrong user or password): correct auth_file of its [[parent]]."},
		{"wants another way", "\x05\xff", "", "", "parent_auth", "The parent proxy corporate does not accept sallyport's login (no acceptable way to log in): correct auth_file of its [[parent]]."},
		{"takes a way that was not offered", "\x05\x01", "", "", "parent_reply", "The parent proxy corporate does not answer as a proxy does: check protocol and port in url of its [[parent]]."},
	} {
		w := newWorld(t, nil)
		w.parented(socksKeys + "auth_file = \"login\"\n")
		turns := []string{"\x05\x02\x00\x02", c.chosen}
		if c.login != "" {
			turns = append(turns, c.login, c.answer)
		}
		parent := w.origin(parentAt, inTurns(append(turns, "\x05\x01\x00\x01\x08\x08\x08\x08\x01\xbb", "\x05\x00"+bound)...))
		if c.fault == "" {
			conn, _ := w.tunnelTo("a.example:443", "")
			conn.Close()
		} else if status, fault, hint := w.refused("a.example:443"); status != 502 || fault != c.fault || hint != c.hint {
			t.Errorf("%s: %d %s %s", c.what, status, fault, hint)
		}
		if sent := strings.Contains(parent.received(), "hunter2"); sent != (c.login != "") {
			t.Errorf("%s: password sent: %t", c.what, sent)
		}
	}
}

func TestSOCKS5ParentReplies(t *testing.T) {
	t.Parallel()
	bad := "The parent proxy corporate does not answer as a proxy does: check protocol and port in url of its [[parent]]."
	for _, c := range []struct{ reply, fault, hint string }{
		{"\x05\x01" + bound, "parent_refused", "The parent proxy corporate could not reach the destination (reply 01, general failure)."},
		{"\x05\x02" + bound, "parent_refused", "The parent proxy corporate refuses the destination (reply 02, not allowed by its rules): ask its operator to permit it. sallyport permits it."},
		{"\x05\x05" + bound, "parent_refused", "The parent proxy corporate could not reach the destination (reply 05, connection refused)."},
		{"\x05\x06" + bound, "parent_timeout", "The parent proxy corporate reports that the destination does not answer in time (reply 06, TTL expired)."},
		{"\x05\x09" + bound, "parent_reply", bad},
		{"\x04\x5a" + bound, "parent_reply", bad},
		{"\x05\x00\x01\x01\x0a\x00\x00\x01\x12\x34", "parent_reply", bad},
		{"\x05\x00\x00\x07", "parent_reply", bad},
		{"HTTP/1.1 400 Bad Request\r\n\r\n", "parent_reply", bad},
	} {
		w := newWorld(t, nil)
		w.parented(socksKeys)
		w.origin(parentAt, inTurns(hello5, "\x05\x00", "\x05\x01\x00\x01\x08\x08\x08\x08\x01\xbb", c.reply))
		if _, fault, hint := w.refused("a.example:443"); fault != c.fault || hint != c.hint {
			t.Errorf("%q: %s %s", c.reply, fault, hint)
		}
		if end := w.wantClosed(); end.Cause.DialFault() != c.fault || end.Attempt.DialedBy() != "address" {
			t.Errorf("%q: recorded %v by %q", c.reply, end.Cause, end.Attempt.DialedBy())
		}
	}
}

// A SOCKS5 client gets a reply of its own protocol for each fault of a parent.
func TestSOCKS5ClientThroughParent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer string
		code   byte
	}{
		{accepted, 0}, {"HTTP/1.1 407 x\r\n\r\n", 1}, {"HTTP/1.1 403 x\r\n\r\n", 1}, {"HTTP/1.1 502 x\r\n\r\n", 4}, {"HTTP/1.1 504 x\r\n\r\n", 4}, {"nonsense", 1},
	} {
		w, _ := parentWorld(t, "", saying(c.answer))
		conn := w.dial(w.socks)
		io.WriteString(conn, greeting+nameRequest(1, "a.example", 443))
		reply := make([]byte, 4)
		if _, err := io.ReadFull(conn, reply); err != nil || reply[3] != c.code {
			t.Errorf("%q: reply %v, %v, want %d", c.answer, reply, err, c.code)
		}
		conn.Close()
	}
}
