// Party: who has a budget of its own.

package dnsfilter

import (
	"net/netip"

	"sallyport/rules"
)

// A party is what a budget is for: a source, as what client of the configuration.
// Two clients may have addresses in one /64, or on loopback; neither spends what
// is the other's.
type party struct {
	source netip.Addr // rules.SourceOf
	client string     // "": unknown
}

// partyOf returns the party at an address that d was decided for.
func partyOf(addr netip.Addr, d *rules.Decision) party {
	p := party{source: rules.SourceOf(addr)}
	if d.Client != nil {
		p.client = d.Client.Name
	}
	return p
}
