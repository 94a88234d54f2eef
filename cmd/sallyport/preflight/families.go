// Families: which addresses of a name are tried, and a family of addresses that
// this host has no route for at all: one note, and not one finding each.

package preflight

import (
	"fmt"
	"io"
	"net/netip"
)

// maxAddresses is how many addresses of one name are tried. More are a pool of
// which these are a sample, or a name server's attempt on our time.
const maxAddresses = 16

// sample returns at most maxAddresses of addrs, in their order, with at least
// half as many of each family where there are so many.
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

// sampled says of a destination that not all of its addresses were tried.
func (d *Destination) sampled(at place) {
	if d.DNS == nil || d.DNS.NotTried == 0 {
		return
	}
	text := fmt.Sprintf("%d addresses; %d were tried, and %d more not", len(d.DNS.Addresses), len(d.Results), d.DNS.NotTried)
	switch d.Status {
	case OK:
		d.Status, d.Finding = Warning, at.finding(ManyAddresses, text)
	case Warning, Failed:
		d.Detail += "; " + text
	}
}

// A Family is one that this host has no route for.
type Family struct {
	Family    string `json:"family"`    // "ipv4", "ipv6"
	Addresses int    `json:"addresses"` // to which there is none
}

// unrouted finds the families to which no address was anything but unrouted.
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

// writeUnrouted notes them.
func (r *Report) writeUnrouted(w io.Writer) {
	names := map[string]string{"ipv4": "IPv4", "ipv6": "IPv6"}
	for _, f := range r.NoRoute {
		addresses := "one address"
		if f.Addresses > 1 {
			addresses = fmt.Sprintf("%d addresses", f.Addresses)
		}
		fmt.Fprintf(w, "\n%s: this host has no route; not tried (%s), and no fault where the other family works\n",
			names[f.Family], addresses)
	}
}
