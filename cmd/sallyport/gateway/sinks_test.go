// Tests of sinks in a gateway: a reload adds, keeps and removes them, a dead one is reported and costs
// nothing, and a name is resolved by [hosts] and never a destination.

package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// A logServer passes on what it gets.
type logServer struct {
	l     net.Listener
	texts chan string
}

func newLogServer(t *testing.T) *logServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &logServer{l, make(chan string, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for in := bufio.NewReader(c); ; {
					m, err := in.ReadString('}') // the records of these tests have one
					if err != nil {
						return
					}
					s.texts <- m
				}
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return s
}

// expect waits for a message with a text.
func (s *logServer) expect(t *testing.T, text string) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case m := <-s.texts:
			if strings.Contains(m, text) {
				return
			}
		case <-limit:
			t.Fatalf("no message with %q within 30 seconds", text)
		}
	}
}

func (s *logServer) sink(name string) string {
	return fmt.Sprintf("[[sink]]\ntype = \"syslog\"\nname = %q\nurl = \"tcp://log.corp.example:%d\"\n", name, s.l.Addr().(*net.TCPAddr).Port)
}

// waitFor polls the states of the sinks.
func waitFor(t *testing.T, g *Gateway, what string, done func([]sinkState) bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(g.sinks.states()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 30 seconds: %+v", what, g.sinks.states())
		}
	}
}

func TestSinksFollowTheConfiguration(t *testing.T) {
	one, two := newLogServer(t), newLogServer(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "sallyport.toml")
	site := fmt.Sprintf("[journal]\npath = %q\n[dns]\nupstreams = [\"udp://127.0.0.1:1\"]\n[hosts]\n\"log.corp.example\" = \"127.0.0.1\"\n[[client]]\nname = \"c\"\nsources = [\"10.0.0.0/8\"]\nprofiles = []\n", filepath.Join(dir, "denials.jsonl"))
	write := func(sinks string) {
		if err := os.WriteFile(file, []byte(site+sinks), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	g, _ := openGateway(t, file)
	if g.sinks.states() != nil {
		t.Fatal("sinks without a [[sink]]")
	}
	write(one.sink("one"))
	g.Reload("test")
	one.expect(t, `"event":"start"`) // from before the sink was configured
	sender := func(i int) any { return g.sinks.running()[i].sender }
	first := sender(0)

	dead := "[[sink]]\ntype = \"syslog\"\nname = \"dead\"\nurl = \"tcp://127.0.0.1:1\"\n"
	write(dead + one.sink("one") + two.sink("two"))
	g.Reload("test")
	two.expect(t, `"event":"reload"`)
	waitFor(t, g, "three sinks, one of them dead", func(s []sinkState) bool {
		return len(s) == 3 && s[0].Problem != "" && s[1].State == "works" && s[2].State == "works" && s[2].Sent > 0
	})
	if sender(1) != first {
		t.Error("a sink that did not change got another sender")
	}
	var ready readiness
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/readyz", nil)
	r.Header.Set("Accept", "application/json")
	g.serveReady(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &ready); err != nil || len(ready.Sinks) != 3 || !strings.Contains(ready.Sinks[0].Problem, "connection refused") {
		t.Errorf("/readyz: %v %s", err, w.Body)
	}
	for _, p := range ready.Problems {
		if strings.Contains(p, "sink") {
			t.Errorf("a dead sink makes sallyport unready: %s", p)
		}
	}
	if h := g.sinks.health(); len(h) != 3 || h[0].OK || !h[1].OK {
		t.Errorf("the health page has %+v", h)
	}

	// The name of a sink has an address, which is no destination.
	port := uint16(one.l.Addr().(*net.TCPAddr).Port)
	for dest, self := range map[string]bool{fmt.Sprint("127.0.0.1:", port): true, fmt.Sprint("127.0.0.7:", port): true, "127.0.0.1:2": false} {
		d := g.live.Policy().Decide(rules.Attempt{Client: netip.MustParseAddrPort("10.0.0.1:999"), Via: rules.ViaConnect, Provisional: true, Dest: netip.MustParseAddrPort(dest)})
		if (d.Why() == rules.Self) != self {
			t.Errorf("%s: %v", dest, d.Why())
		}
	}

	write(two.sink("two"))
	g.Reload("test")
	waitFor(t, g, "one sink", func(s []sinkState) bool { return len(s) == 1 && s[0].Name == "two" })
	two.expect(t, `"event":"reload"`)
	g.journal.Event(journal.EventStop, "the last words")
	if err := g.journal.Sync(); err != nil {
		t.Fatal(err)
	}
	g.sinks.stop()
	two.expect(t, "the last words")
}

// sallyport's own listener is no sink, also if a name leads there.
func TestSinkIsNoOwnListener(t *testing.T) {
	g, _, _ := readyGateway(t)
	g.own = rules.Own{Listeners: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:3128")}}
	_, err := g.sinks.dial(context.Background(), &rules.Sink{Name: "x", Scheme: rules.SinkTCP, At: rules.Authority{Addr: netip.MustParseAddr("127.0.0.1"), Port: 3128}})
	if err == nil || !strings.Contains(err.Error(), "own listener") {
		t.Errorf("a sink at our own listener: %v", err)
	}
}
