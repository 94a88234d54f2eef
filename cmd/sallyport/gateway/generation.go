// Generation: puts a configuration in force, and removes rules that expire.

package gateway

import (
	"context"
	"sallyport/denials/journal"
	"sallyport/dnsfilter"
	"sallyport/proxy/proof"
	"sallyport/rules"
	"sallyport/rules/site"
	"slices"
	"strings"
	"time"
)

// enforce puts a configuration in force as one generation: the policy as of now,
// with the discovered NAT64 prefixes, and the resolver. It returns the policy and
// its warnings.
func (g *Gateway) enforce(cfg *site.Config, resolver *dnsfilter.Resolver, now time.Time) (*rules.Policy, rules.Problems) {
	policy, warnings := rules.Compile(&cfg.WithNAT64(g.nat64.found).Spec, g.own, now)
	g.live.Swap(&rules.Generation{Policy: policy, Resolver: resolver, Identities: bookOf(cfg)})
	g.resolver = resolver
	g.checkExpectations(cfg, policy, now)
	g.filter.PolicyChanged()
	g.metrics.keepUpstreams(g.filter.Upstreams())
	return policy, warnings
}

// bookOf returns what the proofs of clients are checked with.
func bookOf(cfg *site.Config) *proof.Book {
	book := &proof.Book{Passwords: cfg.Passwords}
	if s := cfg.Secure; s != nil {
		var authorities *proof.Authorities
		if len(s.Authorities) > 0 {
			authorities = proof.NewAuthorities(s.Authorities, s.Revoked)
		}
		book.Server = proof.NewServer(s.Certificate, authorities)
	}
	return book
}

// checkExpectations finds out which [[expect]] the policy in force breaks. A load refuses such
// a configuration. But a rule may expire, or the discovered prefixes may change, while the
// configuration is in force: then the gateway goes on serving by its policy, and the log and
// /readyz have the broken expectations.
func (g *Gateway) checkExpectations(cfg *site.Config, policy *rules.Policy, now time.Time) {
	before := g.broken
	g.broken = nil
	for _, p := range cfg.CheckExpectations(policy, now) {
		if p.Warning {
			continue
		}
		g.broken = append(g.broken, p.String())
		if !slices.Contains(before, p.String()) {
			g.log.Error("the policy in force breaks an expectation; the next start or reload refuses this configuration", "expect", p.String())
		}
	}
}

// permittedNames returns the names that the DNS filter looks up before a client
// asks for them.
func permittedNames(g *rules.Generation) []rules.Name {
	if g == nil || g.Policy == nil {
		return nil
	}
	return g.Policy.Names()
}

// expire compiles the policy again when a rule expires, and closes the tunnels of
// that rule. It looks at the clock every second, so that it is on time after a
// reload and after a change of the clock. It also closes the tunnels of clients whose
// proof has ended.
func (g *Gateway) expire(ctx context.Context) {
	g.everyPoll(ctx, func() {
		if n := g.proxy.RecheckProofs(g.now()); n > 0 {
			g.log.Warn("certificates of clients, or the lists of revoked ones, have ended", "closed", n)
		}
		g.mu.Lock()
		g.warnEnded(g.now())
		if at, now := g.live.Policy().NextExpiry(), g.now(); !at.IsZero() && !now.Before(at) {
			g.enforce(g.cfg, g.resolver, now)
			closed, which := g.proxy.Recheck(), expired(g.cfg, at, now)
			g.log.Warn("a rule expired and permits nothing any more", "rules", which, "closed", closed)
			g.journal.Event(journal.EventReload, "expired: "+which+"; "+closedFlows(closed))
		}
		g.mu.Unlock()
	})
}

// expired lists the rules that expired between two instants, both included.
func expired(cfg *site.Config, from, to time.Time) string {
	var out []string
	for _, r := range cfg.Rules {
		if !r.Expires.Before(from) && !r.Expires.After(to) {
			out = append(out, r.String())
		}
	}
	return strings.Join(out, ", ")
}
