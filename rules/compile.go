// Compile: turns the rules of one client into its scope.

package rules

import (
	"cmp"
	"slices"
	"time"

	"github.com/gaissmai/bart"
	"golang.org/x/net/publicsuffix"
)

// soon is the time before a rule expires in which Compile warns about it.
const soon = 14 * 24 * time.Hour

// nearMost bounds the number of names that an explanation compares.
const nearMost = 64

// A scopeBuilder gathers one client's rules.
type scopeBuilder struct {
	p      *Policy
	s      *scope
	now    time.Time
	routes *routes
	exact  map[Name][]uint32
	wild   map[Name][]uint32
	below  map[Name][]nearRef
	others map[Name]*Rule
	ports  map[string]Ports
}

// addProfiles adds every rule of every profile of the client. Rules that are not in
// force explain denials.
func (b *scopeBuilder) addProfiles() {
	for i := range b.s.client.Profiles {
		cp := &b.s.client.Profiles[i]
		for _, r := range cp.Profile.Rules {
			sr := scopeRule{rule: r, route: b.s.route, block: cp.blocks(r)}
			sr.tcp, sr.udp = cp.PortsOf(r)
			b.add(sr, i)
		}
	}
}

// blocks returns the conditions of r that the client does not meet.
func (cp *ClientProfile) blocks(r *Rule) blockers {
	var needs blockers
	if slices.ContainsFunc(r.When, func(w string) bool { return !slices.Contains(cp.Features, w) }) {
		needs |= blocked(FeatureOff)
	}
	if !inVersions(cp.Version, r.Since, r.Until) {
		needs |= blocked(VersionExcluded)
	}
	if r.From != cp.Role || r.Local {
		needs |= blocked(RoleNotListed)
	}
	if cp.leavesOut(r) {
		needs |= leftOut
	}
	return needs
}

// addSiteRules adds the site's own rules for the client.
func (b *scopeBuilder) addSiteRules(rules []*Rule) {
	for _, r := range rules {
		sr := scopeRule{rule: r, route: b.routes.of(r.Parents, b.s.route, true), tcp: r.TCP, udp: r.UDP}
		if !r.Expires.IsZero() {
			if !b.now.Before(r.Expires) {
				sr.block = blocked(Expired)
			} else if b.p.expires.IsZero() || r.Expires.Before(b.p.expires) {
				b.p.expires = r.Expires
			}
		}
		b.add(sr, -1)
	}
}

// add files a rule under each of its destinations. The profile is the index of the rule's
// profile among those of the client; -1: the rule is the site's own.
func (b *scopeBuilder) add(sr scopeRule, profile int) {
	if b.exact == nil {
		b.exact, b.wild, b.below, b.others = map[Name][]uint32{}, map[Name][]uint32{}, map[Name][]nearRef{}, map[Name]*Rule{}
	}
	number := uint32(len(b.s.rules))
	sr.number, sr.any, sr.tcp, sr.udp = number, sr.rule.Any, b.share(sr.tcp), b.share(sr.udp)
	bound := sr.rule.List.Len() > 0
	if bound {
		sr.list = sr.rule.List
		b.s.lists = append(b.s.lists, listRule{sr.list, number})
	}
	for _, d := range sr.rule.To {
		if d.Role == "" {
			bound = true
			b.destination(&sr, d)
			continue
		}
		for _, d := range b.s.client.Bound(profile, d.Role) {
			bound = true
			b.destination(&sr, d)
		}
	}
	b.s.ruled = b.s.ruled || bound && sr.block == 0
	if !bound {
		b.s.unbound = append(b.s.unbound, number)
	}
	b.s.rules = append(b.s.rules, sr)
}

// destination adds a destination to a rule and files its name.
func (b *scopeBuilder) destination(sr *scopeRule, d Destination) {
	if d.Prefix.IsValid() {
		sr.prefixes = append(sr.prefixes, d.Prefix)
		return
	}
	sr.names = append(sr.names, d)
	b.file(d, sr.number, sr.block == 0)
}

// share returns the same copy for equal sets of ports. Few sets are different, so all
// of them stay in the processor's cache.
func (b *scopeBuilder) share(p Ports) Ports {
	if p == nil {
		return nil
	}
	if b.ports == nil {
		b.ports = map[string]Ports{}
	}
	key := p.String()
	if b.ports[key] == nil {
		b.ports[key] = p
	}
	return b.ports[key]
}

