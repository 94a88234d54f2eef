// Parents: the parent proxies of a configuration, which only sallyport may reach.

package nftables

import (
	"fmt"
	"net/netip"
	"strconv"

	"sallyport/rules/site"
)

// addParents adds the addresses of the parents. [hosts] can give the address of a name; the address of
// any other name is not known when the filter is computed.
func (p *Plan) addParents(cfg *site.Config) {
	add := func(addr netip.Addr, port uint16) {
		element := addr.String() + " . " + strconv.Itoa(int(port))
		if addr.Is4() {
			p.Parents4 = append(p.Parents4, element)
		} else {
			p.Parents6 = append(p.Parents6, element)
		}
	}
	for _, parent := range cfg.Parents {
		at := parent.At
		addrs := cfg.Hosts[at.Name]
		if at.Addr.IsValid() {
			addrs = []netip.Addr{at.Addr}
		}
		for _, addr := range addrs {
			add(addr, at.Port)
		}
		if len(addrs) == 0 {
			p.Warnings = append(p.Warnings, fmt.Sprintf("[[parent]] %s: the filter does not know the address of %s, so it does not keep others from this parent within --local, on loopback and on this host: write the address into url, or add the name to [hosts]", parent.Name, at.Name))
		}
	}
}
