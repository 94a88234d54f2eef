// Gateway: the parts of a running sallyport, and how they are wired.

package gateway

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/cmd/sallyport/confine"
	"sallyport/cmd/sallyport/nftables"
	"sallyport/cmd/sallyport/systemd"
	"sallyport/denials/journal"
	"sallyport/dnsfilter"
	"sallyport/proxy"
	"sallyport/rules"
	"sallyport/rules/site"
)

// Options are the parameters of Open. Source, Config, Admin, Now and Log are
// required.
type Options struct {
	Source  *Source
	Config  *site.Config // as Source returned it
	Sockets *Sockets     // the open listeners; nil: none
	Filter  PacketFilter
	Manager Manager       // the service manager that started the process
	Limits  ProcessLimits // reported in /readyz
	Build   Build
	Admin   NewAdmin

	ResolvConf string // where upstream "system" finds its servers
	Now        func() time.Time
	Poll       time.Duration // interval of the checks of watched files, expiry dates and the status; 0: a second
	Log        *slog.Logger
	Out        io.Writer // the lines that a start prints for a person; nil: none
}

// A NewAdmin returns the server that shows pages to operators. It reads the files
// that the configuration names for it, such as the token.
type NewAdmin func(pages http.Handler, cfg *site.Config, log *slog.Logger) (AdminServer, error)

// An AdminServer serves the admin listener.
type AdminServer interface {
	// Serve serves until ctx ends.
	Serve(ctx context.Context, l net.Listener) error
}

// A Build identifies the program in reports and metrics.
type Build struct{ Version, Commit string }

// A Gateway is one running sallyport. The front ends ask recorder, which asks the
// generation in live and writes the journal. There is no other path to a
// destination.
type Gateway struct {
	source   *Source
	sockets  *Sockets
	packets  PacketFilter
	limits   ProcessLimits
	build    Build
	manager  *systemd.Notifier // nil: no service manager listens
	watchdog time.Duration
	now      func() time.Time
	poll     time.Duration
	log      *slog.Logger
	out      io.Writer

	live     rules.Live
	journal  *journal.Journal
	recorder *journal.Recorder
	usage    *journal.Usage
	proxy    *proxy.Proxy
	filter   *dnsfilter.Filter
	metrics  *metrics
	drops    *nftables.DropJournal
	sets     *nftables.LiveSets // nil: the packet filter has no live sets
	newAdmin NewAdmin
	admin    AdminServer
	own      rules.Own
	flows    atomic.Uint64
	draining atomic.Bool
	unmet    *unreached
	sinks    *sinks
	found    *rules.Found // where the names of parents and sinks led

	confined  *confine.Confinement // the privileges that the process gave up; nil: none
	hardening []confine.Step       // the result of each step of giving them up

	mu        sync.Mutex // guards the fields that a reload changes
	cfg       *site.Config
	resolver  *dnsfilter.Resolver // of the generation in force
	system    *systemServers      // of upstream "system"
	nat64     *translators        // the prefixes that the upstreams announce
	booted    *site.Config        // the configuration of the start: some keys keep their value until the next start
	reloadErr error               // the error of the last reload; nil: the file is in force
	ended     string              // the last line of warnEnded
	grown     uint64              // the growth of found that the flows were last asked about
	loaded    time.Time
	broken    []string // the expectations that the policy in force breaks
}

