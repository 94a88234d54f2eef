// Diff of scopes: what one client may reach by one policy and not by another policy.
// The names and prefixes of both policies divide all destinations into parts. Within a
// part every rule treats all destinations alike.

package rules

import (
	"net/netip"
	"slices"
)

// A side is one of the two policies with the scope of one client. The scope is nil for
// an unknown client.
type side struct {
	p *Policy
	s *scope
}

// A permit is what a side permits for one part of the destinations.
type permit struct {
	any, lookUp, zone bool
	tcp, udp          Ports
	at                []permitAt
	rules             []*scopeRule // the rules of the new side that permit it
}

// A permitAt is a permit for a name at the addresses that the same rule lists.
type permitAt struct {
	where    Region
	any      bool
	tcp, udp Ports
	rule     *Rule
}

func samePermit(a, b permit) bool {
	return a.any == b.any && a.lookUp == b.lookUp && a.zone == b.zone && slices.Equal(a.tcp, b.tcp) && slices.Equal(a.udp, b.udp) &&
		slices.EqualFunc(a.at, b.at, func(x, y permitAt) bool {
			return x.any == y.any && slices.Equal(x.tcp, y.tcp) && slices.Equal(x.udp, y.udp) &&
				x.where.Of == y.where.Of && slices.Equal(x.where.Except, y.where.Except)
		})
}

// add adds what a rule permits.
func (g *permit) add(r *scopeRule) {
	g.any, g.lookUp = g.any || r.any, true
	g.tcp, g.udp = g.tcp.union(r.tcp), g.udp.union(r.udp)
}

// less returns the part of g that is not in o. With any, a permit has every port of
// both protocols.
func (g permit) less(o permit) permit {
	out := permit{any: g.any && !o.any, lookUp: g.lookUp && !o.lookUp, zone: g.zone && !o.zone}
	if !g.any && !o.any {
		out.tcp, out.udp = g.tcp.less(o.tcp), g.udp.less(o.udp)
	}
	return out
}

