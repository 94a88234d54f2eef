// Tests that no front end lets a client reach a parent or a sink whose name leads to this host.

package proxy

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// namedHere has a parent and a sink whose names lead to this host, and a rule that permits the whole
// port of each.
const namedHere = `
[[parent]]
name   = "corporate"
url    = "http://proxy.corp.example:5000"
direct = ["0.0.0.0/0", "::/0"]
[[sink]]
type = "syslog"
name = "siem"
url  = "udp://siem.corp.example:514"
[[client]]
name     = "lab"
sources  = ["127.0.0.0/8"]
profiles = []
[[rule]]
id     = "all"
client = "lab"
to     = ["0.0.0.0/0", "::/0", "127.0.0.0/8", "10.0.0.0/8", "a.example", "b.example"]
tcp    = [80, 443, 5000]
udp    = [514, 515]
reason = "test"
`

// here makes the world's host one with three addresses, of which the names of namedHere led to the
// first.
func (w *world) here() {
	w.own.Local = func(a netip.Addr) bool {
		return a == netip.MustParseAddr("8.8.8.6") || a == netip.MustParseAddr("10.9.9.9") || a == netip.MustParseAddr("fd00::9")
	}
	w.policy(namedHere)
	w.own.Found.Remember(mustName("proxy.corp.example"), w.names["b.example"], time.Now())
	w.own.Found.Remember(mustName("siem.corp.example"), w.names["b.example"], time.Now())
}

func mustName(text string) rules.Name {
	n, err := rules.ParseName(text)
	if err != nil {
		panic(err)
	}
	return n
}

// thisHost are addresses that lead to the parent of namedHere.
var thisHost = []string{"8.8.8.6", "10.9.9.9", "127.0.0.1", "127.9.9.9", "[fd00::9]", "[::1]", "[64:ff9b::8.8.8.6]"}

// wantSelf waits for the denial number n.
func (w *world) wantSelf(what string, n int) {
	w.t.Helper()
	w.eventually(what+": a denial", func() bool { return len(w.journal.decisions()) >= n })
	got := w.journal.decisions()
	if hint := rules.Hint(got[n-1].a, got[n-1].d); len(got) != n || got[n-1].d.Why() != rules.Self || !strings.Contains(hint, "the parent proxy corporate") {
		w.t.Errorf("%s: %v, %s", what, got[n-1].d.Why(), hint)
	}
}

func TestParentHereByEveryWay(t *testing.T) {
	t.Parallel()
	w := newRedirectWorld(t, nil)
	w.here()
	n := 0
	for _, to := range append(thisHost, "b.example", "proxy.corp.example", "0.0.0.0", "[::]") {
		n++
		if _, resp, _ := w.connectTo(to+":5000", ""); resp.StatusCode != 403 {
			t.Errorf("CONNECT %s: %s", to, resp.Status)
		}
		w.wantSelf("CONNECT "+to, n)
		n++
		if resp, _ := w.get(fmt.Sprintf("GET http://%s:5000/ HTTP/1.1\r\nHost: %[1]s:5000\r\n\r\n", to)); resp.StatusCode != 403 {
			t.Errorf("absolute-form %s: %s", to, resp.Status)
		}
		w.wantSelf("absolute-form "+to, n)
	}
	for _, to := range thisHost {
		n++
		conn := w.to(to + ":5000")
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a.example:5000\r\n\r\n")
		w.wantSelf("redirected "+to, n)
		conn.Close()
	}
	for _, to := range []string{"\x01\x08\x08\x08\x06", "\x01\x7f\x00\x00\x05", "\x03\x09b.example", "\x03\x12proxy.corp.example"} {
		n++
		conn := w.dial(w.socks)
		io.WriteString(conn, "\x05\x01\x00\x05\x01\x00"+to+"\x13\x88")
		reply := make([]byte, 4)
		if _, err := io.ReadFull(conn, reply); err != nil || reply[3] != 2 {
			t.Errorf("SOCKS5 %q: reply %v %v", to, reply, err)
		}
		w.wantSelf("SOCKS5 "+to, n)
		conn.Close()
	}
	if d := w.dialed(); len(d) > 0 {
		t.Errorf("dialed %v", d)
	}
	open := w.origin("8.8.8.6:443", echo) // another port of this host
	conn, _ := w.tunnelTo("b.example:443", "")
	conn.Write(helloFor(t, "b.example"))
	w.eventually("the hello", func() bool { return open.received() != "" })
}

// Datagrams to a sink on this host.
func TestSinkHereByDatagram(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"8.8.8.6", "10.9.9.9", "127.0.0.1", "b.example"} {
		w := newUDPWorld(t, nil)
		w.here()
		c := w.associated()
		c.send(header(to, 514) + "x")
		a := w.denial(rules.Self)
		if hint := rules.Hint(a, w.live.Decide(a)); !strings.Contains(hint, "the sink siem") {
			t.Errorf("%s: %s", to, hint)
		}
	}
}

// An address that the dialer finds when it uses the parent counts from then on.
func TestParentMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.policy(strings.Replace(namedHere, `direct = ["0.0.0.0/0", "::/0"]`, "", 1))
	w.names["proxy.corp.example"] = []netip.Addr{netip.MustParseAddr("8.8.8.9")}
	w.origin("8.8.8.9:5000", saying(accepted))
	w.own.Found.Remember(mustName("proxy.corp.example"), w.names["proxy.corp.example"], time.Now())
	tunnel := func() {
		conn, _ := w.tunnelTo("a.example:443", "")
		conn.Close()
	}
	tunnel()
	w.names["proxy.corp.example"] = []netip.Addr{netip.MustParseAddr("8.8.8.10")}
	w.origin("8.8.8.10:5000", saying(accepted))
	tunnel()
	for _, to := range []string{"8.8.8.9:5000", "8.8.8.10:5000"} {
		if _, resp, _ := w.connectTo(to, ""); resp.StatusCode != 403 {
			t.Errorf("%s: %s", to, resp.Status)
		}
	}
}
