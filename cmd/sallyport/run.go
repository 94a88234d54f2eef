// Run: starts everything, says so, serves, and stops in order.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/cmd/sallyport/nftables"
	"sallyport/denials/journal"
	"sallyport/rules/site"
)

func newRun() *cobra.Command {
	var file string
	var f filterFlags
	c := &cobra.Command{
		Use:   "run",
		Short: "Serve until SIGTERM; this is also what sallyport does without a command",
		Long: `run serves the configuration given, or the embedded one: loopback listeners,
and every loopback client is an Endpoint Secure manager.

Once its listeners and files are open it gives up every capability, and with
Landlock other files, programs and TCP ports of its choice; /readyz tells each
step. Where one fails it does not start, unless [process] hardening says
otherwise.

A changed file is put in force as a whole when it is right, and not at all when
it is not. SIGHUP does the same and reopens the journal. SIGTERM and SIGINT stop
accepting and let open connections end for [limits] drain; a second one stops
at once. What was accepted before is still served its first request.

What the packet filter drops by itself (QUIC, datagrams that no document
permits) is journaled with its count: from the file of --filter-counters, or
with --live-sets from the kernel. /readyz says where neither is had.

Sockets that systemd passes are used where [listen] has their address, and are
left open for the next process; one that [listen] does not name is an error.
systemd is told of readiness, reloads, the policy in force and the end, and its
watchdog is fed while every listener, the policy and the locks answer.

The Go runtime's GOMEMLIMIT is obeyed, and where it is unset 90 % of the
cgroup's memory. GOGC is obeyed; where it is unset a small heap is collected
later than Go would, which saves CPU and takes up to 16 MiB. What a busy time
took goes back to the system some seconds after it.

Exit status: 0 after SIGTERM or SIGINT, 1 when it cannot start or serve.`,
		Example: `  sallyport run --config /etc/sallyport/sallyport.toml
  sallyport            the embedded configuration, on loopback`,
		Args: noArgs,
	}
	configFlag(c, &file)
	c.Flags().BoolVar(&f.live, "live-sets", false, "keep the addresses of names in the ruleset of sallyport nft current; needs CAP_NET_ADMIN")
	c.Flags().StringVar(&f.counters, "filter-counters", "", "journal what the packet filter drops, from the `FILE` that sallyport nft --counters writes; default: with --live-sets from the kernel, else not at all")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return run(c.Context(), file, f, c.InOrStdin(), c.ErrOrStderr())
	}
	return c
}

// filterFlags are what run has to do with the packet filter.
type filterFlags struct {
	live     bool   // keep its sets current
	counters string // a file with its counters; "": none
}

// run serves until a signal or ctx ends it.
func run(ctx context.Context, file string, f filterFlags, stdin io.Reader, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	slog.SetDefault(log) // what libraries log by themselves is escaped, too
	from, err := takeManager(log)
	if err != nil {
		return err
	}
	defer from.close()
	read := fileState(file)
	cfg, problems, err := gateway.LoadConfig(file, stdin)
	if err != nil {
		return err
	}
	exposed := gateway.ThisKeeper().RunPermissions(cfg, file)
	if err := exposed.Err(); err != nil {
		return err
	}
	for _, p := range append(problems, exposed...) {
		fmt.Fprintln(stderr, "sallyport:", p)
	}
	socks, err := openSockets(ctx, cfg.Listen, from.sockets)
	if err != nil {
		return err
	}
	defer socks.close()
	warnOfAbsent(log, socks.listeners(), gateway.IsLocal)
	sets, err := nftables.OpenSets(f.live)
	if err != nil {
		return err
	}
	warnOfDescriptors(log, openFiles(), cfg.Limits)
	system := newSystemServers(resolvConf)
	resolver, err := newResolver(cfg, system)
	if err != nil {
		return err
	}
	g, err := newGateway(file, stdin, cfg, log, sets)
	if err != nil {
		return err
	}
	admin, err := g.adminServer(cfg)
	if err != nil {
		return errors.Join(err, g.close())
	}
	source, err := f.drops(cfg)
	if err != nil {
		return errors.Join(err, g.close())
	}
	g.drops = nftables.NewDropJournal(source, g.swallowed, nftables.LedgerPath(cfg.Journal.Path), log)
	g.limits = takeLimits(log, cfg.Limits, os.LookupEnv, memlimit.FromCgroup)
	floor := raiseHeap(os.LookupEnv)
	defer runtime.KeepAlive(floor)
	if err := g.harden(socks, f); err != nil {
		return errors.Join(err, g.close())
	}
	g.manager, g.read, g.system = from.notify, read, system
	g.own, g.loaded = socks.own(), time.Now()
	policy, warnings := g.enforce(cfg, resolver, g.loaded)
	for _, p := range warnings {
		fmt.Fprintln(stderr, "sallyport:", p)
	}
	g.journal.Start(fmt.Sprintf("version %s, %s, hardening %s", version, gateway.DescribePolicy(cfg, policy), describeHardening(g.hardening)),
		journal.OwnTexts(g.own.Listeners, gateway.HostAddresses()))
	g.discoverNAT64(ctx) // what waits in the listeners needs it
	g.greet(stderr, cfg, policy, socks)
	return g.serve(ctx, cfg, socks, admin, from.watchdog)
}