// atName returns the rules in force that list all names of a part.
func (d *side) atName(part Name) (out []*scopeRule) {
	if d.s == nil {
		return nil
	}
	var near neighbour
	sp := d.s.named(part, &near)
	for i := range sp.n {
		if r := d.s.ruleAt(sp, i); r.block == 0 {
			out = append(out, r)
		}
	}
	for _, l := range d.s.lists {
		if r := &d.s.rules[l.rule]; r.block == 0 && l.list.Has(part) && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// atPrefix returns the rules in force that list all addresses of a part.
func (d *side) atPrefix(part netip.Prefix) (out []*scopeRule) {
	if d.s == nil {
		return nil
	}
	list := d.s.rulesOver(part)
	for _, i := range list {
		if r := &d.s.rules[i]; r.block == 0 {
			out = append(out, r)
		}
	}
	for _, l := range d.s.lists {
		if r := &d.s.rules[l.rule]; r.block == 0 && l.list.covers(Destination{Prefix: part}) && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// permits returns what the rules of a list permit together. A zone permits look-ups to
// every client that has a rule; for a name in a zone, permits adds the look-up.
func (d *side) permits(list []*scopeRule, name Name) permit {
	var g permit
	for _, r := range list {
		g.add(r)
	}
	if d.s != nil && d.s.ruled && !name.IsZero() && d.p.zoneOf(name) != nil {
		g.zone, g.lookUp = true, true
	}
	return g
}

// A scopeDiff compares what two policies permit one client.
type scopeDiff struct {
	old, new side
	addrs    map[netip.Prefix]permit // the gains of each part of the addresses
}

// gains returns what only the new side permits, addresses last.
func (d *scopeDiff) gains() (out []Gain) {
	names, prefixes := d.parts()
	d.addrs = map[netip.Prefix]permit{}
	byAddr := prefixRegions(prefixes, d.addrGain, samePermit)
	for _, r := range nameRegions(names, d.nameGain, samePermit) {
		out = append(out, r.value.gains(r.region)...)
	}
	for _, r := range byAddr {
		r.value.lookUp = false
		out = append(out, r.value.gains(r.region)...)
	}
	return out
}

// parts returns the names and prefixes at which the two sides may differ.
func (d *scopeDiff) parts() (names []Name, prefixes []netip.Prefix) {
	for _, s := range []side{d.old, d.new} {
		if s.s == nil {
			continue
		}
		for i := range s.s.rules {
			r := &s.s.rules[i]
			if r.block != 0 {
				continue
			}
			for _, n := range r.names {
				names = append(names, n.Name)
			}
			prefixes = slices.AppendSeq(append(prefixes, r.prefixes...), r.list.Prefixes())
			for n := range r.list.Names() {
				names = append(names, n.Name)
			}
		}
		for _, z := range s.p.zoned {
			names = append(names, z.To[0].Name)
		}
	}
	return names, prefixes
}

func (d *scopeDiff) addrGain(part netip.Prefix) permit {
	rules := d.new.atPrefix(part)
	g := d.new.permits(rules, Name{}).less(d.old.permits(d.old.atPrefix(part), Name{}))
	g.lookUp = false
	g.rules = rules
	d.addrs[part] = g
	return g
}

func (d *scopeDiff) nameGain(part Name) permit {
	rules, before := d.new.atName(part), d.old.atName(part)
	g := d.new.permits(rules, part).less(d.old.permits(before, part))
	g.rules = rules
	g.at = d.pairs(rules, before, &g)
	return g
}

// pairs returns the addresses at which a name gains something because one rule lists
// both: the name may resolve to these addresses even if they are private, and a flow to
// them may show the name. It leaves out what g and the addresses gain by themselves.
func (d *scopeDiff) pairs(rules, before []*scopeRule, g *permit) (out []permitAt) {
	var prefixes []netip.Prefix
	var changed []*scopeRule
	for _, r := range rules {
		if !slices.ContainsFunc(before, r.same) {
			prefixes, changed = slices.AppendSeq(append(prefixes, r.prefixes...), r.list.Prefixes()), append(changed, r)
		}
	}
	if len(prefixes) == 0 {
		return nil
	}
	prefixes = append(prefixes, d.old.p.private...)
	for _, r := range slices.Concat(before, d.old.s.opaque()) {
		prefixes = slices.AppendSeq(append(prefixes, r.prefixes...), r.list.Prefixes())
	}
	for _, r := range prefixRegions(prefixes, func(part netip.Prefix) permit { return d.pairGain(rules, before, part, g) }, samePermit) {
		i := slices.IndexFunc(changed, func(c *scopeRule) bool { return d.new.s.hasPrefix(c, r.region.Of.Prefix) })
		if i >= 0 {
			out = append(out, permitAt{r.region, r.value.any, r.value.tcp, r.value.udp, changed[i].rule})
		}
	}
	return out
}

// pairGain returns what a name gains at one part of the addresses.
func (d *scopeDiff) pairGain(rules, before []*scopeRule, part netip.Prefix, g *permit) permit {
	p := d.new.permitsAt(rules, part).less(d.old.permitsAt(before, part))
	p.lookUp = false
	shown := slices.ContainsFunc(d.old.atPrefix(part), func(r *scopeRule) bool { return r.any }) || d.gainAt(part, &p)
	resolved := plain(part) || anyCovers(d.old.p.private, part) || p.within(g)
	if shown && resolved {
		return permit{} // the old side permits both already, or other gains list them
	}
	return p
}

// opaque returns the rules in force that do not limit the content.
func (s *scope) opaque() (out []*scopeRule) {
	if s == nil {
		return nil
	}
	for i := range s.rules {
		if r := &s.rules[i]; r.any && r.block == 0 {
			out = append(out, r)
		}
	}
	return out
}

// plain reports whether no address of a prefix is special. It returns false for a
// prefix that is too short to check.
func plain(p netip.Prefix) bool {
	if p.IsSingleIP() {
		return !Special(p.Addr())
	}
	return p.Addr().Is4() && p.Bits() >= 24 && !Special(p.Addr()) && !p.Contains(netip.AddrFrom4([4]byte{168, 63, 129, 16}))
}

// permitsAt returns what the rules that list all of a prefix permit together.
func (d *side) permitsAt(list []*scopeRule, part netip.Prefix) (g permit) {
	for _, r := range list {
		if d.s.hasPrefix(r, part) {
			g.add(r)
		}
	}
	return g
}

// gainAt reports whether every part of a prefix gains all of p by itself.
func (d *scopeDiff) gainAt(prefix netip.Prefix, p *permit) bool {
	for part, g := range d.addrs {
		if Covers(prefix, part) && !p.within(&g) {
			return false
		}
	}
	g, ok := d.addrs[prefix]
	return ok && p.within(&g)
}

// within reports whether o permits everything that g permits.
func (g *permit) within(o *permit) bool {
	return o.any || !g.any && o.tcp.covers(g.tcp) && o.udp.covers(g.udp)
}

// same reports whether two rules permit the same for the same destinations.
func (r *scopeRule) same(o *scopeRule) bool {
	return r.any == o.any && slices.Equal(r.tcp, o.tcp) && slices.Equal(r.udp, o.udp) &&
		slices.Equal(r.names, o.names) && slices.Equal(r.prefixes, o.prefixes) && r.list.equal(o.list)
}

// gains returns the gains of a permit for one region, rule by rule.
func (g *permit) gains(to Region) (out []Gain) {
	left := *g
	for _, r := range g.rules {
		one := Gain{To: to, Rule: r.rule, Any: left.any && r.any, LookUp: left.lookUp, TCP: left.tcp.common(r.tcp), UDP: left.udp.common(r.udp)}
		if one.Any || len(one.TCP)+len(one.UDP) > 0 {
			out = append(out, one)
			left.any, left.lookUp, left.tcp, left.udp = left.any && !r.any, false, left.tcp.less(r.tcp), left.udp.less(r.udp)
		}
	}
	if left.lookUp || g.zone {
		out = append(out, Gain{To: to, LookUp: left.lookUp, Zone: g.zone})
	}
	for _, at := range g.at {
		out = append(out, Gain{To: to, At: at.where, Rule: at.rule, Any: at.any, TCP: at.tcp, UDP: at.udp})
	}
	return out
}
