// Watchdog: signs of life, for as long as there is life.

package systemd

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// WatchdogInterval is how long the service manager waits for a sign of life
// from this process; 0: it does not. It takes that out of the environment.
func WatchdogInterval() (time.Duration, error) {
	within, err := daemon.SdWatchdogEnabled(true)
	if err != nil {
		return 0, fmt.Errorf("the service manager's watchdog: %w", err)
	}
	return within, nil
}

// Watch gives a sign of life three times in each interval, until ctx ends, but
// only after check has found the process well. A check that fails costs one sign,
// and two of three are enough; one that does not come back costs all of them; when
// the process is well again they go on. Only one check runs at a time.
func (n *Notifier) Watch(ctx context.Context, within time.Duration, check func(context.Context) error, log *slog.Logger) {
	if n == nil || within <= 0 {
		return
	}
	each := within / 3
	tick := time.NewTicker(each)
	defer tick.Stop()
	for {
		if checked(ctx, each, check, log) {
			n.Alive()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// checked runs one check to its end, or ctx's, and tells whether it found the
// process well. One that hangs beyond its time is said and awaited further:
// meanwhile there are no signs of life.
func checked(ctx context.Context, within time.Duration, check func(context.Context) error, log *slog.Logger) bool {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- check(limited) }()
	late := time.NewTimer(within + within/10) // a check that obeys its context says more itself
	defer late.Stop()
	for {
		select {
		case err := <-done:
			if err != nil && ctx.Err() == nil {
				log.Error("no sign of life to the watchdog", "error", err)
			}
			return err == nil
		case <-late.C:
			log.Error("no sign of life to the watchdog: the check of this process hangs", "for", within)
		case <-ctx.Done():
			return false
		}
	}
}
