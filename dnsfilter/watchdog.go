// Watchdog: checks whether the sockets are still read.

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

// A socket is any socket from which Serve reads or accepts.
type socket[T any] struct {
	conn    T
	returns atomic.Uint64 // how often a read or accept has returned
}

// wake sets a read deadline. It returns false if the socket has none or is
// closed.
func (s *socket[T]) wake(at time.Time) (ok bool) {
	switch c := any(s.conn).(type) {
	case interface{ SetReadDeadline(time.Time) error }:
		return c.SetReadDeadline(at) == nil
	case interface{ SetDeadline(time.Time) error }:
		return c.SetDeadline(at) == nil
	}
	return false
}

// Alive wakes the readers of every socket. It returns nil once a reader of each
// socket has returned, or if Serve does not run. If no reader of a socket
// returns before ctx ends, Alive returns an error: the reader hangs, and
// clients get no answer.
func (f *Filter) Alive(ctx context.Context) error {
	s := f.running.Load()
	if s == nil {
		return nil
	}
	udp, tcp := make([]error, len(s.udp)), make([]error, len(s.tcp))
	var asked sync.WaitGroup // in parallel: a socket that hangs does not delay the others
	for i, pc := range s.udp {
		asked.Go(func() { udp[i] = pc.alive(ctx, s.ended, "udp", pc.conn.LocalAddr()) })
	}
	for i, ln := range s.tcp {
		asked.Go(func() { tcp[i] = ln.alive(ctx, s.ended, "tcp", ln.conn.Addr()) })
	}
	asked.Wait()
	return errors.Join(append(udp, tcp...)...)
}

// alive is Alive for one socket.
func (s *socket[T]) alive(ctx context.Context, ended <-chan struct{}, network string, addr net.Addr) error {
	before := s.returns.Load()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.returns.Load() == before {
		if !s.wake(past) { // repeatedly: a reader may have reset the deadline of an earlier call
			return nil // closed, or without deadlines
		}
		select {
		case <-tick.C:
		case <-ended:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("dns: no goroutine reads %s %v", network, addr)
		}
	}
	return nil
}
