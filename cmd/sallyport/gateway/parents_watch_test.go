// Tests of the checks of parents: what they change in /readyz, on the health page, in the log and in
// the order of trying.

package gateway

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// checkNow checks every parent, whether it is due or not.
func (g *Gateway) checkNow(t *testing.T) {
	t.Helper()
	g.visitParents(t.Context(), nil)
}

// listening returns a listener that accepts and closes at once.
func listening(t *testing.T, at string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return l
}

func TestParentHealth(t *testing.T) {
	g, log, write := readyGateway(t)
	one, two := listening(t, "127.0.0.1:0"), listening(t, "127.0.0.1:0")
	parent := func(name string, l net.Listener) string {
		return "[[parent]]\nname = \"" + name + "\"\nurl = \"http://" + l.Addr().String() + "\"\ndefault = true\nhealth = \"1s\"\n"
	}
	write(parent("one", one) + parent("two", two) + readySite)
	g.Reload("test")
	if code, text := g.readyz(); code != 200 || !strings.Contains(text, "parent: one, http://"+one.Addr().String()+", by address: unused; not checked yet\n") {
		t.Errorf("before the first check: %d\n%s", code, text)
	}
	g.checkNow(t)
	if code, text := g.readyz(); code != 200 || strings.Count(text, "; checks pass since ") != 2 || strings.Contains(log.String(), "parent proxy") {
		t.Errorf("both there: %d\n%s\n%s", code, text, log)
	}
	if text := g.metricsText(); !strings.Contains(text, `sallyport_parent_up{parent="one"} 1`) {
		t.Error(text)
	}

	one.Close()
	g.checkNow(t)
	g.checkNow(t) // one line for a change
	code, text := g.readyz()
	if code != 200 || !strings.Contains(text, "by address: unused; checks fail: parent_unreachable since ") {
		t.Errorf("one is down: %d\n%s", code, text)
	}
	if n := strings.Count(log.String(), "a parent proxy cannot be used; it is tried last"); n != 1 || !strings.Contains(log.String(), `fault=parent_unreachable error="parent one: parent_unreachable`) ||
		!strings.Contains(log.String(), `do="There is no connection to the parent proxy one: it is down, or a firewall is between."`) {
		t.Errorf("%d lines:\n%s", n, log)
	}
	g.Reload("test") // the parents stay the same, so their checks say nothing new
	g.checkNow(t)
	if n := strings.Count(log.String(), "a parent proxy cannot be used; it is tried last"); n != 1 {
		t.Errorf("%d lines after a reload:\n%s", n, log)
	}
	rows := map[string]bool{}
	for _, h := range g.health() {
		rows[h.Name] = h.OK
	}
	if ok, there := rows["Parent one"]; ok || !there || !rows["Parent two"] {
		t.Errorf("health page: %v", rows)
	}

	two.Close()
	g.checkNow(t)
	if code, text := g.readyz(); code != 503 || !strings.Contains(text, "not ready: parent: one (parent_unreachable since ") || !strings.Contains(text, "), two (parent_unreachable since ") {
		t.Errorf("both down: %d\n%s", code, text)
	}
	if text := g.metricsText(); !strings.Contains(text, `sallyport_parent_up{parent="two"} 0`) {
		t.Error(text)
	}
	listening(t, one.Addr().String())
	g.checkNow(t)
	if code, text := g.readyz(); code != 200 || !strings.Contains(log.String(), `"a parent proxy can be used again" parent=one`) {
		t.Errorf("one is back: %d\n%s\n%s", code, text, log)
	}
}

// A parent that a reload has changed is new: the log says if its checks fail too.
func TestChangedParentIsReportedAgain(t *testing.T) {
	g, log, write := readyGateway(t)
	for i, url := range []string{"http://127.0.0.1:8", "http://127.0.0.1:9"} {
		write("[[parent]]\nname = \"one\"\nurl = \"" + url + "\"\nhealth = \"1h\"\n" + readySite)
		g.Reload("test")
		g.checkNow(t)
		if n := strings.Count(log.String(), "a parent proxy cannot be used; it is tried last"); n != i+1 {
			t.Errorf("%s: %d lines:\n%s", url, n, log)
		}
	}
}

// A line about a parent never says that it works and that its checks fail.
func TestParentLine(t *testing.T) {
	since := time.Date(2026, 11, 23, 11, 3, 16, 0, time.UTC)
	const check, pass = "checks fail: parent_unreachable since 2026-11-23T11:04:00Z", "checks pass since 2026-11-23T11:04:00Z"
	for _, c := range []struct{ state, check, want string }{
		{"works", "", "works since 2026-11-23T11:03:16Z; 1 flow carried, 0 failed"},
		{"works", pass, "works since 2026-11-23T11:03:16Z; 1 flow carried, 0 failed; " + pass},
		{"works", check, check + "; 1 flow carried, 0 failed"},
		{"parent_auth", check, "parent_auth since 2026-11-23T11:03:16Z; 1 flow carried, 0 failed; " + check},
	} {
		s := parentState{Name: "one", URL: "http://10.0.0.1:3128", By: "address", State: c.state, Since: since, Connected: 1, Check: c.check}
		if got, want := s.String(), "one, http://10.0.0.1:3128, by address: "+c.want; got != want {
			t.Errorf("%q but wanted %q", got, want)
		}
	}
}

// Without health, a dead parent does not make sallyport unready: no check could find that it is
// back.
func TestParentWithoutHealthIsReady(t *testing.T) {
	g, log, write := readyGateway(t)
	write("[[parent]]\nname = \"one\"\nurl = \"http://127.0.0.1:9\"\n" + readySite)
	g.Reload("test")
	g.checkNow(t)
	if code, text := g.readyz(); code != 200 || strings.Contains(text, "check") || strings.Contains(log.String(), "parent proxy") {
		t.Errorf("%d\n%s\n%s", code, text, log)
	}
}

// A check of a SOCKS5 parent logs in, and asks for nothing.
func TestParentHealthOfSOCKS5(t *testing.T) {
	g, _, write := readyGateway(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	said := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "\x05\x00")
		all, _ := io.ReadAll(c)
		said <- string(all)
	}()
	write("[[parent]]\nname = \"one\"\nurl = \"socks5://" + l.Addr().String() + "\"\nhealth = \"1s\"\n" + readySite)
	g.Reload("test")
	g.checkNow(t)
	if code, text := g.readyz(); code != 200 || !strings.Contains(text, "; checks pass since ") {
		t.Errorf("%d\n%s", code, text)
	}
	if got := <-said; got != "\x05\x01\x00" {
		t.Errorf("the check said %q", got)
	}
}
