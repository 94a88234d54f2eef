// Sinks: runs a sender for each [[sink]] of the configuration in force.

package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/denials/sink"
	"sallyport/rules"
)

// sinks are the senders that run. The gateway's other parts only read their states.
type sinks struct {
	g      *Gateway
	dialer *net.Dialer

	mu     sync.Mutex                     // held while senders start and end
	orders atomic.Int64                   // how many times serve or stop was called
	all    atomic.Pointer[[]*runningSink] // in the order of the configuration
}

// A runningSink is one sender and its goroutine.
type runningSink struct {
	sink   *rules.Sink
	sender *sink.Sender
	cancel context.CancelFunc
	done   chan struct{}
}

func newSinks(g *Gateway) *sinks { return &sinks{g: g, dialer: &net.Dialer{Timeout: 10 * time.Second}} }

// serve makes the senders those of a new configuration. It does not wait: a sender may take two
// seconds to end.
func (s *sinks) serve(list []*rules.Sink) {
	order := s.orders.Add(1)
	go s.change(order, list)
}

// running returns the senders, in the order of the configuration.
func (s *sinks) running() []*runningSink {
	if all := s.all.Load(); all != nil {
		return *all
	}
	return nil
}

// change runs a sender for each sink of the list, unless a newer order came. It ends those that are
// not in the list any more, and lets those go on that have not changed.
func (s *sinks) change(order int64, list []*rules.Sink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if order < s.orders.Load() {
		return
	}
	var stays, all []*runningSink
	for _, r := range s.running() {
		if slices.ContainsFunc(list, r.sink.Same) {
			stays = append(stays, r)
		} else {
			r.cancel()
		}
	}
	for _, r := range s.running() {
		if !slices.Contains(stays, r) {
			<-r.done // its cursor is written: a sink with the same name goes on from there
		}
	}
	for _, one := range list {
		if i := slices.IndexFunc(stays, func(r *runningSink) bool { return r.sink.Same(one) }); i >= 0 {
			all = append(all, stays[i])
			continue
		}
		all = append(all, s.run(one))
	}
	s.all.Store(&all)
}

// run starts the sender of one sink.
func (s *sinks) run(one *rules.Sink) *runningSink {
	ctx, cancel := context.WithCancel(context.Background())
	r := &runningSink{sink: one, cancel: cancel, done: make(chan struct{})}
	j := s.g.booted.Journal // a reload does not change the journal
	files := []string{j.Path}
	if one.All && j.Flows != "" {
		files = append(files, j.Flows)
	}
	host, _ := os.Hostname()
	r.sender = sink.New(sink.Config{
		Sink: one, Files: files, Cursor: sink.CursorPath(j.Path, one.Name), Dial: s.dial,
		Host: host, Version: s.g.build.Version, Now: s.g.now, Log: s.g.log,
	})
	go func() {
		defer close(r.done)
		r.sender.Run(ctx)
	}()
	return r
}

// stop ends every sender. Each sends what is on the disk, for at most two seconds.
func (s *sinks) stop() { s.change(s.orders.Add(1), nil) }

// dial connects to a sink. A name is resolved by the resolver of the generation in force, and
// sallyport's own listeners are no sinks.
func (s *sinks) dial(ctx context.Context, one *rules.Sink) (net.Conn, error) {
	if one.Scheme == rules.SinkUnix {
		c, err := s.dialer.DialContext(ctx, "unix", one.Path)
		if err != nil { // a socket for datagrams refuses a stream
			if d, dgramErr := s.dialer.DialContext(ctx, "unixgram", one.Path); dgramErr == nil {
				return d, nil
			}
		}
		return c, err
	}
	network := "tcp"
	if one.Scheme == rules.SinkUDP {
		network = "udp"
	}
	addrs, err := s.resolve(ctx, one)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, to := range addrs {
		if s.g.own.Is(to) {
			errs = append(errs, fmt.Errorf("%s is sallyport's own listener", to))
			continue
		}
		c, err := s.dialer.DialContext(ctx, network, to.String())
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// resolve returns the addresses of a sink, and remembers them: they are no destinations.
func (s *sinks) resolve(ctx context.Context, one *rules.Sink) ([]netip.AddrPort, error) {
	if one.At.Addr.IsValid() {
		return []netip.AddrPort{one.At.AddrPort()}, nil
	}
	addrs, err := lookupBy(s.g.filter)(ctx, s.g.live.Load(), one.At.Name)
	if err == nil && len(addrs) == 0 {
		err = errors.New("the name has no address")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", one.At.Name, err)
	}
	s.g.found.Remember(one.At.Name, addrs, s.g.now())
	var to []netip.AddrPort
	for _, a := range addrs {
		to = append(to, netip.AddrPortFrom(a.Unmap(), one.At.Port))
	}
	return to, nil
}
