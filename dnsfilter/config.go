// Config: what a Filter is given; time, sockets and decisions included.

package dnsfilter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"sallyport/rules"
)

// Config is what a Filter is made of. Decide and Upstreams are required.
type Config struct {
	// Decide answers for every query; it must be safe for concurrent use.
	Decide rules.Decider

	Upstreams []Upstream                  // for every name outside of Zones
	Zones     []Zone                      // internal zones; the longest suffix wins
	Hosts     map[rules.Name][]netip.Addr // fixed answers, decided like any other
	Denied    Denied                      // the form of a denial

	Limits Limits

	Timeout    time.Duration // until a client has its answer; 0: 2.8 s
	TryTimeout time.Duration // for one try of one upstream; 0: 900 ms
	TCPIdle    time.Duration // for one message of a TCP client; 0: 10 s
	ProbeEvery time.Duration // between probes of idle upstreams; 0: 30 s, negative: none

	Now      func() time.Time // nil: time.Now
	NextFlow func() uint64    // numbers the flows; nil: a counter of the filter's own
	Log      *slog.Logger     // nil: none

	// Dial connects to an upstream; nil: net.Dialer. The address is always a
	// literal of Upstreams or Zones.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Known tells whether an address is a client's of the configuration. All
	// others together get a small share of the TCP connections, so that they
	// cannot keep the clients out. nil: everybody is known.
	Known func(netip.Addr) bool

	// Pins makes the filter remember which addresses every client was told for
	// which names, for Pinned.
	Pins bool
	// Ahead returns names that the policy permits, to be looked up before any
	// client asks and kept fresh while Serve runs; Pinned counts them as told to
	// every client. It is called again after Reload and PolicyChanged. nil: none.
	Ahead func() []rules.Name
	// Fresh is told every time what such a name's addresses are, and for how
	// long. It must not block or keep addrs. nil: nobody cares.
	Fresh func(name rules.Name, addrs []netip.Addr, ttl time.Duration)
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

// A Zone is an internal zone: its names are asked of its own servers.
type Zone struct {
	Suffix    rules.Name
	Upstreams []Upstream
}

// Limits bound what clients can make the filter hold. Zero is the default.
type Limits struct {
	Cache             int // answers kept; 10 000
	QPS               int // queries a second that need an upstream, of one client (IPv6: of one /64), as burst too; 1000; negative: no limit
	WildcardNames     int // different names below wildcards that one client may have looked up in 5 minutes; 500; negative: no limit
	UnknownQPS        int // replies a second sent to all unknown clients together; 100
	TCP               int // TCP connections; 256
	TCPPerClient      int // TCP connections of one client; 32
	InFlight          int // queries that wait for an upstream; 1024
	InFlightPerClient int // of one client; a quarter of InFlight
	Pins              int // addresses remembered with a name, of all clients; 65 536
	PinsPerClient     int // of one client; 4096
}

// withDefaults fills what was left zero.
func (c Config) withDefaults() Config {
	orInt := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	orTime := func(v *time.Duration, def time.Duration) {
		if *v == 0 {
			*v = def
		}
	}
	orInt(&c.Limits.Cache, 10_000)
	orInt(&c.Limits.QPS, 1000)
	orInt(&c.Limits.WildcardNames, 500)
	orInt(&c.Limits.UnknownQPS, 100)
	orInt(&c.Limits.TCP, 256)
	orInt(&c.Limits.TCPPerClient, 32)
	orInt(&c.Limits.InFlight, 1024)
	orInt(&c.Limits.InFlightPerClient, max(1, c.Limits.InFlight/4))
	orInt(&c.Limits.Pins, 65_536)
	orInt(&c.Limits.PinsPerClient, 4096)
	orTime(&c.Timeout, 2800*time.Millisecond)
	orTime(&c.TryTimeout, 900*time.Millisecond)
	orTime(&c.TCPIdle, 10*time.Second)
	orTime(&c.ProbeEvery, 30*time.Second)
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

// check tells what makes the configuration unusable.
func (c *Config) check() error {
	var errs []error
	if c.Decide == nil {
		errs = append(errs, errors.New("dns: nobody to decide"))
	}
	if len(c.Upstreams) == 0 {
		errs = append(errs, errors.New("dns: no upstream is configured"))
	}
	for _, z := range c.Zones {
		if z.Suffix.IsZero() {
			errs = append(errs, errors.New("dns: a zone has no suffix"))
		}
		if len(z.Upstreams) == 0 {
			errs = append(errs, fmt.Errorf("dns: zone %s has no upstream", z.Suffix))
		}
	}
	return errors.Join(errs...)
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
