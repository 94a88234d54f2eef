// Group: the flows of one association or listener.

package datagram

import (
	"maps"
	"net/netip"
	"slices"
	"sync"

	"sallyport/rules"
	"sallyport/rules/quota"
)

// A FrontEnd is what a group needs of the code that reads the clients' datagrams.
type FrontEnd struct {
	// Ask returns the question about a client's datagrams to a destination: Via, the name or the
	// address, and what else the front end knows. The group adds the rest.
	Ask func(client netip.AddrPort, to rules.Authority) rules.Attempt
	// Open returns the way back to the client. It is called once for each flow, after the final
	// allow and before the first datagram is sent. from is the address that replies come from.
	Open func(client netip.AddrPort, to rules.Authority, from netip.AddrPort) (Replier, error)
}

// A Replier sends the replies of one flow to its client. Only one goroutine uses it.
type Replier interface {
	// Reply sends b[Headroom:] to the client. The bytes before that are free for a header. The
	// buffer is used again after the call.
	Reply(b []byte) error
	// Close is called once, after the last Reply.
	Close()
}

// A Group holds the flows of one association or listener.
type Group struct {
	t  *Table
	fe FrontEnd

	running sync.WaitGroup // one for each flow

	mu     sync.Mutex
	closed bool
	flows  map[flowKey]*flow
}

// flowKey identifies a flow of a group. A name and an address are two destinations, also if the
// name has that address.
type flowKey struct {
	client netip.AddrPort
	to     rules.Authority
}

// Group returns a group without flows. The caller must call Close.
func (t *Table) Group(fe FrontEnd) *Group {
	return &Group{t: t, fe: fe, flows: map[flowKey]*flow{}}
}

// Send sends the content of a datagram from client to a destination, if the Gate permits that. It
// keeps no reference to b. It may be called from several goroutines.
func (g *Group) Send(client netip.AddrPort, to rules.Authority, b []byte) {
	key := flowKey{client, to}
	g.mu.Lock()
	f := g.flows[key]
	g.mu.Unlock()
	if f == nil {
		if f = g.begin(key); f == nil {
			return
		}
	}
	f.send(b)
}

// Flows returns the number of flows that exist now.
func (g *Group) Flows() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.flows)
}

// Close ends the flows of the group, and waits until each Replier is closed. Later datagrams are
// dropped.
func (g *Group) Close(cause rules.Cause) {
	g.mu.Lock()
	g.closed = true
	fs := slices.Collect(maps.Values(g.flows))
	g.mu.Unlock()
	for _, f := range fs {
		f.abort(cause)
	}
	g.running.Wait()
}

// begin asks the Gate about the first datagram of a flow. It returns nil if there is no flow.
func (g *Group) begin(key flowKey) *flow {
	t := g.t
	a := g.fe.Ask(key.client, key.to)
	a.Generation, a.Flow, a.Client, a.Proto, a.Provisional = t.cfg.Generation(), t.cfg.NextFlow(), key.client, rules.UDP, true
	if a.Fault == rules.ReasonNone && t.cfg.Draining() {
		a.Fault = rules.Draining
	}
	d := t.cfg.Gate.Decide(a)
	if !d.Allowed() {
		t.Drop(Denied)
		return nil
	}
	owner := rules.QuotaKeyOf(key.client.Addr(), d.Client)
	if over := overText(t.quota.Acquire(owner)); over != "" {
		a.Fault, a.Detail = rules.Limit, over
		t.cfg.Gate.Decide(a)
		t.Drop(Denied)
		return nil
	}
	return g.register(newFlow(g, key, owner), a, d)
}

// overText returns which limit is reached, or "".
func overText(r quota.Result) string {
	switch r {
	case quota.OverQuota:
		return "the client's quota of limits.udp_flows is reached"
	case quota.OverLimit:
		return "limits.udp_flows is reached"
	}
	return ""
}

// register adds f to the group and starts it. If the group has a flow with the same key
// already, register returns that one.
func (g *Group) register(f *flow, a rules.Attempt, d rules.Decision) *flow {
	g.mu.Lock()
	defer g.mu.Unlock()
	if other := g.flows[f.key]; other != nil || g.closed {
		g.t.quota.Release(f.owner)
		f.cancel()
		return other
	}
	g.flows[f.key] = f
	g.t.add(f)
	g.running.Go(func() { f.run(a, d) })
	return f
}

func (g *Group) remove(f *flow) {
	g.mu.Lock()
	delete(g.flows, f.key)
	g.mu.Unlock()
	g.t.remove(f)
}
