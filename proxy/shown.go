// Shown: the certificate that a client has shown, checked anew by each generation.

package proxy

import (
	"crypto/x509"
	"sync"
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
