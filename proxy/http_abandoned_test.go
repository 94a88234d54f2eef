// Abandoned requests: a granted request has one end on record, whenever its client leaves.

package proxy

import (
	"io"
	"strconv"
	"testing"

	"sallyport/rules"
)

func TestAbandonedRequestsAreOnRecord(t *testing.T) {
	t.Parallel()
	const clients = 300
	w := newWorld(t, nil)
	w.policy("mode = \"audit\"\n" + worldConfig)
	w.origin("8.8.8.6:81", nil)
	for i := range clients {
		conn := w.dial(w.http) // no permitted port
		io.WriteString(conn, "GET http://b.example:81/"+strconv.Itoa(i)+" HTTP/1.1\r\nHost: b.example:81\r\n\r\n")
		conn.Close()
	}
	w.idle()
	w.eventually("an end of each request", func() bool { return len(w.journal.closes()) >= clients })
	flows := map[uint64]bool{}
	for _, c := range w.journal.closes() {
		if flows[c.Attempt.Flow] || !c.Decision.Would || c.Decision.Why() != rules.PortNotListed {
			t.Errorf("flow %d: %v, again: %v", c.Attempt.Flow, c.Decision.Why(), flows[c.Attempt.Flow])
		}
		flows[c.Attempt.Flow] = true
	}
	if len(flows) != clients {
		t.Errorf("%d requests have their end on record, want %d", len(flows), clients)
	}
}
