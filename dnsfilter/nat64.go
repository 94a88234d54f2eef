// NAT64: discovers the prefixes that the upstreams' DNS64 uses.

package dnsfilter

import (
	"cmp"
	"context"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// A Pref64 is the result of a discovery (RFC 7050).
type Pref64 struct {
	Prefixes []netip.Prefix
	Refused  []error       // the reasons why prefixes were refused
	For      time.Duration // the lifetime of the answer
}

// DiscoverNAT64 asks the upstreams of g for the AAAA records of ipv4only.arpa.
// A nil g means the generation in force. If the upstreams translate nothing,
// the result has no prefix. If they do not answer, DiscoverNAT64 returns an
// error. It does not use fixed answers of [hosts], because they do not show
// what the upstreams do.
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
