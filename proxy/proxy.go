// Proxy: what the front ends are given, and their shared state.

package proxy

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"sallyport/proxy/peek"
	"sallyport/proxy/relay"
	"sallyport/rules"
	"sallyport/rules/quota"
)

// Config is everything a Proxy works with. A nil Gate denies
// everything, a nil Lookup resolves nothing.
type Config struct {
	// Gate answers every attempt and records the answer.
	Gate rules.Gate
	// Generation returns the generation in force, which a new flow or request
	// takes and keeps. Nil: the Gate chooses at each question.
	Generation func() *rules.Generation
	// Closed is told how each permitted flow ended. Nil: nobody is.
	Closed func(rules.Close)
	// Lookup resolves a name that was granted, as the generation says that granted
	// it. Of a name that does not exist it says so by a *net.DNSError with
	// IsNotFound.
	Lookup func(context.Context, *rules.Generation, rules.Name) ([]netip.Addr, error)
	// AdmitName tells why a client may not have one more name looked up for which
	// it has the grant d, "" where it may; nil: it may always.
	AdmitName func(client netip.Addr, d rules.Decision, name rules.Name) string
	// Pinned returns the names that a client was told an address for; nil: none.
	Pinned func(client, addr netip.Addr) []rules.Name
	// NextFlow numbers flows; nil: from 1.
	NextFlow func() uint64
	// Connect makes the one connection that was granted; nil: TCP by this host.
	// Tests replace it.
	Connect func(context.Context, netip.AddrPort) (*net.TCPConn, error)

	Limits Limits
	Log    *slog.Logger // nil: discard

	// originalDst tells where a redirected connection was headed; nil: the
	// kernel does. Tests replace it.
	originalDst func(*net.TCPConn) (netip.AddrPort, error)

	textWait, pinWait time.Duration // the constants; tests replace them
}

// Limits bound what clients can make the proxy hold. A zero field is its default.
type Limits struct {
	Connections int           // accepted connections at once, 16384
	PerClient   int           // of them of one client and source (an address, an IPv6 /64), 4096
	Sniffing    int           // tunnels whose first bytes are awaited, 4096; of one client a quarter
	Head        time.Duration // a whole request head or SOCKS5 handshake, 10 s
	Sniff       time.Duration // a whole hello or head inside a tunnel, 5 s
	Dial        time.Duration // resolving and connecting, 10 s
	Idle        time.Duration // no byte in either direction, 15 min
	HalfClosed  time.Duration // one direction closed, the other idle, 60 s at most
}

// maxHalfClosed is the longest that a half-closed tunnel may idle.
const maxHalfClosed = time.Minute

func (l Limits) withDefaults() Limits {
	l.Connections = cmp.Or(max(l.Connections, 0), 16384)
	l.PerClient = cmp.Or(max(l.PerClient, 0), 4096)
	l.Sniffing = cmp.Or(max(l.Sniffing, 0), 4096)
	l.Head = cmp.Or(max(l.Head, 0), 10*time.Second)
	l.Sniff = cmp.Or(max(l.Sniff, 0), 5*time.Second)
	l.Dial = cmp.Or(max(l.Dial, 0), 10*time.Second)
	l.Idle = cmp.Or(max(l.Idle, 0), 15*time.Minute)
	l.HalfClosed = min(cmp.Or(max(l.HalfClosed, 0), maxHalfClosed), maxHalfClosed)
	return l
}

// Proxy lets clients out to the destinations that they may reach. One Proxy
// has any number of listeners; limits, draining and Recheck span them all.
type Proxy struct {
	cfg    Config
	limits Limits
	log    *slog.Logger

	base context.Context // ends when the last grace of Drain is over
	stop context.CancelFunc

	remote func(*net.TCPConn) netip.AddrPort // peerOf, but in tests
	slice  time.Duration                     // sliceTime, but in tests
	grace  time.Duration                     // firstWord, but in tests

	draining atomic.Bool
	drained  chan struct{} // closed when Drain begins

	engine       engine
	loops        loopTable
	clients      clientTable
	sniffing     *quota.Table[rules.QuotaKey]
	lookups      *quota.Table[rules.QuotaKey]
	flows        flowTable
	count        counters
	buffers      peek.Pool
	relayBuffers relay.Buffers
}

// New returns a Proxy that serves nothing yet.
func New(cfg Config) *Proxy {
	p := &Proxy{cfg: cfg, limits: cfg.Limits.withDefaults(), log: cfg.Log, remote: peerOf, slice: relay.Slice, grace: firstRequestWait, drained: make(chan struct{})}
	p.sniffing = quota.New[rules.QuotaKey](p.limits.Sniffing, p.limits.sniffingQuota())
	p.lookups = quota.New[rules.QuotaKey](quota.Unlimited, maxLookups)
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.cfg.Gate == nil {
		p.cfg.Gate = (*rules.Policy)(nil) // denies
	}
	if p.cfg.Generation == nil {
		p.cfg.Generation = func() *rules.Generation { return nil }
	}
	if p.cfg.Connect == nil {
		p.cfg.Connect = connectTCP
	}
	if p.cfg.originalDst == nil {
		p.cfg.originalDst = originalDst
	}
	p.cfg.textWait, p.cfg.pinWait = cmp.Or(cfg.textWait, textWait), cmp.Or(cfg.pinWait, pinWait)
	if p.cfg.NextFlow == nil {
		p.cfg.NextFlow = new(flowNumbers).next
	}
	p.base, p.stop = context.WithCancel(context.Background())
	return p
}

// flowNumbers counts flows where nobody else does.
type flowNumbers struct{ n atomic.Uint64 }

func (f *flowNumbers) next() uint64 { return f.n.Add(1) }

// decide asks about a new request of c's. While draining, every request but the
// first of a connection is denied: the system had accepted the connection for
// this process, so no other will serve its first request.
func (p *Proxy) decide(c *client, a rules.Attempt) rules.Decision {
	if a.Fault == rules.ReasonNone && c.again.Load() && p.draining.Load() {
		a.Fault = rules.Draining
	}
	return p.cfg.Gate.Decide(a)
}

// attempt begins an Attempt of a client: everything but what it asks for. The
// generation in force now is the flow's from here on.
func (p *Proxy) attempt(c *client, via rules.Via) rules.Attempt {
	return rules.Attempt{Generation: p.cfg.Generation(), Flow: p.cfg.NextFlow(), Via: via, Client: c.addr, Proto: rules.TCP, SourceProven: true}
}
