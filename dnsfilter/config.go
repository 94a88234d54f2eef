// Config: what a Filter is given; time, sockets and decisions included.

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

// Config is what a Filter is made of. A nil Gate denies everything.
type Config struct {
	// Gate answers for every query and records the answer.
	Gate rules.Gate
	// Generation returns the generation in force, which a query takes and keeps
	// and whose Resolver is the one that answers. Nil: no name resolves.
	Generation func() *rules.Generation

	Limits Limits

	Timeout    time.Duration // until a client has its answer; 0: 2.8 s
	TryTimeout time.Duration // before an upstream is asked again, or the next one as well, while nothing is known of how long it takes; 0: 900 ms
	TCPIdle    time.Duration // for one message of a TCP client; 0: 10 s
	ProbeEvery time.Duration // between probes of idle upstreams; 0: 30 s, negative: none

	Now      func() time.Time // nil: time.Now
	NextFlow func() uint64    // numbers the flows; nil: a counter of the filter's own
	Log      *slog.Logger     // nil: none

	// Dial connects to an upstream; nil: net.Dialer. The address is always a
	// literal of Upstreams or Zones.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Pins makes the filter remember which addresses every client was told for
	// which names, for Pinned.
	Pins bool
	// Ahead returns names that a generation permits, to be looked up before any
	// client asks and kept fresh while Serve runs; Pinned counts them as told to
	// every client. It is called again after PolicyChanged. nil: none.
	PrefetchNames func(*rules.Generation) []rules.Name
	// Fresh is told every time what such a name's addresses are, and for how
	// long. It must not block or keep addrs. nil: nobody cares.
	Prefetched func(name rules.Name, addrs []netip.Addr, ttl time.Duration)
	// Jitter returns a random number of [0, 1), to spread those look-ups over
	// time; nil: rand.Float64.
	Jitter func() float64

	// Answered is told which addresses a client was given for a name, and for
	// how long. It must not block or keep addrs. nil: nobody cares.
	Answered func(client netip.Addr, name rules.Name, addrs []netip.Addr, ttl time.Duration)
	// Observe is told about every reply; ObserveUpstream about every try of an
	// upstream. They must not block. nil: nobody cares.
	Observe         func(Answer)
	ObserveUpstream func(UpstreamTry)
}

// Limits bound what clients can make the filter hold. Zero is the default.
type Limits struct {
	QPS               int // queries a second that need an upstream, of one client (IPv6: of one /64), as burst too; 1000; negative: no limit. A quarter of it beside by UDP without a cookie
	WildcardNames     int // new names below wildcards and zones that one client may have looked up in any 5 minutes, and a quarter of its look-ups of them in a minute; 500; negative: no limit
	UnknownQPS        int // replies a second sent to all unknown clients together; 100
	TCP               int // TCP connections; 256; as many more may wait for their turn, half of them of one client
	TCPPerClient      int // TCP connections of one client; 32
	InFlight          int // queries that wait for an upstream; 1024
	InFlightPerClient int // of one client; a quarter of InFlight
	Pins              int // addresses remembered with a name, of all clients; 65 536
	PinsPerClient     int // of one client; 4096
}

// withDefaults fills what was left zero.
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

// Defaults that a Filter and its Resolvers share.
const (
	defaultCache    = 10_000
	defaultInFlight = 1024
)

// unprovenQPS is what QPS is for queries whose source is not proven.
func (l Limits) unprovenQPS() int {
	if l.QPS < 0 {
		return l.QPS
	}
	return max(1, l.QPS/unprovenFraction)
}

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

// orDefault returns v, or def where v is zero.
func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// dialLiteral connects to an address; there is no name to resolve in it.
func dialLiteral(ctx context.Context, network, address string) (net.Conn, error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, err
	}
	var d net.Dialer
	d.SetMultipathTCP(false)
	return d.DialContext(ctx, network, address)
}

// Denied is the form of a denial. Its zero value is NXDOMAIN.
type Denied uint8

// The forms of a denial.
const (
	NXDomain Denied = iota // the name does not exist
	Refused                // RCODE REFUSED
	NoData                 // the name has no such record
)

// ParseDenied reads "nxdomain", "refused" or "nodata".
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
