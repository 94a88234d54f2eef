// Manager: what this process is given by the service manager that started it,
// and what it tells that: its state, and that it lives.

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"sallyport/cmd/sallyport/systemd"
	"sallyport/rules"
)

// afterDrain is how long the end may take when the drain is over: answers of
// resolvers that are under way, and the journal.
const afterDrain = 15 * time.Second

// fromManager is what systemd gives: sockets that it holds open, an ear, and a
// watchdog. Each may be missing.
type fromManager struct {
	sockets  *systemd.Sockets
	notify   *systemd.Notifier
	watchdog time.Duration
}

// takeManager reads it from the environment, once. Later is too late: a process
// that has confined itself cannot connect to the manager.
func takeManager(log *slog.Logger) (fromManager, error) {
	if stray := systemd.Strayed(os.Getenv, os.Getpid()); stray != "" {
		log.Warn("sockets were passed, and not to this process", "why", stray)
	}
	sockets, err := systemd.Inherit()
	if err != nil {
		return fromManager{}, err
	}
	watchdog, err := systemd.WatchdogInterval()
	if err != nil {
		sockets.Close()
		return fromManager{}, err
	}
	if n := sockets.Len(); n > 0 {
		log.Info("took over sockets of the service manager", "sockets", n)
	}
	return fromManager{sockets, systemd.OpenNotifier(log), watchdog}, nil
}

func (m fromManager) close() {
	m.sockets.Close()
	m.notify.Close()
}

// status says in one line what systemctl status shows.
func (g *Gateway) status() string {
	if g.draining.Load() {
		return fmt.Sprintf("draining: %d connections open", g.proxy.Stats().Connections)
	}
	text := ""
	for _, err := range g.ready() {
		text += "not ready: " + err.Error() + "; "
	}
	g.mu.Lock()
	cfg := g.cfg
	g.mu.Unlock()
	if g.drops != nil && g.drops.Reads() && g.drops.Problem() != "" {
		text += g.describeDrops() + "; "
	}
	return text + g.describe(cfg)
}

// tellStatus tells the manager of every change, until ctx ends.
func (g *Gateway) tellStatus(ctx context.Context) {
	if g.manager == nil {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			g.manager.Status(g.status())
		case <-ctx.Done():
			return
		}
	}
}

// alive finds out whether this process still works: every accept and read loop
// comes round, the policy answers, and the locks that stand between a client and
// its answer can be had. It leaves no record.
func (g *Gateway) alive(ctx context.Context) error {
	dns := make(chan error, 1)
	go func() { dns <- g.filter.Alive(ctx) }() // beside the proxy: one that hangs takes no time from the other
	errs := []error{g.proxy.Alive(ctx), <-dns}
	g.mu.Lock() // a reload or an expiry that hangs keeps it
	policy := g.live.Policy()
	g.mu.Unlock()
	g.proxy.Stats()
	g.journal.Stats()
	if policy == nil || policy.Decide(rules.Attempt{Via: rules.ViaConnect, Proto: rules.TCP, Provisional: true}).Why() != rules.UnknownClient {
		errs = append(errs, errors.New("the policy does not answer as it must"))
	}
	return errors.Join(errs...)
}