// serve runs the front ends until a signal, ctx or a failure ends them. The
// service manager is given a sign of life within each watchdog interval, if it
// wants one.
func (g *Gateway) serve(ctx context.Context, cfg *site.Config, socks *sockets, admin *http.Server, watchdog time.Duration) error {
	stop := make(chan os.Signal, 4)
	hangup := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(stop)
	defer signal.Stop(hangup)

	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	failed := make(chan error, 1)
	start := func(name string, serve func(context.Context) error) {
		all.Add(1)
		go supervise(ctx, &all, name, serve, failed)
	}
	for _, l := range socks.http {
		start("http", func(ctx context.Context) error { return g.proxy.ServeHTTP(ctx, l) })
	}
	for _, l := range socks.socks5 {
		start("socks5", func(ctx context.Context) error { return g.proxy.ServeSOCKS5(ctx, l) })
	}
	for _, l := range socks.transparent {
		start("transparent", func(ctx context.Context) error { return g.proxy.ServeTransparent(ctx, l) })
	}
	// Names are looked up ahead without a DNS listener too.
	if len(socks.dnsUDP) > 0 || len(socks.transparent) > 0 || g.sets != nil {
		start("dns", func(ctx context.Context) error { return g.filter.Serve(ctx, socks.dnsUDP, socks.dnsTCP) })
	}
	if socks.admin != nil {
		start("admin", func(ctx context.Context) error { return serveAdmin(ctx, admin, socks.admin) })
	}
	start("watch", func(ctx context.Context) error { g.watch(ctx); return nil })
	start("resolvers", func(ctx context.Context) error { g.watchSystem(ctx); return nil })
	start("nat64", func(ctx context.Context) error { g.watchNAT64(ctx); return nil })
	start("memory", func(ctx context.Context) error { giveBackMemory(ctx); return nil })
	if g.drops.Reads() {
		start("drops", func(ctx context.Context) error { g.drops.Run(ctx); return nil })
	}
	start("usage", func(ctx context.Context) error { g.usage.Run(ctx); return nil })
	if g.sets != nil {
		start("live sets", func(ctx context.Context) error { g.sets.Run(ctx); return nil })
	}
	start("expire", func(ctx context.Context) error { g.expire(ctx); return nil })
	start("watchdog", func(ctx context.Context) error { g.manager.Watch(ctx, watchdog, g.alive, g.log); return nil })
	g.manager.Ready(g.status())
	start("status", func(ctx context.Context) error { g.tellStatus(ctx); return nil })

	err := g.await(ctx, stop, hangup, failed)
	g.drain(cfg.Limits.Drain, stop)
	cancel() // every front end closes its sockets itself, once it has answered
	all.Wait()
	g.journal.Event(journal.EventStop, "version "+version)
	return errors.Join(err, g.close())
}

// supervise reports a front end that ends while it should serve.
func supervise(ctx context.Context, all *sync.WaitGroup, name string, serve func(context.Context) error, failed chan<- error) {
	defer all.Done()
	if err := serve(ctx); err != nil && ctx.Err() == nil {
		select {
		case failed <- fmt.Errorf("%s: %w", name, err):
		default: // one is enough to end the service
		}
	}
}

// await handles signals until one ends the service. A front end that fails
// ends it too: half a gateway is worse than a restart.
func (g *Gateway) await(ctx context.Context, stop, hangup <-chan os.Signal, failed <-chan error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-stop:
			g.log.Info("stopping", "signal", s.String())
			return nil
		case err := <-failed:
			return err
		case <-hangup:
			if err := g.journal.Reopen(); err != nil {
				g.log.Error("cannot reopen the journal", "error", err)
			}
			g.reload("SIGHUP")
		}
	}
}

// drain lets open connections end within the limit; a second signal cuts it
// short. /readyz says so from the beginning.
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

// cutShort ends a drain at the next signal.
func (g *Gateway) cutShort(stop <-chan os.Signal, ended <-chan struct{}, cancel context.CancelFunc) {
	select {
	case s := <-stop:
		g.log.Info("stopping at once: a second signal", "signal", s.String())
		cancel()
	case <-ended:
	}
}

// close ends the parts that outlive the listeners; the journal is the last.
func (g *Gateway) close() error {
	g.filter.Close()
	return errors.Join(g.usage.Save(), g.journal.Close())
}