// file adds a name to the maps of names. For explanations it also adds the name to the
// list of each of its parents.
func (b *scopeBuilder) file(d Destination, number uint32, live bool) {
	m := b.exact
	if d.Wildcard {
		m = b.wild
	}
	if !slices.Contains(m[d.Name], number) {
		m[d.Name] = append(m[d.Name], number)
	}
	for parent := d.Name.Parent(); !parent.IsZero(); parent = parent.Parent() {
		if suffix, _ := publicsuffix.PublicSuffix(parent.s); suffix == parent.s {
			break
		}
		if len(b.below[parent]) < nearMost {
			head := newLikeness(d.Name, len(d.Name.s)-len(parent.s)-1)
			b.below[parent] = append(b.below[parent], nearRef{head, newRank(number, live)})
		}
	}
}

// addOtherProfiles records the names of profiles that the client does not have, so
// that the hint of a denial can name the profile.
func (b *scopeBuilder) addOtherProfiles(profiles []*Profile) {
	for _, p := range profiles {
		if slices.ContainsFunc(b.s.client.Profiles, func(cp ClientProfile) bool { return cp.Profile == p }) {
			continue
		}
		for _, r := range p.Rules {
			for _, d := range r.To {
				if d.Role == "" && !d.Prefix.IsValid() && !d.Wildcard && b.others[d.Name] == nil {
					if b.others == nil {
						b.others = map[Name]*Rule{}
					}
					b.others[d.Name] = r
				}
			}
		}
	}
}

// finish lays out the rules in flat tables.
func (b *scopeBuilder) finish() *scope {
	all := map[Name]uint32{}
	var keys []trieKey
	entry := func(n Name, says uint32) *nameEntry {
		i, ok := all[n]
		if !ok {
			i = uint32(len(keys))
			all[n] = i
			keys = append(keys, trieKey{n, i << saysBits})
			b.s.entries = append(b.s.entries, nameEntry{})
		}
		keys[i].value |= says
		return &b.s.entries[i]
	}
	for n, list := range b.exact {
		entry(n, saysExact).exact = b.lay(b.above(n, list))
	}
	for n, list := range b.wild {
		entry(n, saysWild).wild = b.lay(b.above(n, list))
	}
	for n, list := range b.below {
		slices.SortFunc(list, func(x, y nearRef) int { return cmp.Or(cmp.Compare(x.front, y.front), cmp.Compare(x.rule(), y.rule())) })
		entry(n, saysNear).near = span{uint32(len(b.s.near)), uint32(len(list))}
		b.s.near = append(b.s.near, list...)
	}
	for n, r := range b.others {
		entry(n, saysOther).other = r
	}
	b.s.names, b.s.over = compileTrie(keys), compileOver(b.s.inForce())
	b.layAddresses()
	b.groupLists()
	return b.s
}

// groupLists puts the rules of one list side by side, so that a decision asks it once.
func (b *scopeBuilder) groupLists() {
	order := map[*List]int{}
	for i, l := range b.s.lists {
		if _, known := order[l.list]; !known {
			order[l.list] = i
		}
	}
	slices.SortStableFunc(b.s.lists, func(x, y listRule) int { return order[x.list] - order[y.list] })
}

// above returns own and then the rules of every wildcard above n, the narrowest first. So
// one look-up finds them all, and a decision names the rule that is closest to the name.
func (b *scopeBuilder) above(n Name, own []uint32) (list []uint32) {
	levels := [][]uint32{own}
	for parent := n.Parent(); !parent.IsZero(); parent = parent.Parent() {
		levels = append(levels, b.wild[parent])
	}
	for _, level := range levels {
		for _, i := range level {
			if !slices.Contains(list, i) {
				list = append(list, i)
			}
		}
	}
	return list
}

func (b *scopeBuilder) lay(list []uint32) span {
	if len(list) == 1 {
		return span{list[0], 1}
	}
	sp := span{uint32(len(b.s.refs)), uint32(len(list))}
	b.s.refs = append(b.s.refs, list...)
	return sp
}

// layAddresses copies the rules of each prefix to every prefix inside it. So one
// longest-prefix match finds them all.
func (b *scopeBuilder) layAddresses() {
	own := new(bart.Table[[]uint32])
	for i := range b.s.rules {
		for _, p := range b.s.rules[i].prefixes {
			own.Modify(p, func(list []uint32, _ bool) ([]uint32, bool) { return append(list, uint32(i)), false })
		}
	}
	for p := range own.All() {
		var list []uint32
		for _, up := range own.Supernets(p) {
			list = append(list, up...)
		}
		slices.Sort(list)
		addressTable(b.s).Insert(p, slices.Compact(list))
	}
}
