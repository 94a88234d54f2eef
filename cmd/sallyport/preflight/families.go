// Families: chooses which addresses of a name are tried. If this host has no
// route for an address family, the report has one note about it, not one
// finding per address.

package preflight

import (
	"fmt"
	"io"
	"net/netip"
)

// maxAddresses is how many addresses of one name are tried. A name with more
// has a large pool of servers, or its name server tries to waste our time.
const maxAddresses = 16

// sample returns at most maxAddresses of addrs, in their order. At least half
// of them are of each family, if the family has so many.
func sample(addrs []netip.Addr) []netip.Addr {
	left := map[bool]int{} // by family: IPv4
	for _, a := range addrs {
		left[a.Is4()]++
	}
	left[true] = min(left[true], max(maxAddresses/2, maxAddresses-left[false]))
	left[false] = min(left[false], maxAddresses-left[true])
	tried := make([]netip.Addr, 0, maxAddresses)
	for _, a := range addrs {
		if left[a.Is4()] > 0 {
			left[a.Is4()]--
			tried = append(tried, a)
		}
	}
	return tried
}

// sampled adds to a destination the note that some of its addresses were not
// tried.
func (d *Destination) sampled(at place) {
	if d.DNS == nil || d.DNS.NotTried == 0 {
		return
	}
	text := fmt.Sprintf("%d addresses; %d were tried, and %d were not", len(d.DNS.Addresses), len(d.Results), d.DNS.NotTried)
	switch d.Status {
	case OK:
		d.Status, d.Finding = Warning, at.finding(ManyAddresses, text)
	case Warning, Failed:
		d.Detail += "; " + text
	}
}

// A Family is an address family that this host has no route for.
type Family struct {
	Family    string `json:"family"`    // "ipv4", "ipv6"
	Addresses int    `json:"addresses"` // without a route
}

// unrouted returns the families in which no address had a route.
func (r *Report) unrouted() []Family {
	without, routed := map[string]int{}, map[string]bool{}
	for _, d := range r.Destinations {
		for _, a := range d.Results {
			switch {
			case a.Problem == NoRoute:
				without[a.Family]++
			case a.TCP != nil:
				routed[a.Family] = true
			}
		}
	}
	out := []Family{}
	for _, family := range []string{"ipv4", "ipv6"} {
		if without[family] > 0 && !routed[family] {
			out = append(out, Family{family, without[family]})
		}
	}
	return out
}

// writeUnrouted prints the note about these families.
func (r *Report) writeUnrouted(w io.Writer) {
	names := map[string]string{"ipv4": "IPv4", "ipv6": "IPv6"}
	for _, f := range r.NoRoute {
		addresses := "one address"
		if f.Addresses > 1 {
			addresses = fmt.Sprintf("%d addresses", f.Addresses)
		}
		fmt.Fprintf(w, "\n%s: this host has no route (%s not tried). This is no fault if the other family works\n",
			names[f.Family], addresses)
	}
}
