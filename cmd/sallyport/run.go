// Run: the command that serves.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/admin"
	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
)

// newRun returns the command run.
func newRun() *cobra.Command {
	var file string
	var filter gateway.PacketFilter
	c := &cobra.Command{
		Use:   "run",
		Short: "Serve until SIGTERM; sallyport without a command does the same",
		Long: `run serves the configuration that you give. Without --config it serves the
embedded configuration: it listens on loopback, and every loopback client is an
Endpoint Secure manager.

When its listeners and files are open, run gives up every capability. Landlock
then keeps it from opening other files, starting programs and listening on other
TCP ports; /readyz lists each step. If a step fails, run does not start, unless
[process] hardening permits that.

When the configuration file changes, run checks it and puts it in force as a
whole. If the file has an error, the earlier configuration stays in force. SIGHUP
also reloads the file, and reopens the journal. After SIGTERM or SIGINT, run
accepts no more connections and lets open ones end, for at most [limits] drain; a
second signal stops it at once. A connection that was accepted before still gets
an answer to its first request.

The journal also counts the packets that the packet filter drops (QUIC, and
datagrams that no document permits). run reads the counters from the file of
--filter-counters, or, with --live-sets, from the kernel. Without both, /readyz
reports that drops are not journaled.

run uses sockets from systemd whose addresses are in [listen], and leaves them open
for the next process. A socket from systemd that is not in [listen] is an error.
run reports to systemd when it is ready, reloads or stops, and which policy is in
force. It feeds the watchdog while every listener, the policy and the locks work.

run obeys GOMEMLIMIT. Without GOMEMLIMIT, the memory limit is 90 % of the cgroup's
limit. run obeys GOGC. Without GOGC, Go collects a small heap later than usual, which
saves CPU time and takes up to 16 MiB. Some seconds after a busy time, run returns
memory to the system.

Exit status: 0 after SIGTERM or SIGINT, 1 if it cannot start or serve.`,
		Example: `  sallyport run --config /etc/sallyport/sallyport.toml
  sallyport            the embedded configuration, on loopback`,
		Args: commandline.NoArgs,
	}
	commandline.ConfigFlag(c, &file)
	c.Flags().BoolVar(&filter.LiveSets, "live-sets", false, "update the addresses of names in the ruleset of sallyport nft; needs CAP_NET_ADMIN")
	c.Flags().StringVar(&filter.Counters, "filter-counters", "", "journal what the packet filter drops, from the `FILE` that sallyport nft --counters writes; without it, from the kernel if --live-sets is given")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return run(c.Context(), file, filter, c.InOrStdin(), c.ErrOrStderr())
	}
	return c
}

// run serves until a signal or ctx ends it.
func run(ctx context.Context, file string, filter gateway.PacketFilter, stdin io.Reader, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	slog.SetDefault(log) // also escapes the log lines of libraries
	manager, err := gateway.OpenManager(log)
	if err != nil {
		return err
	}
	defer manager.Close()
	source := gateway.NewSource(file, stdin)
	cfg, problems, err := source.LoadToRun()
	if err != nil {
		return err
	}
	for _, p := range problems {
		fmt.Fprintln(stderr, "sallyport:", p)
	}
	sockets, err := gateway.Listen(ctx, cfg.Listen, manager.Sockets)
	if err != nil {
		return err
	}
	defer sockets.Close()
	limits := gateway.TakeLimits(log, cfg.Limits, os.LookupEnv, memlimit.FromCgroup)
	floor := gateway.RaiseHeap(os.LookupEnv)
	defer runtime.KeepAlive(floor)
	g, err := gateway.Open(gateway.Options{
		Source: source, Config: cfg, Sockets: sockets, Filter: filter, Manager: manager, Limits: limits,
		Build: gateway.Build{Version: version, Commit: commit()}, Admin: admin.New, ResolvConf: gateway.ResolvConf, Now: time.Now, Log: log, Out: stderr,
	})
	if err != nil {
		return err
	}
	if err := g.Harden(); err != nil {
		return errors.Join(err, g.Close())
	}
	g.Start(ctx)
	stop, hangup := make(chan os.Signal, 4), make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(stop)
	defer signal.Stop(hangup)
	return errors.Join(g.Run(ctx, gateway.Signals{Stop: stop, Hangup: hangup}), g.Close())
}
