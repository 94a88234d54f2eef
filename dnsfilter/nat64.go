// Pref64: which NAT64 prefixes the upstreams' DNS64 makes addresses with.

package dnsfilter

import (
	"cmp"
	"context"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// A Pref64 is what a discovery found (RFC 7050).
type Pref64 struct {
	Prefixes []netip.Prefix
	Refused  []error       // prefixes that were not taken, and why
	For      time.Duration // how long the answer holds
}

// DiscoverNAT64 asks the upstreams of g, nil: of the generation in force, for the AAAA records of ipv4only.arpa. No
// prefix is found where they translate nothing; an error says that they have not
// answered. [hosts] does not count: it is about the upstreams.
func (f *Filter) DiscoverNAT64(ctx context.Context, g *rules.Generation) (Pref64, error) {
	name, err := rules.ParseName(rules.IPv4OnlyName)
	if err != nil {
		return Pref64{}, err
	}
	if g == nil {
		g = f.cfg.Generation()
	}
	key := appendKey(nil, appendWireName(nil, name), dns.TypeAAAA)
	e := f.fetch(ctx, f.resolverOf(g), string(key), name, want{qtype: dns.TypeAAAA})
	if e.failed {
		return Pref64{}, cmp.Or(ctx.Err(), e.cause, ErrUpstream)
	}
	p := Pref64{For: e.holds(f.clock())}
	p.Prefixes, p.Refused = rules.DiscoveredNAT64(e.addrs)
	return p, nil
}
