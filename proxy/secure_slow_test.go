// Tests of clients of the listener for TLS that send slowly: one deadline covers all that they send.

package proxy

import (
	"io"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// A byte now and then does not extend the deadline, neither in a ClientHello nor in a balancer's header
// before it. Each has one record, gives its place among the handshakes back, and opens nothing.
func TestSlowHandshakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, from, text, detail string
		reason                   rules.Reason
	}{
		{"a ClientHello", "127.0.0.1", "\x16\x03\x01\x02\x00\x01" + strings.Repeat("\x00", 500), "the TLS handshake was not complete in time", rules.SniffTimeout},
		{"a PROXY header", balancerAddr, headers["version 1"], "the PROXY header was not complete in time", rules.ProxyProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newSecure(t, func(c *Config) { impatient(c); balanced(c) })
			conn := w.dialFrom(c.from, w.https)
			for _, b := range []byte(c.text) {
				if _, err := conn.Write([]byte{b}); err != nil {
					break
				}
				time.Sleep(30 * time.Millisecond) // the pace of the client; the test is about time
				if len(w.journal.decisions()) > 0 {
					break
				}
			}
			io.ReadAll(conn)
			if r := w.wantOne(rules.Deny, c.reason); !strings.Contains(r.a.Detail, c.detail) {
				t.Errorf("%q, want %q", r.a.Detail, c.detail)
			}
			w.eventually("the place is free", func() bool { return w.p.handshakes.Held() == 0 })
			if w.opened() != "" {
				t.Error(w.opened())
			}
		})
	}
}
