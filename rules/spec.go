// Spec: the data that a policy is compiled from.

package rules

import "net/netip"

// A Spec is the part of a site's configuration that a Policy is compiled from:
// checked, typed data. Package site reads it from a file.
type Spec struct {
	File              string                // the name of the file, for problems
	Revision          string                // names the text that the Spec was read from
	StrictDestination bool                  // deny a redirected flow if its name does not have its address
	ECHDeny           bool                  // deny a ClientHello with Encrypted ClientHello
	Unproven          Unproven              // what happens to an answer that DNSSEC does not prove
	Clients           []*Client             // in order: the first client that covers an address counts
	Rules             []*Rule               // the site's own
	Parents           []*Parent             // in the order of the file
	Sinks             []*Sink               // in the order of the file
	Hosts             map[Name][]netip.Addr // the addresses of [hosts]
	Zones             []Name                // the suffixes of the internal zones
	Private           []netip.Prefix        // private addresses that permitted names may resolve to
	NAT64             []netip.Prefix        // the prefixes of the site's translators
	NAT64Discover     bool                  // NAT64 also has the prefixes that upstreams report (RFC 7050)
	Synthetic         Synthetic             // the addresses that stand for names
	Known             []*Known              // denials that the site knows and means
	KnownSets         []*KnownSet           // the sets that Known could have: for hints
	Profiles          []*Profile            // every profile that a client could have
}

// Unproven is what happens to an answer that DNSSEC does not prove. Its zero value denies, and
// each later value permits more.
type Unproven uint8

// The ways to treat such an answer.
const (
	UnprovenDenied Unproven = iota
	UnprovenLogged          // it is permitted, and recorded as what would be denied
	UnprovenPassed          // it is treated like every other answer
)
