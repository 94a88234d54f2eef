// Diff: what one policy permits and another does not, as a set of gains that
// is exact: nothing outside of it becomes permitted, and all of it does.

package rules

import (
	"cmp"
	"net/netip"
	"slices"
)

// A Gain is one part of what a new policy permits and an old one does not. Just
// one of To, Audit, Private and Setting says what it is.
type Gain struct {
	Client *Client  // as the new policy has it; nil: it holds for every client
	From   []Region // the sources of Client that gain it
	Rule   *Rule    // the rule of the new policy that permits it; nil: no rule does

	// Connections and datagrams to a destination, on the ports that the old
	// policy did not permit there. Any: on every port by every protocol,
	// whatever the content. LookUp: names may be looked up. Zone: look-ups go to
	// the servers of a [[dns.zone]], and their answers may be private.
	To       Region
	At       Region // with a name in To: where it may resolve to although private, and what may show it there
	TCP, UDP Ports
	Any      bool
	LookUp   bool
	Zone     bool

	Audit   bool   // what no rule permits is let through by mode "audit"
	Private Region // permitted names may resolve to these addresses; of those that stand for an IPv4 address, where that is public
	Setting string // a setting that the new policy has eased: "ech", "strict_destination", "nat64 PREFIX" that is none any more, "nat64 discover", or a listener that is sallyport's own no longer
}

// A Region is a destination or source without some parts of it.
type Region struct {
	Of     Destination // never a role
	Except []Destination
}

// IsZero tells whether r is no region.
func (r Region) IsZero() bool { return r.Of == Destination{} }

// HasName tells whether n is in r.
func (r Region) HasName(n Name) bool {
	return r.Of.hasName(n) && !slices.ContainsFunc(r.Except, func(d Destination) bool { return d.hasName(n) })
}

// HasAddr tells whether a is in r.
func (r Region) HasAddr(a netip.Addr) bool {
	return r.Of.Prefix.Contains(a) && !slices.ContainsFunc(r.Except, func(d Destination) bool { return d.Prefix.Contains(a) })
}

func (d Destination) hasName(n Name) bool {
	return !n.IsZero() && !d.Name.IsZero() && (d.Wildcard && n.Below(d.Name) || !d.Wildcard && n == d.Name)
}

// Diff returns what new permits and old does not, over every source of every
// client. It is about the moment that both were compiled for. Nil policies
// permit nothing. With a name the keys of the names above it may be looked up
// (DS, DNSKEY), which no Gain says. Whatever a Gain says, sallyport's own listeners are no
// destinations, and a name reaches no private address but those of At, Private.
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

// settingGains lists what concerns all clients that both policies know.
func settingGains(old, new *Policy) (out []Gain) {
	if len(old.scopes) == 0 {
		return nil // every client is new: its gains say all
	}
	if old.echDeny && !new.echDeny {
		out = append(out, Gain{Setting: "ech"})
	}
	if old.strict && !new.strict {
		out = append(out, Gain{Setting: "strict_destination"})
	}
	for _, l := range old.own.Listeners {
		if !slices.Contains(new.own.Listeners, l) {
			out = append(out, Gain{Setting: l.String()})
		}
	}
	for _, p := range old.nat64 {
		if !SpecialPrefix(p) && !slices.Contains(new.nat64, p) {
			out = append(out, Gain{Setting: "nat64 " + p.String()}) // the private addresses inside count as public ones
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

// translators are the prefixes whose addresses may be special and are reached by
// the IPv4 address inside. A discovery finds special ones among the known alone.
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

// A move is the sources that one scope of the old policy and one of the new
// have in common.
type move struct {
	from     []Region
	old, new *scope // old is nil where nobody knew these sources
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

// scopeWithin returns the scope of the addresses of a prefix that no longer
// source covers.
func (p *Policy) scopeWithin(prefix netip.Prefix) *scope {
	if p.clients == nil {
		return nil
	}
	if i, ok := p.clients.LookupPrefix(prefix); ok {
		return p.scopes[i]
	}
	return nil
}

// gains lists what the sources of a move gain.
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
