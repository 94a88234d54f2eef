// Tests of unknown clients where a client without sources may log in: all share the part of the unknown
// clients until they have proven something.

package proxy

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

// countUnknown returns how many open connections are of unknown clients.
func (w *world) countUnknown() int {
	w.p.clients.mu.Lock()
	defer w.p.clients.mu.Unlock()
	return w.p.clients.unknown
}

func TestUnknownClientsBeforeALogin(t *testing.T) {
	t.Parallel()
	w := newSecure(t, func(c *Config) { c.Limits.Connections, c.Limits.Head = 40, time.Minute })
	person := w.root.Issue(proxytest.Subject{CN: "p", URI: "spiffe://corp.example/people"})
	for range 5 { // a certificate takes its owner out of the part
		w.from("127.0.0.9", w.client(&person)).ConnectionState()
	}
	w.eventually("the people's connections are known", func() bool { return w.p.Stats().Connections == 5 && w.countUnknown() == 0 })
	for range minUnknown {
		w.dialFrom("127.0.0.8", w.http)
	}
	w.eventually("unknown clients", func() bool { return w.countUnknown() == minUnknown })
	io.Copy(io.Discard, w.dialFrom("127.0.0.7", w.http))
	if r := w.wantOne(rules.Deny, rules.Limit); !strings.Contains(r.a.Detail, "the quota of limits.connections") {
		t.Errorf("%q", r.a.Detail)
	}
	if conn := w.from("127.0.0.1", w.client(issued(esSubject)(w))); !conn.ConnectionState().HandshakeComplete {
		t.Error("a client with a certificate from its address has no place")
	}
}

// A login takes a connection out of the part too.
func TestUnknownClientLogsIn(t *testing.T) {
	t.Parallel()
	w := newSecure(t, nil)
	person := w.root.Issue(proxytest.Subject{CN: "not in the list of names"})
	silent, alice, shows := w.dialFrom("127.0.0.9", w.http), w.dialFrom("127.0.0.9", w.http), w.from("127.0.0.9", w.client(&person))
	w.eventually("two unknown clients", func() bool { return w.p.Stats().Connections == 3 && w.countUnknown() == 2 })
	io.WriteString(alice, "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n"+basicOf("alice:open sesame")+"\r\n")
	if n, err := alice.Read(make([]byte, 1<<12)); n == 0 {
		t.Fatal(err)
	}
	if n := w.countUnknown(); n != 1 {
		t.Errorf("%d connections are of unknown clients, want 1", n)
	}
	for _, conn := range []net.Conn{silent, alice, shows} {
		conn.Close()
	}
	w.eventually("all have left", func() bool { return w.p.Stats().Connections == 0 && w.countUnknown() == 0 })
}
