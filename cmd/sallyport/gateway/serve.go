// Serve: runs every front end, and stops them in order.

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"sallyport/cmd/sallyport/nftables"
	"sallyport/denials/journal"
)

// Signals are the signals that the process gets while it serves.
type Signals struct {
	Stop   <-chan os.Signal // the first stops the gateway, a second one ends the drain
	Hangup <-chan os.Signal // each reopens the journal and reloads
}

// Start puts the configuration in force, records the start and prints the lines
// for a person. Connections that wait in the listeners are served by Run.
func (g *Gateway) Start(ctx context.Context) {
	g.own, g.loaded = g.sockets.own(), g.now()
	g.own.Local, g.own.Found = (&hostAddresses{list: net.InterfaceAddrs, now: g.now}).has, g.found
	g.own.Datagrams = g.proxy.HasAssociation
	policy, warnings := g.enforce(g.cfg, g.resolver, g.loaded)
	for _, p := range warnings {
		g.print("sallyport: " + p.String() + "\n")
	}
	g.journal.Start(fmt.Sprintf("version %s, %s, hardening %s", g.build.Version, DescribePolicy(g.cfg, policy)+replacements(g.cfg), describeHardening(g.hardening)),
		journal.OwnTexts(g.own.Listeners, HostAddresses()))
	g.discoverNAT64(ctx) // the first clients need it
	g.findServices(ctx, g.cfg, g.resolver)
	g.print(g.startLines(policy))
	for _, err := range nftables.MissingRoutes(g.booted.Listen, g.booted) {
		g.log.Warn(err.Error())
	}
}

// print writes lines for the person who started sallyport.
func (g *Gateway) print(text string) {
	if g.out != nil {
		_, _ = io.WriteString(g.out, text)
	}
}

// Run serves until a signal comes, ctx ends or a front end fails. Then it drains
// the open connections. If systemd has a watchdog, Run reports to it within each
// interval that the process works.
func (g *Gateway) Run(ctx context.Context, signals Signals) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	failed := make(chan error, 1)
	start := func(name string, serve func(context.Context) error) {
		all.Add(1)
		go supervise(ctx, &all, name, serve, failed)
	}
	g.serveClients(start)
	g.keepCurrent(start)
	start("watchdog", func(ctx context.Context) error { g.manager.Watch(ctx, g.watchdog, g.alive, g.log); return nil })
	g.mu.Lock()
	g.sinks.serve(g.cfg.Sinks)
	g.mu.Unlock()
	g.manager.Ready(g.status())
	start("status", func(ctx context.Context) error { g.reportStatus(ctx); return nil })

	err := g.await(ctx, signals, failed)
	g.drain(g.booted.Limits.Drain, signals.Stop)
	cancel() // every front end answers the requests that it accepted, then closes its sockets
	all.Wait()
	g.journal.Event(journal.EventStop, "version "+g.build.Version)
	if err := g.journal.Sync(); err != nil {
		g.log.Error("journal: sync", "error", err)
	}
	g.sinks.stop()
	return err
}

// A starter runs one part of the gateway until its context ends.
type starter func(name string, serve func(context.Context) error)

// serveClients starts the front ends and the admin listener.
func (g *Gateway) serveClients(start starter) {
	for _, l := range g.sockets.http {
		start("http", func(ctx context.Context) error { return g.proxy.ServeHTTP(ctx, l) })
	}
	for _, l := range g.sockets.https {
		start("https", func(ctx context.Context) error { return g.proxy.ServeHTTPS(ctx, l) })
	}
	for _, l := range g.sockets.socks5 {
		start("socks5", func(ctx context.Context) error { return g.proxy.ServeSOCKS5(ctx, l) })
	}
	for _, l := range g.sockets.transparent {
		start("transparent", func(ctx context.Context) error { return g.proxy.ServeTransparent(ctx, l) })
	}
	for _, l := range g.sockets.tproxy {
		start("tproxy", func(ctx context.Context) error { return g.proxy.ServeTPROXY(ctx, l) })
	}
	for _, c := range g.sockets.tproxyUDP {
		start("tproxy", func(ctx context.Context) error { return g.proxy.ServeTPROXYDatagrams(ctx, c) })
	}
	// Without a DNS listener the filter still looks up permitted names in advance.
	if len(g.sockets.dnsUDP) > 0 || len(g.sockets.transparent)+len(g.sockets.tproxy) > 0 || g.sets != nil {
		start("dns", func(ctx context.Context) error { return g.filter.Serve(ctx, g.sockets.dnsUDP, g.sockets.dnsTCP) })
	}
	if g.sockets.admin != nil {
		start("admin", func(ctx context.Context) error { return g.admin.Serve(ctx, g.sockets.admin) })
	}
}

// keepCurrent starts the parts that watch for changes: of files, upstreams, the
// packet filter and the clock.
func (g *Gateway) keepCurrent(start starter) {
	forever := func(name string, run func(context.Context)) {
		start(name, func(ctx context.Context) error { run(ctx); return nil })
	}
	forever("watch", g.watch)
	forever("resolvers", g.watchSystem)
	forever("nat64", g.watchNAT64)
	forever("parents", g.watchParents)
	forever("services", g.watchServices)
	forever("growth", g.watchGrowth)
	forever("memory", returnMemory)
	if g.drops.Reads() {
		forever("drops", g.drops.Run)
	}
	forever("usage", g.usage.Run)
	if g.sets != nil {
		forever("live sets", g.sets.Run)
	}
	forever("expire", g.expire)
}

// supervise runs one part and reports its failure, unless ctx has ended.
func supervise(ctx context.Context, all *sync.WaitGroup, name string, serve func(context.Context) error, failed chan<- error) {
	defer all.Done()
	if err := serve(ctx); err != nil && ctx.Err() == nil {
		select {
		case failed <- fmt.Errorf("%s: %w", name, err):
		default: // one failure is enough to stop the gateway
		}
	}
}

// await handles signals until one stops the gateway. A front end that fails stops
// it too: a restart is better than a gateway that serves only in part.
func (g *Gateway) await(ctx context.Context, signals Signals, failed <-chan error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-signals.Stop:
			g.log.Info("stopping", "signal", s.String())
			return nil
		case err := <-failed:
			return err
		case <-signals.Hangup:
			if err := g.journal.Reopen(); err != nil {
				g.log.Error("cannot reopen the journal", "error", err)
			}
			g.Reload("SIGHUP")
		}
	}
}

// drain waits until open connections end, at most for limit or until a second
// signal. Meanwhile /readyz reports the drain.
func (g *Gateway) drain(limit time.Duration, stop <-chan os.Signal) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	g.draining.Store(true)
	g.manager.Stopping(g.status(), limit+afterDrain)
	started := time.Now()
	ended := make(chan struct{})
	go g.cutShort(stop, ended, cancel)
	err := g.proxy.Drain(ctx)
	close(ended)
	if err != nil {
		g.log.Warn("closed connections that were still open", "after", time.Since(started).Round(time.Millisecond))
	}
}

// cutShort calls cancel at the next signal, unless the drain ends first.
func (g *Gateway) cutShort(stop <-chan os.Signal, ended <-chan struct{}, cancel context.CancelFunc) {
	select {
	case s := <-stop:
		g.log.Info("stopping at once: a second signal", "signal", s.String())
		cancel()
	case <-ended:
	}
}

// Close closes the parts that outlive the listeners, the journal last.
func (g *Gateway) Close() error {
	g.sinks.stop()
	g.filter.Close()
	return errors.Join(g.usage.Save(), g.journal.Close())
}
