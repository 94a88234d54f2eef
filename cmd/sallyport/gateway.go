// Gateway: the parts of a running sallyport, and how they are wired.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/cmd/sallyport/confine"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/cmd/sallyport/nftables"
	"sallyport/cmd/sallyport/systemd"
	"sallyport/denials/journal"
	"sallyport/dnsfilter"
	"sallyport/proxy"
	"sallyport/rules"
	"sallyport/rules/site"
)

// A Gateway is one running sallyport. Front ends ask recorder, which asks the
// generation in live and writes the journal; there is no other way to a
// destination.
type Gateway struct {
	file  string // --config
	read  string // fileState of file, from before it was read
	stdin io.Reader
	log   *slog.Logger

	keeper gateway.Keeper // of the start: /etc/group is out of reach then

	live     rules.Live
	journal  *journal.Journal
	recorder *journal.Recorder
	usage    *journal.Usage
	proxy    *proxy.Proxy
	filter   *dnsfilter.Filter
	metrics  *metrics
	drops    *nftables.DropJournal // nil: of a gateway that does not run
	sets     *nftables.LiveSets    // nil: the packet filter's sets are not ours to keep
	own      rules.Own
	flows    atomic.Uint64
	draining atomic.Bool
	unmet    *unreached

	confined  *confine.Confinement // what the process gave up; nil: nothing
	hardening []confine.Step       // how each step of that ended
	limits    processLimits
	manager   *systemd.Notifier // nil: nobody wants to know

	mu        sync.Mutex // guards what a reload changes
	cfg       *site.Config
	resolver  *dnsfilter.Resolver // of the generation in force
	system    *systemServers      // of upstream "system"
	nat64     *translators        // that the upstreams tell of
	booted    *site.Config        // at the start: what no reload changes is as there
	reloadErr error               // of the last reload; nil: the file is what is in force
	loaded    time.Time
}

// newGateway opens the journal and builds everything but the listeners. sets
// are the packet filter's, nil where nobody asked for them to be kept current.
func newGateway(file string, stdin io.Reader, cfg *site.Config, log *slog.Logger, sets nftables.AddressSet) (*Gateway, error) {
	g := &Gateway{file: file, stdin: stdin, keeper: gateway.ThisKeeper(), cfg: cfg, booted: cfg, log: log, metrics: newMetrics(), system: newSystemServers(resolvConf), nat64: newTranslators()}
	if sets != nil {
		g.sets = nftables.NewLiveSets(sets, g.live.Policy, time.Now, log)
	}
	j := cfg.Journal
	var err error
	g.journal, err = journal.Open(journal.Config{
		Path: j.Path, Flows: j.Flows, Required: j.Required, MaxSizeMiB: j.MaxSizeMiB, MaxAgeDays: j.MaxAgeDays, Log: log,
	})
	if err != nil {
		return nil, err
	}
	g.recorder = journal.NewRecorder(&g.live, g.journal, g.metrics.decided)
	g.usage = journal.OpenUsage(journal.UsagePath(j.Path), nil, log)
	g.recorder.CountUsage(g.usage)
	g.filter = dnsfilter.New(g.dnsConfig(cfg))
	g.unmet = newUnreached(g.recorder.Closed, g.metrics.unreached, time.Now, log)
	l := cfg.Limits
	g.proxy = proxy.New(proxy.Config{
		Gate: g.recorder, Generation: g.live.Load, Closed: g.unmet.closed,
		Lookup: lookupBy(g.filter), AdmitName: g.filter.AdmitName, Pinned: g.filter.Pinned, NextFlow: g.nextFlow, Log: log,
		Limits: proxy.Limits{
			Connections: l.Connections, PerClient: l.PerClient, Sniffing: l.Sniffing,
			Head: l.Handshake, Sniff: l.Sniff, Dial: l.Dial, Idle: l.Idle, HalfClosed: l.HalfClosed,
		},
	})
	g.metrics.watch(g)
	return g, nil
}

func (g *Gateway) nextFlow() uint64 { return g.flows.Add(1) }

// dnsConfig is what the DNS filter works with for as long as it runs.
func (g *Gateway) dnsConfig(cfg *site.Config) dnsfilter.Config {
	c := dnsfilter.Config{
		Gate: g.recorder, Generation: g.live.Load, NextFlow: g.nextFlow, Log: g.log, Limits: dnsLimits(cfg),
		Observe: g.metrics.answered, ObserveUpstream: g.metrics.tried,
	}
	c.Pins = len(cfg.Listen.Transparent) > 0
	if c.Pins || g.sets != nil {
		c.PrefetchNames = permittedNames
	}
	if g.sets != nil {
		c.Prefetched, c.Answered = g.sets.Fresh, g.sets.Answered
	}
	return c
}

// enforce puts a configuration in force as one generation: its policy as of now,
// with the NAT64 prefixes that were discovered, and the resolver of the names
// that this permits. It returns the warnings of the policy.
func (g *Gateway) enforce(cfg *site.Config, resolver *dnsfilter.Resolver, now time.Time) (*rules.Policy, rules.Problems) {
	policy, warnings := rules.Compile(&cfg.WithNAT64(g.nat64.found).Spec, g.own, now)
	g.live.Swap(&rules.Generation{Policy: policy, Resolver: resolver})
	g.resolver = resolver
	g.filter.PolicyChanged()
	return policy, warnings
}

// permittedNames lists the names that the DNS filter looks up before a client
// asks.
func permittedNames(g *rules.Generation) []rules.Name {
	if g == nil || g.Policy == nil {
		return nil
	}
	return g.Policy.Names()
}

// expire compiles the policy anew whenever a rule expires, and closes the
// tunnels of that rule. It looks every second, so that neither a reload nor a
// clock that is set makes it late.
func (g *Gateway) expire(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		g.mu.Lock()
		if at, now := g.live.Policy().NextExpiry(), time.Now(); !at.IsZero() && !now.Before(at) {
			g.enforce(g.cfg, g.resolver, now)
			closed, which := g.proxy.Recheck(), expired(g.cfg, at, now)
			g.log.Warn("a rule expired: what it permitted is denied", "rules", which, "closed", closed)
			g.journal.Event(journal.EventReload, "expired: "+which+"; "+closedFlows(closed))
		}
		g.mu.Unlock()
	}
}

// expired names the rules that expired from one instant to another, both
// included, for whoever asks in the morning what changed at midnight.
func expired(cfg *site.Config, from, to time.Time) string {
	var out []string
	for _, r := range cfg.Rules {
		if !r.Expires.Before(from) && !r.Expires.After(to) {
			out = append(out, r.String())
		}
	}
	return strings.Join(out, ", ")
}

// ready tells what keeps sallyport from serving as configured, one error each.
func (g *Gateway) ready() []error {
	g.mu.Lock()
	reload, system := g.reloadErr, error(nil)
	if asksSystem(g.cfg) {
		system = g.outside(g.system.err)
	}
	g.mu.Unlock()
	var errs []error
	if g.draining.Load() {
		errs = append(errs, errors.New("draining"))
	}
	if reload != nil {
		errs = append(errs, fmt.Errorf("configuration: the file is not in force, an earlier one is: %w", reload))
	}
	if system != nil {
		errs = append(errs, fmt.Errorf("dns: the servers that the system had before are asked: %w", system))
	}
	if err := g.journal.Err(); err != nil {
		errs = append(errs, fmt.Errorf("journal: %w", g.outside(err)))
	}
	if err := g.filter.Healthy(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") { // one for each set of upstreams
			errs = append(errs, errors.New(line))
		}
	}
	return errs
}
