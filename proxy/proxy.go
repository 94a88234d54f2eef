// Proxy: the configuration of the front ends, and the state that they share: the tables
// of open client connections and flows.

package proxy

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"sallyport/proxy/datagram"
	"sallyport/proxy/peek"
	"sallyport/proxy/proof"
	"sallyport/proxy/relay"
	"sallyport/rules"
	"sallyport/rules/quota"
)

// Config is everything that a Proxy works with. A nil Gate denies everything. A nil Lookup
// resolves nothing.
type Config struct {
	// Gate answers every attempt and records the answer.
	Gate rules.Gate
	// Generation returns the generation in force. A new flow or request takes it and keeps it.
	// nil: the Gate chooses one at each question.
	Generation func() *rules.Generation
	// Closed, if not nil, is called with the end of each permitted flow.
	Closed func(rules.Close)
	// Lookup resolves a granted name with the resolver of the generation that granted it. If
	// the name does not exist, its error is a *net.DNSError with IsNotFound.
	Lookup func(context.Context, *rules.Generation, rules.Name) ([]netip.Addr, error)
	// Unproven returns why DNSSEC does not prove the addresses that Lookup just returned for a
	// name, if the generation permits such addresses and records them. nil: nothing is to be
	// proven. If the generation permits none, Lookup returns an *UnprovenError instead.
	Unproven func(*rules.Generation, rules.Name) string
	// AdmitName returns why the proxy must not look up one more name for a client, or "" if it
	// may. d is the grant. nil: there is no limit.
	AdmitName func(client netip.Addr, d rules.Decision, name rules.Name) string

	// Found gets the addresses of parents that have a name. nil: nothing keeps them.
	Found *rules.Found
	// Pinned returns the names for which the DNS filter gave the client this address. nil:
	// there are none.
	Pinned func(client, addr netip.Addr) []rules.Name
	// SyntheticName returns the name that a synthetic address stands for, zero if none is known.
	// It reports false if the address is not synthetic. nil: no address is.
	SyntheticName func(g *rules.Generation, client, addr netip.Addr) (name rules.Name, synthetic bool)
	// NextFlow numbers flows. nil: they are numbered from 1.
	NextFlow func() uint64
	// AnswerDNS answers a DNS query that came in a datagram, as the DNS filter decides. The client's
	// address and who are proven by its TCP connection. AnswerDNS does not block: reply is called at most
	// once, also from another goroutine, and does not keep the bytes. nil: such queries are denied.
	AnswerDNS func(ctx context.Context, client netip.AddrPort, who *rules.Identity, query []byte, reply func([]byte))
	// Connect makes the one connection that was granted. nil: this host connects by TCP. Tests
	// replace it.
	Connect func(context.Context, netip.AddrPort) (*net.TCPConn, error)

	// Balancers has the addresses from which every connection begins with a header of the PROXY
	// protocol, which names the client.
	Balancers []netip.Prefix

	Limits Limits       // zero fields have defaults
	Log    *slog.Logger // nil: discard

	// originalDst returns where a redirected connection was headed. nil: the kernel is asked.
	// Tests replace it.
	originalDst func(*net.TCPConn) (netip.AddrPort, error)
	// localDst returns the local address of a connection that TPROXY brought here. nil: the kernel's
	// answer. Tests replace it.
	localDst func(*net.TCPConn) netip.AddrPort

	// The socket of a datagram flow, and the address that it is connected to. nil: the kernel's.
	// Tests replace them.
	connectUDP func(context.Context, netip.AddrPort) (*net.UDPConn, error)
	remoteUDP  func(*net.UDPConn) netip.AddrPort

	textWait, pinWait time.Duration // 0: the constants; tests set others
}

// Limits bound what clients can make the proxy hold. A zero field stands for its default.
type Limits struct {
	Connections int           // accepted connections at once, 16384
	PerClient   int           // accepted connections of one client from one source (an address, an IPv6 /64), 4096
	Sniffing    int           // tunnels whose first bytes are awaited, 4096; a quarter of them for one client
	Head        time.Duration // a complete request head or SOCKS5 handshake, 10 s
	Sniff       time.Duration // a complete ClientHello or head inside a tunnel, 5 s
	Dial        time.Duration // resolving and connecting, 10 s
	Idle        time.Duration // no byte in either direction, 15 min
	HalfClosed  time.Duration // one direction closed, the other idle, 60 s at most
	UDPFlows    int           // flows of datagrams, 1024, and as many associations; a quarter of them for one client
	UDPIdle     time.Duration // no datagram in either direction of a flow, 2 min
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
	l.UDPFlows = cmp.Or(max(l.UDPFlows, 0), 1024)
	l.UDPIdle = cmp.Or(max(l.UDPIdle, 0), 2*time.Minute)
	l.HalfClosed = min(cmp.Or(max(l.HalfClosed, 0), maxHalfClosed), maxHalfClosed)
	return l
}

