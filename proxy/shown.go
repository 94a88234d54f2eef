// Shown: the certificate that a client has shown, checked anew by each generation.

package proxy

import (
	"crypto/x509"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/proxy/proof"
	"sallyport/rules"
)

// shown is the certificate of one connection. A reload may have other authorities and revocation
// lists, so each generation checks it, also for a connection that is open for long.
type shown struct {
	chain []*x509.Certificate // the client's own certificate first

	mu      sync.Mutex
	by      *rules.Generation // that checked it last; nil: none
	checked proof.Checked
}

// A proofClock knows the next time at which the certificate of an open flow, or a list of revoked ones
// that it was looked up in, ends. Its zero value knows none.
type proofClock struct{ at atomic.Int64 } // nanoseconds since 1970; 0: none

// sooner tells the clock of a time. The zero time is none.
func (k *proofClock) sooner(t time.Time) {
	if t.IsZero() {
		return
	}
	for {
		at := k.at.Load()
		if at != 0 && at <= t.UnixNano() || k.at.CompareAndSwap(at, t.UnixNano()) {
			return
		}
	}
}

// passed reports whether the time has come, and forgets it.
func (k *proofClock) passed(now time.Time) bool {
	at := k.at.Load()
	return at != 0 && now.UnixNano() > at && k.at.CompareAndSwap(at, 0)
}

// RecheckProofs asks the generation in force again about the open flows of clients whose certificate,
// or whose list of revoked ones, has ended. It closes the flows that are denied, and returns their
// number. Until a first one ends, it costs nothing.
func (p *Proxy) RecheckProofs(now time.Time) (closed int) {
	if !p.proofs.passed(now) {
		return 0
	}
	for _, f := range p.flows.all() {
		if f.c.shown != nil && f.outdated() {
			closed++
		}
	}
	return closed
}

// check returns what the certificate proves to a generation.
func (s *shown) check(g *rules.Generation, now time.Time) proof.Checked {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by != g || s.by == nil || now.After(s.checked.Until) {
		var authorities *proof.Authorities
		if server := proof.Of(g).Server; server != nil {
			authorities = server.Authorities
		}
		s.by, s.checked = g, authorities.Verify(s.chain, now)
	}
	return s.checked
}

// until returns when the last answer of check ends.
func (s *shown) until() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.checked.Until
}

// certify adds to the question what the client's certificate proves to the question's generation, or
// why it proves nothing. A certificate that is not accepted is always denied, also where the client
// need not show any.
func (c *client) certify(a *rules.Attempt) {
	if c.shown == nil {
		return
	}
	checked := c.shown.check(a.Generation, time.Now())
	now := &rules.Identity{Certificate: checked.Names}
	if a.Identity != nil {
		now.User = a.Identity.User
	}
	a.Identity = now
	if len(now.Certificate) == 0 && now.User == "" {
		a.Identity = nil
	}
	if checked.Result != proof.Accepted && a.Fault == rules.ReasonNone {
		a.Fault, a.Detail = rules.Unauthenticated, checked.Fault
	}
}
