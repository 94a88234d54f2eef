// Drain and Recheck: how open flows end when the process or the policy does.

package proxy

import (
	"context"

	"sallyport/rules"
)

// Drain stops accepting, closes connections that are between requests, answers
// every further request on the others with draining, waits until
// the open connections have ended or ctx has, and then closes what is left. It
// returns ctx's error if it had to close anything. It can be called once more
// with a shorter ctx.
//
// Listeners are closed and never shut down: connections that the system holds
// for a socket that somebody else has open, too, are for the next process. What
// was accepted before is served its first request.
func (p *Proxy) Drain(ctx context.Context) error {
	if p.draining.CompareAndSwap(false, true) {
		close(p.drained)
	}
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
	for _, f := range p.flows.all() {
		f.Abort(rules.EndDrain)
	}
	for _, c := range p.clients.all() {
		c.TCP.Close()
	}
}

// Recheck asks the generation in force about every open flow and closes those
// that it denies. It returns how many. Nothing is journaled by the question;
// the end of each flow is, with cause "policy".
func (p *Proxy) Recheck() int {
	n := 0
	for _, f := range p.flows.all() {
		if f.outdated() {
			n++
		}
	}
	return n
}

// outdated asks the generation in force about the flow and ends the flow if
// that denies it. The code that registers a flow, or judges a registered one,
// asks too, before any byte moves: Recheck did not see a flow that was not
// registered when the generation changed.
func (f *flow) outdated() bool {
	last, _, turn := f.lastDecision()
	a := f.p.withCurrent(last)
	d := f.p.cfg.Gate.Preview(a)
	if !d.Allowed() {
		f.Abort(rules.EndPolicy)
		return true
	}
	f.moveTo(turn, a.Generation, d)
	return false
}

// withCurrent is the same question to the generation in force.
func (p *Proxy) withCurrent(a rules.Attempt) rules.Attempt {
	a.Generation = p.cfg.Generation()
	return a
}
