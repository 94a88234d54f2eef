// Synthetic: what the packet filter does with packets to synthetic addresses, and the warnings about
// datagrams, which it cannot translate.

package nftables

import (
	"sallyport/rules"
	"sallyport/rules/site"
)

// keepSynthetic refuses packets to synthetic addresses, before anything else that the filter
// accepts. TCP is redirected earlier, so only other packets are left.
func (p *Plan) keepSynthetic(cfg *site.Config, o Options) error {
	for _, s := range cfg.Synthetic.Prefixes() {
		for _, local := range o.Local {
			if s.Overlaps(local) {
				return optionError("--local %v overlaps with [dns] synthetic %v, so that connections to names would pass without sallyport: choose another prefix there", local, s)
			}
		}
		word := "ip6"
		if s.Addr().Is4() {
			word = "ip"
		}
		p.Synthetic = append(p.Synthetic, word+" daddr "+s.String())
	}
	return nil
}

// SyntheticDatagrams warns of rules in force that permit datagrams to names, for clients that get
// synthetic addresses for these names: the packet filter forwards by address, and a synthetic
// address leads nowhere. With TPROXY sallyport carries the datagrams itself.
func SyntheticDatagrams(cfg *site.Config, policy *rules.Policy) (out rules.Problems) {
	if !policy.HasSynthetic() || len(cfg.Listen.Transparent) == 0 {
		return nil
	}
	for _, g := range policy.Grants() {
		what, _ := passedPorts(g)
		if !g.Client.Synthetic || what == "" || !g.HasNames() || !g.Connects() {
			continue
		}
		out = append(out, warnOfDatagrams(cfg, g, ", but this client gets synthetic addresses for names, and the packet filter drops datagrams to these: if the client needs them, use [listen] tproxy, set synthetic = false, or give the client a [[rule]] for the address"))
	}
	return out
}
