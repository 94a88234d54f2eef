// Balancers: what is wrong with [listen] proxy_protocol_from, whose addresses may name any client.

package site

import (
	"net/netip"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

const keyBalancers = "proxy_protocol_from"

// checkBalancers reports balancers that no host can be, and a list with which everyone could pose
// as any client.
func checkBalancers(t *tomldoc.Table, list []netip.Prefix) {
	for _, p := range list {
		if why := noHost(p); why != "" {
			t.Doc.Errorf(t.LineOf(keyBalancers, rules.Destination{Prefix: p}.String()), "%s: %v is never the source of a packet: %s", keyBalancers, p, why)
		}
	}
	if w := widthOf(list); w.isInternet() {
		t.Errorf(keyBalancers, "%s is %v: every host could pose as any client, by a header that it writes itself; list only the addresses of the balancers", widest(list), w)
	}
}

// warnOfBalancers warns of clients whose own addresses are in the list.
func (c *Config) warnOfBalancers(doc *tomldoc.Document) {
	if widthOf(c.Listen.ProxyProtocolFrom).isInternet() {
		return // an error already
	}
	for _, p := range c.Listen.ProxyProtocolFrom {
		for _, cl := range c.Clients {
			for _, src := range cl.Sources {
				if src.Overlaps(p) {
					doc.Warnf(c.lines[keyBalancers], "%s: %v contains addresses of client %q (%v): connections from there must begin with a PROXY header, and a client there can pose as any other; list only the addresses of the balancers", keyBalancers, p, cl.Name, src)
					break
				}
			}
		}
	}
}
