// Diff: what one policy permits and another policy does not. The set of gains is
// exact: everything in it becomes permitted, and nothing else.

package rules

import (
	"cmp"
	"net/netip"
	"slices"
)

// A Gain is one part of what a new policy permits and an old policy does not. Exactly
// one of To, Audit, Private and Setting is set.
type Gain struct {
	Client *Client  // the client in the new policy; nil: every client
	From   []Region // the sources of Client that have the gain
	Rule   *Rule    // the rule of the new policy that permits it; nil: none

	// The next fields describe connections and datagrams to a destination, on the ports
	// that the old policy did not permit there. Any means every port of every protocol,
	// with any content. LookUp means that the names may be looked up. Zone means that
	// look-ups go to the servers of a [[dns.zone]], whose answers may be private.
	To       Region
	At       Region // if To is a name: private addresses that the name may resolve to; a flow to them may show the name
	TCP, UDP Ports
	Any      bool
	LookUp   bool
	Zone     bool

	Audit   bool   // mode "audit" lets through what no rule permits
	Private Region // permitted names may resolve to these addresses; an IPv6 address that stands for an IPv4 address counts only if the IPv4 address is public
	Setting string // a setting that the new policy relaxes: "ech", "strict_destination", "dnssec log", "dnssec off", "nat64 PREFIX" that is no longer listed, "nat64 discover", or a former listener of sallyport
}

// A Region is a destination or source without some parts of it.
type Region struct {
	Of     Destination // never a role
	Except []Destination
}

// IsZero reports whether r is no region.
func (r Region) IsZero() bool { return r.Of == Destination{} }

// HasName reports whether n is in r.
func (r Region) HasName(n Name) bool {
	return r.Of.hasName(n) && !slices.ContainsFunc(r.Except, func(d Destination) bool { return d.hasName(n) })
}

// HasAddr reports whether a is in r.
func (r Region) HasAddr(a netip.Addr) bool {
	return r.Of.Prefix.Contains(a) && !slices.ContainsFunc(r.Except, func(d Destination) bool { return d.Prefix.Contains(a) })
}

func (d Destination) hasName(n Name) bool {
	return !n.IsZero() && !d.Name.IsZero() && (d.Wildcard && n.Below(d.Name) || !d.Wildcard && n == d.Name)
}

// Diff returns what new permits and old does not, for every source of every client, at
// the time for which both were compiled. A nil policy permits nothing. No Gain lists
// the DNSSEC keys (DS, DNSKEY) of the names above a permitted name, although they may
// be looked up. No Gain permits sallyport's own listeners, and a name reaches only the
// private addresses of At and Private.
func Diff(old, new *Policy) []Gain {
	if new == nil {
		return nil
	}
	if old == nil {
		old = &Policy{}
	}
	out := settingGains(old, new)
	for _, m := range moves(old, new) {
		out = append(out, m.gains(old, new)...)
	}
	return out
}

// settingGains returns the gains that concern all clients of both policies.
func settingGains(old, new *Policy) (out []Gain) {
	if len(old.scopes) == 0 {
		return nil // every client is new, and its own gains are complete
	}
	if old.echDeny && !new.echDeny {
		out = append(out, Gain{Setting: "ech"})
	}
	if old.strict && !new.strict {
		out = append(out, Gain{Setting: "strict_destination"})
	}
	if old.unproven < new.unproven {
		out = append(out, Gain{Setting: map[Unproven]string{UnprovenLogged: "dnssec log", UnprovenPassed: "dnssec off"}[new.unproven]})
	}
	for _, l := range old.own.Listeners {
		if !slices.Contains(new.own.Listeners, l) {
			out = append(out, Gain{Setting: l.String()})
		}
	}
	for _, p := range old.nat64 {
		if !SpecialPrefix(p) && !slices.Contains(new.nat64, p) {
			out = append(out, Gain{Setting: "nat64 " + p.String()}) // the private addresses inside count as public then
		}
	}
	if old.discover && !new.discover {
		out = append(out, Gain{Setting: "nat64 " + DiscoverNAT64})
	}
	before, now := slices.Concat(old.private, old.translators()), slices.Concat(new.private, new.translators())
	for _, r := range prefixRegions(slices.Concat(before, now), func(p netip.Prefix) bool { return anyCovers(now, p) && !anyCovers(before, p) }, same[bool]) {
		out = append(out, Gain{Private: r.region})
	}
	return out
}

// translators returns the prefixes of translators. An address in them may be special,
// because the IPv4 address inside it decides. A discovery accepts no special prefixes
// except the well-known ones.
func (p *Policy) translators() []netip.Prefix {
	if p.discover {
		return slices.Concat(p.nat64, []netip.Prefix{nat64Known, nat64Local})
	}
	return p.nat64
}

func same[T comparable](a, b T) bool { return a == b }

func anyCovers(prefixes []netip.Prefix, p netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(o netip.Prefix) bool { return Covers(o, p) })
}

// A move is the set of sources that one scope of the old policy and one scope of the
// new policy have in common.
type move struct {
	from     []Region
	old, new *scope // old is nil if these sources were unknown clients
}

// moves pairs the scopes of two policies by their sources.
func moves(old, new *Policy) []move {
	type pair struct{ old, new *scope }
	var sources []netip.Prefix
	for _, p := range []*Policy{old, new} {
		for _, s := range p.scopes {
			sources = append(sources, s.client.Sources...)
		}
	}
	regions := prefixRegions(sources, func(p netip.Prefix) pair { return pair{old.scopeWithin(p), new.scopeWithin(p)} }, same[pair])
	var out []move
	for _, r := range regions {
		p := r.value
		if p.new == nil {
			continue
		}
		i := slices.IndexFunc(out, func(m move) bool { return m.old == p.old && m.new == p.new })
		if i < 0 {
			i, out = len(out), append(out, move{old: p.old, new: p.new})
		}
		out[i].from = append(out[i].from, r.region)
	}
	at := func(m move) int { return slices.Index(new.scopes, m.new) }
	slices.SortStableFunc(out, func(a, b move) int { return cmp.Compare(at(a), at(b)) })
	return out
}

// scopeWithin returns the scope of those addresses of a prefix that no longer source
// covers.
func (p *Policy) scopeWithin(prefix netip.Prefix) *scope {
	sources := sourceTable(p)
	if sources == nil {
		return nil
	}
	if i, ok := sources.LookupPrefix(prefix); ok {
		return p.scopes[i]
	}
	return nil
}

// gains returns what the sources of a move gain.
func (m *move) gains(old, new *Policy) []Gain {
	var out []Gain
	if m.new.client.Audit && (m.old == nil || !m.old.client.Audit) {
		out = append(out, Gain{Audit: true})
	}
	d := scopeDiff{old: side{old, m.old}, new: side{new, m.new}}
	out = append(out, d.gains()...)
	for i := range out {
		out[i].Client, out[i].From = m.new.client, m.from
	}
	return out
}
