// Covered: warns of site rules that have expired or will expire soon, and of site rules
// that another rule makes needless.

package rules

import (
	"net/netip"
	"slices"
	"time"
)

// coveredRules returns these warnings for a scope that is complete.
func (s *scope) coveredRules(file string, now time.Time) Problems {
	var out Problems
	for i := range s.rules {
		r := &s.rules[i]
		if r.rule.Profile != SiteProfile {
			continue
		}
		if r.block != 0 {
			out = append(out, Problem{File: file, Line: r.rule.Line, Warning: true,
				Text: "rule " + r.rule.ID + " expired " + r.rule.expired() + " and permits nothing"})
			continue
		}
		if !r.rule.Expires.IsZero() && r.rule.Expires.Sub(now) < soon {
			out = append(out, Problem{File: file, Line: r.rule.Line, Warning: true,
				Text: "rule " + r.rule.ID + " expires " + r.rule.expiring() + ": set a later expires if it is still needed"})
		}
		if o := s.coveredBy(r); o != nil {
			out = append(out, Problem{File: file, Line: r.rule.Line, Warning: true,
				Text: "rule " + r.rule.ID + " is not needed: " + o.rule.String() + " already permits all of it"})
		}
	}
	return out
}

// coveredBy returns the first rule that makes r needless. Only rules that list the first
// destination of r can do so.
func (s *scope) coveredBy(r *scopeRule) (first *scopeRule) {
	try := func(o *scopeRule) {
		later := o.rule.Profile == SiteProfile && o.number > r.number
		if o != r && o.block == 0 && !later && (first == nil || o.number < first.number) && s.coversRule(o, r) {
			first = o
		}
	}
	switch {
	case len(r.names) > 0:
		sp := s.listing(r.names[0])
		for i := range sp.n {
			try(s.ruleAt(sp, i))
		}
	case len(r.prefixes) > 0:
		list := s.rulesOver(r.prefixes[0])
		for _, i := range list {
			try(&s.rules[i])
		}
	}
	for _, l := range s.lists {
		try(&s.rules[l.rule])
	}
	return first
}

// coversRule reports whether r permits everything that o permits, for at least as long. For
// a long list it reports false unless r has an equal list.
func (s *scope) coversRule(r, o *scopeRule) bool {
	if !r.rule.Expires.IsZero() && (o.rule.Expires.IsZero() || o.rule.Expires.After(r.rule.Expires)) {
		return false
	}
	if !r.rule.Any && (o.rule.Any || !r.tcp.covers(o.tcp) || !r.udp.covers(o.udp)) {
		return false
	}
	return !slices.ContainsFunc(o.names, func(d Destination) bool { return !s.binds(r, d) }) &&
		!slices.ContainsFunc(o.prefixes, func(p netip.Prefix) bool { return !s.hasPrefix(r, p) }) &&
		r.list.coversList(o.list)
}

// within reports whether o lists d and everything that d stands for.
func (d Destination) within(o Destination) bool {
	return o == d || o.Wildcard && d.Name.Below(o.Name)
}
