// NAT64: the prefixes of [resolve] nat64 = ["discover"], which the upstreams tell
// and may change while sallyport runs.

package main

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sallyport/denials/journal"
	"sallyport/rules"
	"sallyport/rules/site"
)

const (
	// nat64Least is how soon at the earliest the upstreams are asked again,
	// whatever the answer's TTL (RFC 7050, section 3): a change forgets the answers
	// that are known.
	nat64Least = time.Minute
	// nat64Retry is how soon they are asked again when they did not answer.
	nat64Retry = 10 * time.Second
	// nat64Never is a look at whether there is anything to do at all.
	nat64Never = time.Hour
)

// translators is what a discovery found. The gateway's mu guards found and said.
type translators struct {
	found []netip.Prefix
	said  string        // the last trouble that was logged
	again chan struct{} // the upstreams may be others now
}

func newTranslators() *translators { return &translators{again: make(chan struct{}, 1)} }

// ask has the upstreams asked soon.
func (t *translators) ask() {
	select {
	case t.again <- struct{}{}:
	default:
	}
}

// watchNAT64 asks the upstreams again when their answer is over.
func (g *Gateway) watchNAT64(ctx context.Context) {
	for {
		timer := time.NewTimer(g.discoverNAT64(ctx))
		select {
		case <-timer.C:
		case <-g.nat64.again:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// discoverNAT64 asks the upstreams for their NAT64 prefixes, if the configuration
// says so. Others than before take force with the same configuration. Where no
// upstream answers those from before stay. It returns when to ask again.
func (g *Gateway) discoverNAT64(ctx context.Context) time.Duration {
	g.mu.Lock()
	asked, discover := g.live.Load(), g.cfg.NAT64Discover
	g.mu.Unlock()
	if !discover {
		return nat64Never
	}
	p, err := g.filter.DiscoverNAT64(ctx, asked)
	if ctx.Err() != nil {
		return nat64Retry
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.live.Load() != asked { // the answer may be that of other upstreams
		g.nat64.ask()
		return nat64Retry
	}
	if err != nil {
		g.nat64Trouble("the upstreams do not tell their NAT64 prefixes; those from before stay: " + err.Error())
		return nat64Retry
	}
	var refused []string
	for _, why := range p.Refused {
		refused = append(refused, why.Error())
	}
	if len(refused) > 0 {
		g.nat64Trouble("a discovered NAT64 prefix is not used unless [resolve] nat64 lists it: " + strings.Join(refused, "; "))
	} else {
		g.nat64.said = ""
	}
	if !slices.Equal(p.Prefixes, g.nat64.found) {
		g.takeNAT64(p.Prefixes)
	}
	return max(p.For, nat64Least)
}

// nat64Trouble logs what is the matter, once.
func (g *Gateway) nat64Trouble(text string) {
	if text != g.nat64.said {
		g.log.Warn(text)
	}
	g.nat64.said = text
}

// takeNAT64 puts the same configuration in force with other discovered prefixes.
func (g *Gateway) takeNAT64(found []netip.Prefix) {
	before := g.nat64.found
	g.nat64.found = found
	resolver, err := newResolver(g.cfg.WithNAT64(found), g.system)
	if err != nil {
		g.nat64.found = before
		g.nat64Trouble("the discovered NAT64 prefixes are not used: " + g.outside(err).Error())
		return
	}
	g.enforce(g.cfg, resolver, time.Now())
	closed := g.proxy.Recheck()
	g.log.Info("the NAT64 prefixes changed", "discovered", prefixList(found), "before", prefixList(before), "closed", closed)
	g.journal.Event(journal.EventReload, "discovered NAT64 prefixes: "+prefixList(found)+"; "+closedFlows(closed))
}

func prefixList(prefixes []netip.Prefix) string {
	if len(prefixes) == 0 {
		return "none"
	}
	var out []string
	for _, p := range prefixes {
		out = append(out, p.String())
	}
	return strings.Join(out, ", ")
}

// discoveredOnce is the configuration with the prefixes that its upstreams tell
// now, for a command that does not run for long.
func discoveredOnce(ctx context.Context, cfg *site.Config, policy *rules.Policy) (*site.Config, error) {
	if !cfg.NAT64Discover {
		return cfg, nil
	}
	filter, _, err := lookupFilter(cfg, policy, nil)
	if err != nil {
		return nil, err
	}
	defer filter.Close()
	p, err := filter.DiscoverNAT64(ctx, nil)
	if err != nil {
		return cfg, nil // as run does: nothing is known to be translated; that the upstreams do not answer is in the report
	}
	return cfg.WithNAT64(p.Prefixes), nil
}
