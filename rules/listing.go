// Listing: which rules of a scope list a destination, by "to" or by a list.

package rules

import (
	"net/netip"
	"slices"
)

// fewEntries is the number of a rule's entries up to which a search through all of them is
// the fastest.
const fewEntries = 16

// binds reports whether a rule lists d and everything that d stands for.
func (s *scope) binds(r *scopeRule, d Destination) bool {
	return s.bindsByTo(r, d) || r.list != nil && r.list.covers(d)
}

// bindsByTo is binds without the list of the rule.
func (s *scope) bindsByTo(r *scopeRule, d Destination) bool {
	if len(r.names) <= fewEntries {
		return slices.ContainsFunc(r.names, d.within)
	}
	sp := s.listing(d)
	for i := range sp.n {
		if s.ruleAt(sp, i) == r {
			return true
		}
	}
	return false
}

// listing returns the rules that list a name or wildcard and everything that it stands for.
func (s *scope) listing(d Destination) span {
	var near neighbour
	if !d.Wildcard {
		return s.named(d.Name, &near)
	}
	value := s.names.whole(d.Name)
	if value&saysWild == 0 {
		value, _, _ = s.names.parents(d.Name, saysWild, 0)
	}
	if value&saysWild == 0 {
		return span{}
	}
	return s.entries[value>>saysBits].wild
}

// hasAddr reports whether a rule lists an address.
func (s *scope) hasAddr(r *scopeRule, a netip.Addr) bool {
	return s.hasAddrByTo(r, a) || r.list != nil && r.list.HasAddr(a)
}

// hasAddrByTo is hasAddr without the list of the rule.
func (s *scope) hasAddrByTo(r *scopeRule, a netip.Addr) bool {
	if len(r.prefixes) <= fewEntries {
		return anyContains(r.prefixes, a)
	}
	list := s.rulesAt(a)
	return slices.Contains(list, r.number)
}

// hasPrefix reports whether a rule lists all addresses of a prefix.
func (s *scope) hasPrefix(r *scopeRule, p netip.Prefix) bool {
	if len(r.prefixes) > fewEntries {
		if slices.Contains(s.rulesOver(p), r.number) {
			return true
		}
	} else if anyCovers(r.prefixes, p) {
		return true
	}
	return r.list != nil && r.list.covers(Destination{Prefix: p})
}
