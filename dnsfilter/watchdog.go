// Alive: whether the sockets are still read, for a watchdog.

package dnsfilter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// past, as a deadline, makes a blocked call return.
var past = time.Unix(1, 0)

// A socket is one that Serve reads or accepts from.
type socket[T any] struct {
	conn    T
	returns atomic.Uint64 // times that a read or accept returned
}

// wake sets a deadline for reading; of a socket that has none it does nothing.
func (s *socket[T]) wake(at time.Time) (ok bool) {
	switch c := any(s.conn).(type) {
	case interface{ SetReadDeadline(time.Time) error }:
		return c.SetReadDeadline(at) == nil
	case interface{ SetDeadline(time.Time) error }:
		return c.SetDeadline(at) == nil
	}
	return false
}

// Alive wakes the readers of every socket and returns nil once each socket had
// one come round, or where Serve does not run. Of one that had none when ctx
// ends it returns an error: it hangs, and clients wait in vain.
func (f *Filter) Alive(ctx context.Context) error {
	s := f.running.Load()
	if s == nil {
		return nil
	}
	udp, tcp := make([]error, len(s.udp)), make([]error, len(s.tcp))
	var asked sync.WaitGroup // all at once: one that hangs takes no time from the others
	for i, pc := range s.udp {
		asked.Go(func() { udp[i] = pc.alive(ctx, s.ended, "udp", pc.conn.LocalAddr()) })
	}
	for i, ln := range s.tcp {
		asked.Go(func() { tcp[i] = ln.alive(ctx, s.ended, "tcp", ln.conn.Addr()) })
	}
	asked.Wait()
	return errors.Join(append(udp, tcp...)...)
}

func (s *socket[T]) alive(ctx context.Context, ended <-chan struct{}, network string, addr net.Addr) error {
	before := s.returns.Load()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.returns.Load() == before {
		if !s.wake(past) { // again and again: the answer to an earlier call may have undone it
			return nil // closed, or no way to ask
		}
		select {
		case <-tick.C:
		case <-ended:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("dns: nobody reads %s %v", network, addr)
		}
	}
	return nil
}
