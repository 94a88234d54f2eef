// Tests of the life of connections that wait for another request: when they end, and how many there
// are.

package proxy

import (
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/proxy/peek"
	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

// A reload closes what waits, and the next request goes by the new configuration. So does a drain.
func TestIdleConnectionsEndWithTheirGeneration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var open atomic.Int32
	o := w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
		open.Add(1)
		defer open.Add(-1)
		answering(okAnswer)(conn, r)
	})
	e := w.exchange(getPlainA)
	e.want(200, "")
	w.waits(1)
	w.policy(worldConfig)
	e.send(getPlainA) // before Recheck
	e.want(200, "")
	if o.connections() != 2 || len(w.lookedUp()) != 2 {
		t.Errorf("%d connections, %d look-ups in two generations", o.connections(), len(w.lookedUp()))
	}
	w.p.Recheck()
	w.waits(1)
	w.policy(strings.Replace(worldConfig, `"a.example", `, "", 1))
	w.p.Recheck()
	w.waits(0)
	w.eventually("end of the connections", func() bool { return open.Load() == 0 })
	e.send(getPlainA)
	e.want(403, "not_listed")
	if o.connections() != 2 {
		t.Errorf("%d connections", o.connections())
	}
}

// The end of a flow from outside does not touch a connection that carries another flow meanwhile.
func TestIdleConnectionsOutliveTheAbortOfAFlow(t *testing.T) {
	t.Parallel()
	near, far := proxytest.TCPPair(t)
	theirs, _ := proxytest.TCPPair(t)
	f := &flow{c: &client{Conn: peek.Conn{TCP: theirs}}, up: link{tcp: near}}
	if !f.letGo() {
		t.Fatal("a flow that was not aborted does not let go")
	}
	f.Abort(rules.EndPolicy)
	if _, err := near.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	far.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
		t.Error(err)
	}
	if f.letGo() {
		t.Error("an aborted flow lets go")
	}
}

// What waits is bounded for each client and for all together, and what has waited longest ends first.
func TestIdleConnectionsAreFew(t *testing.T) {
	t.Parallel()
	table := &idleTable{limit: idlePerClient + 2}
	defer table.close()
	conn := func(host string) *upstream {
		near, _ := proxytest.TCPPair(t)
		return &upstream{host: host, conn: near, link: link{tcp: near}, since: time.Now()}
	}
	one, two, three := idleOwner{identity: "1"}, idleOwner{identity: "2"}, idleOwner{identity: "3"}
	first := conn("first")
	if table.put(one, first, time.Hour) != nil {
		t.Error("an empty table is full")
	}
	for range idlePerClient - 1 {
		table.put(one, conn("a"), time.Hour)
	}
	if table.put(one, conn("last"), time.Hour) != first || table.held != idlePerClient {
		t.Errorf("%d connections of one client", table.held)
	}
	for range 2 {
		if table.put(two, conn("b"), time.Hour) != nil {
			t.Error("there is no room for another client")
		}
	}
	if late := conn("c"); table.put(three, late, time.Hour) != late || table.held != idlePerClient+2 {
		t.Errorf("%d connections of all clients", table.held)
	}
	if u := table.take(one, "last"); u == nil || table.take(one, "last") != nil || table.take(one, "first") != nil || table.take(two, "a") != nil {
		t.Errorf("took %v", u)
	}
}

// A connection that nothing asks for ends in time, without a goroutine that watches it.
func TestIdleConnectionsEndInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits.Idle = 300 * time.Millisecond })
	o := w.origin("8.8.8.8:80", answering(okAnswer))
	w.exchange(getPlainA).want(200, "")
	w.waits(1)
	w.waits(0)
	w.exchange(getPlainA).want(200, "")
	if o.connections() != 2 {
		t.Errorf("%d connections", o.connections())
	}
}

// A request that cannot be repeated goes only on a connection that was in use a moment ago; no
// request goes on an old one.
func TestIdleConnectionsThatAreFresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:80", answering(okAnswer))
	age := func(made, since time.Duration) {
		w.waits(1)
		w.p.idle.mu.Lock()
		defer w.p.idle.mu.Unlock()
		for _, own := range w.p.idle.of {
			own[0].made, own[0].since = own[0].made.Add(-made), own[0].since.Add(-since)
		}
	}
	for n, c := range []struct {
		made, since time.Duration
		text        string
		connections int
	}{
		{0, 0, getPlainA, 1},
		{0, 0, postA, 1},
		{0, 2 * idleFresh, getPlainA, 1},
		{0, 2 * idleFresh, postA, 2},
		{idleAge, 0, getPlainA, 3},
		{0, idleWait, getPlainA, 4},
	} {
		if n > 0 {
			age(c.made, c.since)
		}
		if w.exchange(c.text).want(200, ""); o.connections() != c.connections {
			t.Errorf("case %d: %d connections", n, o.connections())
		}
	}
}
