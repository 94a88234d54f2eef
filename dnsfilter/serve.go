// Serve: runs the sockets of the DNS front end until it is told to stop.

package dnsfilter

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"sync"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// Serve answers queries that arrive at the sockets until ctx ends, then lets
// the answers under way finish, closes the sockets and returns nil. Queries
// that wait in a socket which somebody else has open, too, are for the next
// process; a connection that was accepted is served its first query. The
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
	s := &service{f: f, stop: stop, ended: ctx.Done(), conns: map[*tcpConn]struct{}{}}
	for _, pc := range packets {
		if udp, ok := pc.(packetConn); ok {
			s.udp = append(s.udp, &socket[packetConn]{conn: udp})
		} else {
			stop(fmt.Errorf("dns: %T is no UDP socket", pc))
		}
	}
	for _, ln := range listeners {
		s.tcp = append(s.tcp, &socket[net.Listener]{conn: ln})
	}
	if ctx.Err() == nil {
		s.start(ctx)
	}
	f.running.Store(s)
	defer f.running.Store(nil)
	<-ctx.Done()
	s.stopReading()
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

	ended <-chan struct{} // closed when it is to stop

	udp []*socket[packetConn]
	tcp []*socket[net.Listener]

	readers   sync.WaitGroup // read loops, and whatever else runs as long as Serve
	accepting sync.WaitGroup // accept loops
	writers   sync.WaitGroup // queries that wait for an upstream

	mu    sync.Mutex
	conns map[*tcpConn]struct{} // guarded by mu
}

func (s *service) start(ctx context.Context) {
	each := 1 // with a socket for every processor one reader is enough
	if len(s.udp) == 1 {
		each = min(4, runtime.GOMAXPROCS(0))
	}
	for _, pc := range s.udp {
		for range each {
			s.readers.Go(func() { s.readPackets(ctx, pc) })
		}
	}
	for _, ln := range s.tcp {
		s.accepting.Go(func() { s.accept(ctx, ln) })
	}
	if s.f.cfg.ProbeEvery > 0 {
		s.readers.Go(func() { s.f.probe(ctx) })
	}
	if s.f.cfg.PrefetchNames != nil {
		s.readers.Go(func() { s.f.prefetch(ctx) })
	}
}

// quiesce makes every reader return, those of connections that have not had
// time for a query a little later; answers can still be written.
func (s *service) stopReading() {
	for _, pc := range s.udp {
		pc.conn.SetReadDeadline(past)
	}
	for _, ln := range s.tcp {
		ln.conn.Close()
	}
	s.accepting.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.conn.SetReadDeadline(c.lastRead())
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
	f.cfg.Gate.Decide(rules.Attempt{
		Flow: q.flow, Via: rules.ViaDNS, Client: q.client, SourceProven: q.proven, Proto: q.proto,
		Fault: rules.MalformedRequest, Detail: "the filter failed over this query",
	})
	f.observe(q, KindDropped, dns.RcodeServerFailure)
}
