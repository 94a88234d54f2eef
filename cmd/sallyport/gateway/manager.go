// Manager: what the service manager gives to this process, and what the process
// reports to it: its state, and that it works.

package gateway

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

// afterDrain is how long the stop may take after the drain: for DNS answers in
// flight and for the journal.
const afterDrain = 15 * time.Second

// Manager holds the resources from systemd: open sockets, a socket for
// notifications, and the interval of the watchdog. Each may be missing.
type Manager struct {
	Sockets  *systemd.Sockets
	Notifier *systemd.Notifier
	Watchdog time.Duration
}

// OpenManager reads the resources from systemd out of the environment. It must run
// before the hardening: a confined process cannot connect to systemd.
func OpenManager(log *slog.Logger) (Manager, error) {
	if stray := systemd.Strayed(os.Getenv, os.Getpid()); stray != "" {
		log.Warn("the environment names sockets of another process", "why", stray)
	}
	sockets, err := systemd.Inherit()
	if err != nil {
		return Manager{}, err
	}
	watchdog, err := systemd.WatchdogInterval()
	if err != nil {
		sockets.Close()
		return Manager{}, err
	}
	if n := sockets.Len(); n > 0 {
		log.Info("inherited sockets from the service manager", "sockets", n)
	}
	return Manager{sockets, systemd.OpenNotifier(log), watchdog}, nil
}

// Close closes the sockets that were not used, and the notification socket.
func (m Manager) Close() {
	m.Sockets.Close()
	m.Notifier.Close()
}

// status returns the line that systemctl status shows.
func (g *Gateway) status() string {
	if g.draining.Load() {
		return fmt.Sprintf("draining: %d connections open", g.proxy.Stats().Connections)
	}
	text := ""
	for _, err := range g.Ready() {
		text += "not ready: " + err.Error() + "; "
	}
	g.mu.Lock()
	cfg := g.cfg
	g.mu.Unlock()
	if g.drops.Reads() && g.drops.Problem() != "" {
		text += g.describeDrops() + "; "
	}
	return text + g.describe(cfg)
}

// reportStatus reports every change of the status to systemd, until ctx ends.
func (g *Gateway) reportStatus(ctx context.Context) {
	if g.manager == nil {
		return
	}
	g.everyPoll(ctx, func() { g.manager.Status(g.status()) })
}

// alive returns nil if this process still works: every accept and read loop runs,
// the policy answers, and the locks on the path of a request are free. It writes no
// record.
func (g *Gateway) alive(ctx context.Context) error {
	dns := make(chan error, 1)
	go func() { dns <- g.filter.Alive(ctx) }() // in parallel with the proxy: each has all the time of ctx
	errs := []error{g.proxy.Alive(ctx), <-dns}
	g.mu.Lock() // a reload that hangs holds this lock
	policy := g.live.Policy()
	g.mu.Unlock()
	g.proxy.Stats()
	g.journal.Stats()
	if policy == nil || policy.Decide(rules.Attempt{Via: rules.ViaConnect, Proto: rules.TCP, Provisional: true}).Why() != rules.UnknownClient {
		errs = append(errs, errors.New("the policy gives a wrong answer"))
	}
	return errors.Join(errs...)
}
