// Drain and Recheck: how open client connections and their flows end when the process
// ends or the policy changes.

package proxy

import (
	"context"

	"sallyport/rules"
)

// Drain stops accepting and closes connections that are between requests. Every further request
// on the other connections is denied with draining. Drain returns nil when the open connections
// have ended. If ctx ends first, Drain closes what is left and returns ctx's error. It can be
// called once more, with a shorter ctx.
//
// Drain closes listeners and never shuts them down. If another process holds the same socket, the
// connections that wait in the kernel are for that process. If a connection was accepted before
// the drain, its first request is still served.
func (p *Proxy) Drain(ctx context.Context) error {
	if p.draining.CompareAndSwap(false, true) {
		close(p.drained)
	}
	p.idle.close()
	p.loops.wait(ctx)
	p.clients.close()
	for _, c := range p.clients.all() {
		p.endWait(c)
	}
	idle := make(chan struct{})
	go p.awaitIdle(idle)
	select {
	case <-idle:
		p.stop()
		return nil
	case <-ctx.Done():
	}
	p.stop()
	p.closeAll()
	<-idle
	return ctx.Err()
}

func (p *Proxy) awaitIdle(idle chan<- struct{}) {
	p.clients.running.Wait()
	close(idle)
}

func (p *Proxy) closeAll() {
	p.datagrams.Close(rules.EndDrain)
	for _, f := range p.flows.all() {
		f.Abort(rules.EndDrain)
	}
	for _, c := range p.clients.all() {
		c.TCP.Close()
	}
}

// Recheck asks the generation in force about every open flow, closes the flows that it denies, and
// returns their number. The question is not recorded. The end of each closed flow is recorded,
// with cause "policy", or with cause "expired" if the rule that permitted it has expired.
func (p *Proxy) Recheck() int {
	p.idle.keepOnly(p.cfg.Generation())
	n := p.datagrams.Recheck()
	for _, f := range p.flows.all() {
		if f.outdated() {
			n++
		}
	}
	return n
}

// outdated asks the generation in force about the flow, and ends the flow if the answer is a
// denial. It reports whether it ended the flow. Code that registers a flow, or sets its
// decision, calls outdated before any byte moves: Recheck does not see a flow that was
// registered after the generation changed.
func (f *flow) outdated() bool {
	last, _, version := f.lastDecision()
	a := f.p.withCurrent(f.c, last)
	d := f.p.cfg.Gate.Preview(a)
	if !d.Allowed() {
		cause := rules.EndPolicy
		if d.Why() == rules.Expired {
			cause = rules.EndDenied(rules.Expired)
		}
		f.Abort(cause)
		return true
	}
	f.moveTo(version, a.Generation, d)
	if f.c.shown != nil {
		f.p.proofs.sooner(f.c.shown.until())
	}
	return false
}

// withCurrent returns the same question of c, for the generation in force.
func (p *Proxy) withCurrent(c *client, a rules.Attempt) rules.Attempt {
	a.Generation = p.cfg.Generation()
	c.certify(&a)
	return a
}
