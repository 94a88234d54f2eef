// NAT64: finds the prefixes of [resolve] nat64 = ["discover"]. The upstreams
// announce them and may change them while sallyport runs.

package gateway

import (
	"context"
	"net/netip"
	"sallyport/denials/journal"
	"slices"
	"strings"
	"time"
)

const (
	// nat64Least is the shortest time until the next question, even if the TTL of
	// the answer is shorter (RFC 7050, section 3): a change empties the cache.
	nat64Least = time.Minute
	// nat64Retry is the time until the next question after a question without an
	// answer.
	nat64Retry = 10 * time.Second
	// nat64Never is the time until the next look where the configuration does not
	// ask for discovery.
	nat64Never = time.Hour
)

// translators holds the result of a discovery. Gateway.mu guards found and said.
type translators struct {
	found []netip.Prefix
	said  string        // the problem that was logged last
	again chan struct{} // a message: the upstreams may have changed
}

func newTranslators() *translators { return &translators{again: make(chan struct{}, 1)} }

// ask makes watchNAT64 ask the upstreams soon.
func (t *translators) ask() {
	select {
	case t.again <- struct{}{}:
	default:
	}
}

// watchNAT64 asks the upstreams again when their answer expires.
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
// wants that. If the prefixes changed, it puts the new prefixes in force; if no
// upstream answers, the earlier prefixes stay. It returns the time until the next
// question.
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
	if g.live.Load() != asked { // the answer may come from earlier upstreams
		g.nat64.ask()
		return nat64Retry
	}
	if err != nil {
		g.nat64Trouble("the upstreams do not answer the question for their NAT64 prefixes; the earlier prefixes stay in force: " + err.Error())
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
		g.enforceNAT64(p.Prefixes)
	}
	return max(p.For, nat64Least)
}

// nat64Trouble logs a problem, once.
func (g *Gateway) nat64Trouble(text string) {
	if text != g.nat64.said {
		g.log.Warn(text)
	}
	g.nat64.said = text
}

// enforceNAT64 puts the configuration in force with other discovered prefixes.
func (g *Gateway) enforceNAT64(found []netip.Prefix) {
	before := g.nat64.found
	g.nat64.found = found
	resolver, err := newResolver(g.cfg.WithNAT64(found), g.system)
	if err != nil {
		g.nat64.found = before
		g.nat64Trouble("the discovered NAT64 prefixes are not used: " + g.outside(err).Error())
		return
	}
	g.enforce(g.cfg, resolver, g.now())
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
