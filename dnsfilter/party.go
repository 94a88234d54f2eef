// Party: who has a budget of its own.

package dnsfilter

import (
	"net/netip"

	"sallyport/rules"
)

// party is who has a budget of its own.
type party = rules.Party

// partyOf returns the party at an address that d was decided for.
func partyOf(addr netip.Addr, d *rules.Decision) party {
	return rules.PartyOf(addr, d.Client)
}
