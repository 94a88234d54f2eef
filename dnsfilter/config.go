// Config: the settings of a Filter, with its clock, its sockets and its Gate.

package dnsfilter

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"sallyport/rules"
)

// Config holds the settings of a Filter. A nil Gate denies everything.
type Config struct {
	// Gate decides about every query and records the decision.
	Gate rules.Gate
	// Generation returns the generation in force. A query keeps the generation
	// that it began with, and that generation's Resolver answers it. If
	// Generation is nil, no name resolves.
	Generation func() *rules.Generation

	// Balancers has the addresses from which every connection by TCP begins with
	// a header of the PROXY protocol, which names the client.
	Balancers []netip.Prefix

	Limits Limits

	Timeout    time.Duration // a client has its answer or a failure within this time; 0: 2.8 s
	TryTimeout time.Duration // wait before the question is sent again and to the next upstream, while the upstream's usual time is unknown; 0: 900 ms
	TCPIdle    time.Duration // limit for one message of a TCP client; 0: 10 s
	ProbeEvery time.Duration // time between probes of idle upstreams; 0: 30 s, negative: no probes

	Now      func() time.Time // nil: time.Now
	NextFlow func() uint64    // returns a new flow number; nil: the filter counts by itself
	Log      *slog.Logger     // nil: none

	// Dial connects to an upstream. The address is always a literal from
	// Upstreams or Zones. nil: net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Pins makes the filter remember which addresses each client got for which
	// names. Pinned returns those names.
	Pins bool
	// PrefetchNames returns names that a generation permits. While Serve runs,
	// the filter looks them up before any client asks and keeps the answers
	// fresh. Pinned treats their addresses as given to every client. The filter
	// calls PrefetchNames again after PolicyChanged. nil: no prefetch.
	PrefetchNames func(*rules.Generation) []rules.Name
	// Prefetched, if not nil, is called after every successful prefetch with
	// the name's addresses and their TTL. It must not block or keep addrs.
	Prefetched func(name rules.Name, addrs []netip.Addr, ttl time.Duration)
	// Jitter returns a random number in [0, 1), which spreads the prefetches
	// over time; nil: rand.Float64.
	Jitter func() float64

	// Answered, if not nil, is called with the addresses that a client got for
	// a name, and their TTL. It must not block or keep addrs.
	Answered func(client netip.Addr, name rules.Name, addrs []netip.Addr, ttl time.Duration)
	// Observe, if not nil, is called for every reply, or once for several equal ones.
	// ObserveUpstream, if not nil, is called after every try of an upstream. Neither may
	// block.
	Observe         func(Answer)
	ObserveUpstream func(UpstreamTry)
}

// Limits bounds what clients can make the filter hold. A field that is zero has
// its default.
type Limits struct {
	QPS               int // queries a second, and in one burst, of one client (IPv6: one /64) that need an upstream; 1000; negative: no limit. Queries by UDP without a cookie have a separate limit, a quarter of this one
	WildcardNames     int // new names below wildcards and zones that one client may have looked up in any 5 minutes; 500; negative: no limit. In a minute the client may have four times as many look-ups of such names
	UnknownQPS        int // replies a second to all unknown clients together; 100
	TCP               int // TCP connections; 256. The same number may wait until a connection ends, and half of that number for one client
	TCPPerClient      int // TCP connections of one client; 32
	InFlight          int // queries in flight to upstreams; 1024
	InFlightPerClient int // queries in flight of one client; a quarter of InFlight
	Pins              int // pins of all clients; 65 536
	PinsPerClient     int // pins of one client; 4096
}

// withDefaults returns c with defaults in its zero fields.
func (c Config) withDefaults() Config {
	c.Limits = c.Limits.withDefaults()
	c.Timeout = orDefault(c.Timeout, 2800*time.Millisecond)
	c.TryTimeout = orDefault(c.TryTimeout, 900*time.Millisecond)
	c.TCPIdle = orDefault(c.TCPIdle, 10*time.Second)
	c.ProbeEvery = orDefault(c.ProbeEvery, 30*time.Second)
	if c.Gate == nil {
		c.Gate = (*rules.Policy)(nil) // denies
	}
	if c.Generation == nil {
		c.Generation = func() *rules.Generation { return nil }
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Dial == nil {
		c.Dial = dialLiteral
	}
	return c
}

// The defaults that a Filter and its Resolvers share.
const (
	defaultCache    = 10_000
	defaultInFlight = 1024
)

// unprovenQPS returns the rate for queries without a proven source.
func (l Limits) unprovenQPS() int {
	if l.QPS < 0 {
		return l.QPS
	}
	return max(1, l.QPS/unprovenFraction)
}

// withDefaults returns l with defaults in its zero fields.
func (l Limits) withDefaults() Limits {
	l.QPS = orDefault(l.QPS, 1000)
	l.WildcardNames = orDefault(l.WildcardNames, 500)
	l.UnknownQPS = orDefault(l.UnknownQPS, 100)
	l.TCP = orDefault(l.TCP, 256)
	l.TCPPerClient = orDefault(l.TCPPerClient, 32)
	l.InFlight = orDefault(l.InFlight, defaultInFlight)
	l.InFlightPerClient = orDefault(l.InFlightPerClient, max(1, l.InFlight/4))
	l.Pins = orDefault(l.Pins, 65_536)
	l.PinsPerClient = orDefault(l.PinsPerClient, 4096)
	return l
}

// orDefault returns v, or def if v is zero.
func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// dialLiteral connects to an IP address. It refuses names.
func dialLiteral(ctx context.Context, network, address string) (net.Conn, error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, err
	}
	var d net.Dialer
	d.SetMultipathTCP(false)
	return d.DialContext(ctx, network, address)
}

// Denied is the form of the reply to a denied query. Its zero value is
// NXDOMAIN.
type Denied uint8

// The forms of a denial.
const (
	NXDomain Denied = iota // the name does not exist
	Refused                // RCODE REFUSED
	NoData                 // the name has no such record
)

// ParseDenied parses "nxdomain", "refused" or "nodata".
func ParseDenied(s string) (Denied, error) {
	switch s {
	case "nxdomain":
		return NXDomain, nil
	case "refused":
		return Refused, nil
	case "nodata":
		return NoData, nil
	}
	return NXDomain, fmt.Errorf(`dns: denied is %q, not "nxdomain", "refused" or "nodata"`, s)
}
