// Serve: runs the sockets of the DNS front end until it is told to stop.

package dnsfilter

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"sallyport/rules"
)

// Serve answers queries that arrive at the sockets until ctx ends, then lets
// the answers under way finish, closes the sockets and returns nil. The
// sockets are its own from the start. It also probes the upstreams and looks
// names up ahead, without any socket too. A socket that fails for good ends it
// with that error.
//
// A packet socket must be a *net.UDPConn or alike, bound to an exact address
// where the host has several: a reply leaves from the address that the system
// chooses.
func (f *Filter) Serve(ctx context.Context, packets []net.PacketConn, listeners []net.Listener) error {
	asked := ctx
	ctx, stop := context.WithCancelCause(asked)
	defer stop(nil)
	s := &service{f: f, stop: stop, conns: map[net.Conn]struct{}{}}
	udp := make([]packetConn, len(packets))
	for i, pc := range packets {
		ok := false
		if udp[i], ok = pc.(packetConn); !ok {
			stop(fmt.Errorf("dns: %T is no UDP socket", pc))
		}
	}
	if ctx.Err() == nil {
		s.start(ctx, udp, listeners)
	}
	<-ctx.Done()
	s.quiesce(packets, listeners)
	s.readers.Wait()
	s.writers.Wait()
	for _, pc := range packets {
		pc.Close()
	}
	if asked.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// service is one run of Serve.
type service struct {
	f    *Filter
	stop context.CancelCauseFunc

	readers sync.WaitGroup // read and accept loops
	writers sync.WaitGroup // queries that wait for an upstream

	mu       sync.Mutex
	conns    map[net.Conn]struct{} // guarded by mu
	stopping bool                  // guarded by mu
}

func (s *service) start(ctx context.Context, udp []packetConn, listeners []net.Listener) {
	each := 1 // with a socket for every processor one reader is enough
	if len(udp) == 1 {
		each = min(4, runtime.GOMAXPROCS(0))
	}
	for _, pc := range udp {
		for range each {
			s.readers.Go(func() { s.readPackets(ctx, pc) })
		}
	}
	for _, ln := range listeners {
		s.readers.Go(func() { s.accept(ctx, ln) })
	}
	if s.f.cfg.ProbeEvery > 0 {
		s.readers.Go(func() { s.f.probe(ctx) })
	}
	if s.f.cfg.Ahead != nil {
		s.readers.Go(func() { s.f.prefetch(ctx) })
	}
}

// quiesce makes every reader return; answers can still be written.
func (s *service) quiesce(packets []net.PacketConn, listeners []net.Listener) {
	past := time.Unix(1, 0)
	for _, pc := range packets {
		pc.SetReadDeadline(past)
	}
	for _, ln := range listeners {
		ln.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for c := range s.conns {
		c.SetReadDeadline(past)
	}
}

// fail ends Serve because a socket cannot be used any more.
func (s *service) fail(ctx context.Context, err error) {
	if ctx.Err() == nil {
		s.stop(err)
	}
}

// recovered turns a panic over one query into a denial: no reply, one attempt.
func (f *Filter) recovered(q *query) {
	v := recover()
	if v == nil {
		return
	}
	f.cfg.Log.Error("panic over a query", "client", q.client, "panic", v)
	f.refuse(rules.Attempt{
		Flow: q.flow, Via: rules.DNS, Client: q.client, Proto: q.proto,
		Fault: rules.MalformedRequest, Detail: "the filter failed over this query",
	})
	f.observe(q, KindDropped, rcodeServFail)
}

// clientOf is the address that the policy sees: unmapped, without a zone.
func clientOf(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}
