// Probe: tries the destinations that a policy permits. It uses the resolver and the
// dialer of a gateway, but opens no listener and writes no record.

package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sallyport/cmd/sallyport/preflight"
	"sallyport/dnsfilter"
	"sallyport/proxy"
	"sallyport/rules"
	"sallyport/rules/site"
	"slices"
	"sync"
	"time"
)

// Probes describes which destinations are tried, and how.
type Probes struct {
	Wanted   func(client, host string) bool // host is "" for a destination without one, such as a role that is not bound
	Timeout  time.Duration                  // of each step
	Parallel int                            // steps at once
	Agent    string                         // the User-Agent of requests
	Progress func(done, total int)          // nil: not reported
}

// Probe tries every destination of a configuration that p wants.
func Probe(ctx context.Context, cfg *site.Config, p Probes) (*preflight.Report, error) {
	own, now := ownOf(cfg.Listen), time.Now()
	own.Found = new(rules.Found)
	policy, _ := rules.Compile(&cfg.Spec, own, now)
	if err := readyParents(cfg, systemRoots); err != nil {
		return nil, err
	}
	cfg, err := discoveredOnce(ctx, cfg, policy)
	if err != nil {
		return nil, err
	}
	policy, _ = rules.Compile(&cfg.Spec, own, now)
	plan := preflight.NewPlan(policy, p.Wanted, func(c *rules.Client) (netip.Addr, error) {
		return ClientAddress(cfg, policy, c.Name, "")
	})
	if plan.Len() == 0 && len(plan.NotTried) == 0 {
		return nil, fmt.Errorf("nothing to try: %s permits no destination that --client and --host select; see sallyport check", cfg.File)
	}
	tries := upstreamTries{seen: map[rules.Upstream]*preflight.Upstream{}}
	filter, upstreams, err := lookupFilter(cfg, policy, tries.note)
	if err != nil {
		return nil, err
	}
	defer filter.Close()
	filter.ProbeProven(ctx)
	findServices(ctx, lookupBy(filter), nil, cfg, own.Found)
	again := time.NewTicker(time.Second)
	defer again.Stop()
	report := preflight.Run(ctx, preflight.Config{
		Gate: policy, Roots: systemRoots(), Timeout: p.Timeout, Parallel: p.Parallel,
		Dialer: proxy.New(proxy.Config{Gate: policy, Lookup: lookupBy(filter), Unproven: filter.Unproven, Found: own.Found, Connect: proxy.Probing}),
		Agent:  p.Agent, Now: time.Now, Progress: p.Progress, Again: again.C,
	}, plan)
	report.Listener = probeListener(ctx, cfg, systemRoots(), p.Timeout, now)
	report.Config, report.Revision = cfg.File, policy.Revision()
	var demanded []rules.Upstream
	if cfg.DNS.DNSSEC != "off" { // then each text is one upstream
		demanded = upstreams[:len(cfg.DNS.Upstreams)]
	}
	report.SetUpstreams(tries.list(upstreams, demanded))
	return report, nil
}

// discoveredOnce returns the configuration with the NAT64 prefixes that its
// upstreams announce now.
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
		return cfg, nil // like run: without prefixes; the report shows that the upstreams do not answer
	}
	return cfg.WithNAT64(p.Prefixes), nil
}

// lookupFilter returns a DNS filter that only resolves, and its upstreams.
func lookupFilter(cfg *site.Config, policy *rules.Policy, tried func(dnsfilter.UpstreamTry)) (*dnsfilter.Filter, []rules.Upstream, error) {
	c, err := resolverConfig(cfg, newSystemServers(ResolvConf))
	if err != nil {
		return nil, nil, err
	}
	resolver, err := dnsfilter.NewResolver(c)
	if err != nil {
		return nil, nil, err
	}
	only := &rules.Generation{Policy: policy, Resolver: resolver}
	f := dnsfilter.New(dnsfilter.Config{
		Gate: policy, Generation: func() *rules.Generation { return only }, ObserveUpstream: tried, Log: slog.New(slog.DiscardHandler),
	})
	all := slices.Clone(c.Upstreams)
	for _, z := range c.Zones {
		all = append(all, z.Upstreams...)
	}
	return f, all, nil
}

// upstreamTries counts the answers of each upstream.
type upstreamTries struct {
	mu   sync.Mutex
	seen map[rules.Upstream]*preflight.Upstream
}

// note counts one try.
func (u *upstreamTries) note(t dnsfilter.UpstreamTry) {
	u.mu.Lock()
	defer u.mu.Unlock()
	one := u.seen[t.Upstream]
	if one == nil {
		one = &preflight.Upstream{}
		u.seen[t.Upstream] = one
	}
	if t.Up {
		one.Answered++
	} else {
		one.Failed++
	}
	if t.Proved {
		one.Proved++
	}
	one.Respells = one.Respells || t.ChangesCase
	if fault := (*dnsfilter.UpstreamFault)(nil); errors.As(t.Why, &fault) {
		one.Fault, one.Cure = fault.Text, fault.Cure
	}
}

// What is said of a resolver that does not validate, although [dns] dnssec demands that.
const (
	provesNothing     = "it answers, but says of no answer that DNSSEC proves it ([dns] dnssec)"
	provesNothingCure = "turn on DNSSEC validation in this resolver, or list a resolver that validates"
)

// list returns the counts in the order of the upstreams. demanded has the upstreams whose
// answers DNSSEC must prove.
func (u *upstreamTries) list(order, demanded []rules.Upstream) []preflight.Upstream {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := []preflight.Upstream{}
	for _, up := range order {
		one := preflight.Upstream{}
		if seen := u.seen[up]; seen != nil {
			one = *seen
		}
		one.Upstream, one.Ports = up.String(), up.Ports()
		if slices.Contains(demanded, up) && one.Answered > 0 && one.Proved == 0 {
			one.Fault, one.Cure = provesNothing, provesNothingCure
		}
		out = append(out, one)
	}
	return out
}