// Open opens the journal and builds every part of a gateway. It puts no policy in
// force (Start does) and serves no client (Run does). The caller closes the
// sockets, also when Open fails.
func Open(o Options) (*Gateway, error) {
	sets, err := nftables.OpenSets(o.Filter.LiveSets)
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		source: o.Source, sockets: cmp.Or(o.Sockets, &Sockets{}), packets: o.Filter, limits: o.Limits, build: o.Build,
		manager: o.Manager.Notifier, watchdog: o.Manager.Watchdog, now: o.Now, poll: cmp.Or(o.Poll, time.Second), log: o.Log, out: o.Out, newAdmin: o.Admin,
		cfg: o.Config, booted: o.Config, metrics: newMetrics(), system: newSystemServers(o.ResolvConf), nat64: newTranslators(), found: new(rules.Found),
	}
	g.source.denied = g.confinedCure
	warnOfAbsent(g.log, g.sockets.listeners(), IsLocal)
	warnOfDescriptors(g.log, openFiles(), o.Config.Limits, onlyThisHost(g.sockets.listeners()))
	if g.resolver, err = newResolver(o.Config, g.system); err != nil {
		return nil, err
	}
	if sets != nil {
		g.sets = nftables.NewLiveSets(sets, g.live.Policy, g.now, g.log)
	}
	if err := g.openParts(); err != nil {
		return nil, err
	}
	if g.admin, err = g.newAdmin(g.pages(), o.Config, g.log); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	source, err := g.dropSource()
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	g.drops = nftables.NewDropJournal(source, g.recordDrop, nftables.LedgerPath(o.Config.Journal.Path), g.log)
	return g, nil
}

// openParts opens the journal, and builds the DNS filter and the proxy in front
// of it.
func (g *Gateway) openParts() (err error) {
	j := g.cfg.Journal
	g.journal, err = journal.Open(journal.Config{
		Path: j.Path, Flows: j.Flows, Required: j.Required, MaxSizeMiB: j.MaxSizeMiB, MaxAgeDays: j.MaxAgeDays, Log: g.log,
	})
	if err != nil {
		return err
	}
	g.recorder = journal.NewRecorder(&g.live, g.journal, g.metrics.decided)
	g.usage = journal.OpenUsage(journal.UsagePath(j.Path), IdentityOf(g.source.file), nil, g.log)
	g.recorder.CountUsage(g.usage)
	g.filter = dnsfilter.New(g.dnsConfig(g.cfg))
	g.unmet = newUnreached(g.recorder.Closed, g.metrics.unreached, g.now, g.log)
	l := g.cfg.Limits
	g.proxy = proxy.New(proxy.Config{
		Gate: g.recorder, Generation: g.live.Load, Closed: g.unmet.closed,
		Lookup: lookupBy(g.filter), Unproven: g.filter.Unproven, AdmitName: g.filter.AdmitName, Found: g.found, Pinned: g.filter.Pinned, SyntheticName: g.filter.SyntheticName, NextFlow: g.nextFlow, Log: g.log,
		AnswerDNS: g.filter.Answer, Balancers: g.cfg.Listen.ProxyProtocolFrom,
		Limits: proxy.Limits{
			Connections: l.Connections, PerClient: l.PerClient, Sniffing: l.Sniffing,
			Head: l.Handshake, Sniff: l.Sniff, Dial: l.Dial, Idle: l.Idle, HalfClosed: l.HalfClosed,
			UDPFlows: l.UDPFlows, UDPIdle: l.UDPIdle,
		},
	})
	g.sinks = newSinks(g)
	g.metrics.watch(g)
	return nil
}

func (g *Gateway) nextFlow() uint64 { return g.flows.Add(1) }

// dnsConfig returns the settings that the DNS filter keeps while it runs.
func (g *Gateway) dnsConfig(cfg *site.Config) dnsfilter.Config {
	c := dnsfilter.Config{
		Gate: g.recorder, Generation: g.live.Load, NextFlow: g.nextFlow, Log: g.log, Limits: dnsLimits(cfg),
		Observe: g.metrics.answered, ObserveUpstream: g.metrics.tried, Balancers: cfg.Listen.ProxyProtocolFrom,
	}
	c.Pins = cfg.Listen.Redirected()
	if c.Pins || g.sets != nil {
		c.PrefetchNames = permittedNames
	}
	if g.sets != nil {
		c.Prefetched, c.Answered = g.sets.Fresh, g.sets.Answered
	}
	return c
}
