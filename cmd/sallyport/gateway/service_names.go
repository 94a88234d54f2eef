// Service names: looks up the names of parents and sinks, so that no client reaches their addresses.

package gateway

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"sallyport/denials/journal"
	"sallyport/dnsfilter"
	"sallyport/rules"
	"sallyport/rules/site"
)

const (
	// serviceNameEvery is how often the name of a parent or a sink is looked up, and
	// serviceNameRetry how soon again if there was no answer. Until there is one, its address is
	// not known, so that a rule for that address would permit it.
	serviceNameEvery = time.Minute
	serviceNameRetry = 5 * time.Second
	// serviceNameWait is how long a start or a reload waits for the first answers.
	serviceNameWait = 2 * time.Second
)

// serviceNames returns the names of the parents and sinks of a configuration that [hosts] gives no
// address: the policy knows the addresses of those.
func serviceNames(cfg *site.Config) []rules.Name {
	seen := map[rules.Name]bool{{}: true}
	var out []rules.Name
	add := func(n rules.Name) {
		if !seen[n] && len(cfg.Hosts[n]) == 0 {
			out = append(out, n)
		}
		seen[n] = true
	}
	for _, p := range cfg.Parents {
		add(p.At.Name)
	}
	for _, s := range cfg.Sinks {
		add(s.At.Name)
	}
	return out
}

// lookup resolves a name with the resolver of a generation.
type lookup func(context.Context, *rules.Generation, rules.Name) ([]netip.Addr, error)

// findService looks up a name, and remembers its addresses.
func findService(ctx context.Context, look lookup, by *rules.Generation, name rules.Name, found *rules.Found) error {
	addrs, err := look(ctx, by, name)
	if err == nil && len(addrs) == 0 {
		err = errors.New("the name has no address")
	}
	if err == nil {
		found.Remember(name, addrs, time.Now())
	}
	return err
}

// findServices looks up the names of parents and sinks before a configuration is used. It waits a
// short time only.
func findServices(ctx context.Context, look lookup, by *rules.Generation, cfg *site.Config, found *rules.Found) {
	ctx, cancel := context.WithTimeout(ctx, serviceNameWait)
	defer cancel()
	var all sync.WaitGroup
	for _, name := range serviceNames(cfg) {
		all.Go(func() { _ = findService(ctx, look, by, name, found) })
	}
	all.Wait()
}

// findServices looks up the names of a configuration before it is put in force, with its resolver.
// watchServices goes on with it.
func (g *Gateway) findServices(ctx context.Context, cfg *site.Config, resolver *dnsfilter.Resolver) {
	findServices(ctx, lookupBy(g.filter), &rules.Generation{Resolver: resolver}, cfg, g.found)
	g.grown = g.found.Growth()
}

// watchServices runs until ctx ends.
func (g *Gateway) watchServices(ctx context.Context) {
	due := g.visitServices(ctx, nil)
	g.everyPoll(ctx, func() { due = g.visitServices(ctx, due) })
}

// visitServices looks up the names that are due, all at once. It returns when each is due next.
func (g *Gateway) visitServices(ctx context.Context, due map[rules.Name]time.Time) map[rules.Name]time.Time {
	g.mu.Lock()
	names, by := serviceNames(g.cfg), g.live.Load()
	g.mu.Unlock()
	next := map[rules.Name]time.Time{}
	now := g.now()
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, name := range names {
		mu.Lock()
		next[name] = due[name]
		mu.Unlock()
		if now.Before(due[name]) {
			continue
		}
		all.Go(func() {
			again := now.Add(serviceNameEvery)
			limited, cancel := context.WithTimeout(ctx, g.booted.Limits.Dial)
			defer cancel()
			if findService(limited, lookupBy(g.filter), by, name, g.found) != nil {
				again = now.Add(serviceNameRetry)
			}
			mu.Lock()
			defer mu.Unlock()
			next[name] = again
		})
	}
	all.Wait()
	return next
}

// watchGrowth runs until ctx ends. It does not wait for look-ups: the dialer finds addresses too.
func (g *Gateway) watchGrowth(ctx context.Context) {
	g.everyPoll(ctx, g.closeGrown)
}

// closeGrown ends what leads to a parent or a sink whose address was not known when it was
// permitted. It puts the same configuration in force as a new generation, so that kept connections
// are not used again either.
func (g *Gateway) closeGrown() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.found.Growth()
	if now == g.grown {
		return
	}
	g.grown = now
	g.enforce(g.cfg, g.resolver, g.now())
	if closed := g.proxy.Recheck(); closed > 0 {
		g.log.Warn("flows led to a parent or a sink, whose name has a new address", "closed", closed)
		g.journal.Event(journal.EventReload, "a parent or a sink has a new address; "+closedFlows(closed))
	}
}