// A Proxy connects clients to the destinations that they may reach. One Proxy serves any number
// of listeners; limits, Drain and Recheck span them all.
type Proxy struct {
	cfg    Config
	limits Limits
	log    *slog.Logger

	base context.Context // ends when the last grace period of Drain is over
	stop context.CancelFunc

	remote func(*net.TCPConn) netip.AddrPort // peerOf, except in tests
	slice  time.Duration                     // relay.Slice, except in tests
	grace  time.Duration                     // firstRequestWait, except in tests

	draining atomic.Bool
	drained  chan struct{} // closed when Drain begins

	engine       engine
	loops        loopTable
	logins       *proof.Logins
	clients      clientTable
	said         atomic.Int64 // when the log last had a line of warnSecure, in seconds
	sniffing     *quota.Table[rules.QuotaKey]
	handshakes   *quota.Table[rules.QuotaKey] // of TLS with clients
	lookups      *quota.Table[rules.QuotaKey]
	flows        flowTable
	idle         idleTable
	lines        linePool
	datagrams    *datagram.Table
	associations *quota.Table[rules.QuotaKey]
	ports        portTable
	parents      parentTable
	proofs       proofClock
	count        counters
	buffers      peek.Pool
	relayBuffers relay.Buffers
}

// New returns a Proxy that serves nothing yet.
func New(cfg Config) *Proxy {
	p := &Proxy{cfg: cfg, limits: cfg.Limits.withDefaults(), log: cfg.Log, remote: peerOf, slice: relay.Slice, grace: firstRequestWait, drained: make(chan struct{}), logins: proof.New(time.Now)}
	p.sniffing = quota.New[rules.QuotaKey](p.limits.Sniffing, p.limits.sniffingQuota())
	p.idle.limit = min(idleLimit, p.limits.Connections)
	p.handshakes = quota.New[rules.QuotaKey](p.limits.Sniffing, p.limits.sniffingQuota())
	p.lookups = quota.New[rules.QuotaKey](quota.Unlimited, maxLookups)
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.cfg.Gate == nil {
		p.cfg.Gate = (*rules.Policy)(nil) // denies everything
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
	if p.cfg.localDst == nil {
		p.cfg.localDst = localDst
	}
	p.cfg.textWait, p.cfg.pinWait = cmp.Or(cfg.textWait, textWait), cmp.Or(cfg.pinWait, pinWait)
	if p.cfg.NextFlow == nil {
		p.cfg.NextFlow = new(flowNumbers).next
	}
	p.base, p.stop = context.WithCancel(context.Background())
	p.datagrams = p.newDatagrams()
	p.associations = quota.New[rules.QuotaKey](p.limits.UDPFlows, datagram.Quota(p.limits.UDPFlows))
	return p
}

// flowNumbers numbers flows if Config.NextFlow is nil.
type flowNumbers struct{ n atomic.Uint64 }

func (f *flowNumbers) next() uint64 { return f.n.Add(1) }

// decide asks about a new request of c. While draining, every request is denied except the
// first of a connection: the kernel gave the connection to this process, so no other process
// will serve that request.
func (p *Proxy) decide(c *client, a rules.Attempt) rules.Decision {
	if a.Fault == rules.ReasonNone && c.again.Load() && p.draining.Load() {
		a.Fault = rules.Draining
	}
	return p.cfg.Gate.Decide(a)
}

// attempt returns an Attempt of a client without its destination. It takes the generation in
// force now for the whole flow.
func (p *Proxy) attempt(c *client, via rules.Via) rules.Attempt {
	a := rules.Attempt{Generation: p.cfg.Generation(), Flow: p.cfg.NextFlow(), Via: via, Client: c.addr, Proto: rules.TCP, SourceProven: true}
	c.certify(&a)
	return a
}
