// Compile: turns the rules of one client into its scope.

package rules

import (
	"cmp"
	"net/netip"
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
			sr := scopeRule{rule: r, block: cp.blocks(r)}
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

func (b *scopeBuilder) addSiteRules(rules []*Rule) {
	for _, r := range rules {
		if r.Client != b.s.client.Name {
			continue
		}
		sr := scopeRule{rule: r, tcp: r.TCP, udp: r.UDP}
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
	sr.any, sr.tcp, sr.udp = sr.rule.Any, b.share(sr.tcp), b.share(sr.udp)
	bound := false
	for _, d := range sr.rule.To {
		list := []Destination{d}
		if d.Role != "" {
			list = b.s.client.Bound(profile, d.Role)
		}
		for _, d := range list {
			bound = true
			if d.Prefix.IsValid() {
				sr.prefixes = append(sr.prefixes, d.Prefix)
				continue
			}
			sr.names = append(sr.names, d)
			b.file(d, number, sr.block == 0)
		}
	}
	b.s.ruled = b.s.ruled || bound && sr.block == 0
	if !bound {
		b.s.unbound = append(b.s.unbound, number)
	}
	b.s.rules = append(b.s.rules, sr)
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
	return b.s
}

// above returns the rules of every wildcard above n, the widest first, and then
// own. So one look-up finds them all.
func (b *scopeBuilder) above(n Name, own []uint32) (list []uint32) {
	var levels [][]uint32
	for parent := n.Parent(); !parent.IsZero(); parent = parent.Parent() {
		levels = append(levels, b.wild[parent])
	}
	slices.Reverse(levels)
	for _, level := range append(levels, own) {
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
		b.s.addrs.Insert(p, slices.Compact(list))
	}
}

// coveredRules warns of site rules that have expired or will expire soon, and of
// those that another rule makes needless.
func (b *scopeBuilder) coveredRules(file string) Problems {
	var out Problems
	for i := range b.s.rules {
		r := &b.s.rules[i]
		if r.rule.Profile != SiteProfile {
			continue
		}
		if r.block != 0 {
			out = append(out, Problem{File: file, Line: r.rule.Line, Warning: true,
				Text: "rule " + r.rule.ID + " expired " + r.rule.expired() + " and permits nothing"})
			continue
		}
		if !r.rule.Expires.IsZero() && r.rule.Expires.Sub(b.now) < soon {
			out = append(out, Problem{File: file, Line: r.rule.Line, Warning: true,
				Text: "rule " + r.rule.ID + " expires " + r.rule.expiring() + ": set a later expires if it is still needed"})
		}
		for j := range b.s.rules {
			if o := &b.s.rules[j]; i != j && o.block == 0 && !(o.rule.Profile == SiteProfile && j > i) && o.coversRule(r) {
				out = append(out, Problem{File: file, Line: r.rule.Line, Warning: true,
					Text: "rule " + r.rule.ID + " is not needed: " + o.rule.String() + " already permits all of it"})
				break
			}
		}
	}
	return out
}

// coversRule reports whether r permits everything that o permits, for at least as long.
func (r *scopeRule) coversRule(o *scopeRule) bool {
	if !r.rule.Expires.IsZero() && (o.rule.Expires.IsZero() || o.rule.Expires.After(r.rule.Expires)) {
		return false
	}
	if !r.rule.Any && (o.rule.Any || !r.tcp.covers(o.tcp) || !r.udp.covers(o.udp)) {
		return false
	}
	return !slices.ContainsFunc(o.names, func(d Destination) bool { return !r.bindsAll(d) }) &&
		!slices.ContainsFunc(o.prefixes, func(p netip.Prefix) bool {
			return !slices.ContainsFunc(r.prefixes, func(q netip.Prefix) bool { return Covers(q, p) })
		})
}

// bindsAll reports whether r lists d and everything that d stands for.
func (r *scopeRule) bindsAll(d Destination) bool {
	return slices.ContainsFunc(r.names, func(o Destination) bool {
		return o == d || o.Wildcard && d.Name.Below(o.Name)
	})
}
