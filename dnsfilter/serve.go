// Serve: runs the sockets of the DNS front end until its context ends.

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

// Serve answers queries from the sockets until ctx ends. Then it finishes the
// answers in flight, closes the sockets and returns nil. If another process has
// a socket open too, queries that wait in it are left for that process. A
// connection that was already accepted still gets an answer to its first query.
// Serve owns the sockets from the start. It also probes the upstreams and
// prefetches names, even without any socket. If a socket fails for good, Serve
// ends with that error.
//
// A packet socket must have the methods of *net.UDPConn. A reply leaves from the
// address that was asked, also if the socket is on a wildcard address.
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

	ended <-chan struct{} // closed when the run must stop

	udp []*socket[packetConn]
	tcp []*socket[net.Listener]

	readers   sync.WaitGroup // read loops, probes and prefetches
	accepting sync.WaitGroup // accept loops
	writers   sync.WaitGroup // queries in flight to upstreams

	mu    sync.Mutex
	conns map[*tcpConn]struct{} // guarded by mu
}

// start starts the loops of a run.
func (s *service) start(ctx context.Context) {
	each := 1 // if each processor has a socket, one reader for each socket is enough
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

// stopReading ends all reads. A connection that had no query yet gets a little
// more time for one. Replies can still be written.
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

// fail ends Serve because a socket is broken.
func (s *service) fail(ctx context.Context, err error) {
	if ctx.Err() == nil {
		s.stop(err)
	}
}

// recovered turns a panic during one query into a denial: the client gets no
// reply, and one attempt is recorded.
func (f *Filter) recovered(q *query) {
	v := recover()
	if v == nil {
		return
	}
	f.cfg.Log.Error("panic while answering a query", "client", q.client, "panic", v)
	f.cfg.Gate.Decide(rules.Attempt{
		Flow: q.flow, Via: rules.ViaDNS, Client: q.client, Identity: q.who, SourceProven: q.proven, Proto: q.proto,
		Fault: rules.MalformedRequest, Detail: "the filter failed on this query",
	})
	f.observe(q, KindDropped, dns.RcodeServerFailure)
}
