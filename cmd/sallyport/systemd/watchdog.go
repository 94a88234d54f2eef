// Watchdog: sends signs of life while the process is healthy.

package systemd

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// WatchdogInterval returns how long the service manager waits for a sign of life of
// this process; 0: it does not wait. It removes the variable from the environment.
func WatchdogInterval() (time.Duration, error) {
	within, err := daemon.SdWatchdogEnabled(true)
	if err != nil {
		return 0, fmt.Errorf("the service manager's watchdog: %w", err)
	}
	return within, nil
}

// Watch calls check three times in each interval, until ctx ends, and sends a sign
// of life after each success. After a failed check it sends no sign; two successes
// in three checks are enough. While a check hangs, it sends no sign at all,
// because only one check runs at a time.
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

// checked runs one check until it returns or ctx ends, and reports whether it
// succeeded. It logs a check that hangs, and goes on waiting for it.
func checked(ctx context.Context, within time.Duration, check func(context.Context) error, log *slog.Logger) bool {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- check(limited) }()
	late := time.NewTimer(within + within/10) // a check that obeys its context returns a better error
	defer late.Stop()
	for {
		select {
		case err := <-done:
			if err != nil && ctx.Err() == nil {
				log.Error("the watchdog was not notified", "error", err)
			}
			return err == nil
		case <-late.C:
			log.Error("the watchdog was not notified: the check of this process did not end in time", "for", within)
		case <-ctx.Done():
			return false
		}
	}
}
