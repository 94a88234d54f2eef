// Decide: the answer to an attempt. The precedence of the reasons is the order of
// their constants; only this file applies it.

package rules

// Decide decides whether an attempt is permitted. It allocates nothing. Its time
// depends on the labels of the deepest rule, not on the length of the name. A nil
// Policy denies.
func (p *Policy) Decide(a Attempt) (d Decision) {
	p.decide(&d, &a)
	return d
}

// decide is Decide with pointers: an Attempt and a Decision are large. When the
// compiler inlines Decide, it copies neither of them a second time.
func (p *Policy) decide(d *Decision, a *Attempt) {
	if p == nil {
		d.Reason = UnknownClient
		return
	}
	d.policy = p
	d.scope = p.identify(d, a)
	if d.scope != nil {
		d.Client = d.scope.client
	}
	target := a.Target()
	p.match(d, a, target)
	if r := p.refuse(d, a, target); r != ReasonNone {
		d.deny(r)
	}
	if d.Verdict == Deny && d.Client != nil && d.Client.Audit && d.Why().auditable() {
		d.Verdict, d.Would = Allow, true
	}
	if d.Verdict == Allow {
		p.settle(d, a, target)
	}
}

// deny turns d into a denial. The rule that permitted becomes the nearest rule.
func (d *Decision) deny(r Reason) {
	if d.Verdict == Allow && d.Rule != nil {
		d.Nearest = d.Rule
	}
	d.Verdict, d.Reason, d.Rule, d.Would, d.grant = Deny, r, nil, false, nil
}

// refuse makes the checks that come before every rule, and returns the reason if one of
// them fails. The reasons are unreadable or refused content, an unknown client, our own
// listener, and names that differ.
func (p *Policy) refuse(d *Decision, a *Attempt, target Name) Reason {
	if a.Fault != ReasonNone && a.Fault <= QUIC {
		return a.Fault
	}
	opaque := d.grant != nil && d.grant.any
	if !opaque {
		if r := p.content(d, a, target); r != ReasonNone {
			return r
		}
	}
	switch {
	case d.scope == nil && !d.unproven:
		return UnknownClient
	case d.scope == nil && a.Fault >= Limit:
		return a.Fault // the proof was not looked at
	case d.scope == nil, a.Fault == Unauthenticated:
		return Unauthenticated
	}
	if a.Fault >= Limit && target.IsZero() && !a.Dest.Addr().IsValid() {
		return a.Fault // refused before the destination was known
	}
	if target.IsZero() && p.leadsBack(a.Dest) || a.Original.IsValid() && p.leadsBack(a.Original) {
		return Self
	}
	if len(p.services) > 0 && !target.IsZero() && a.Via != ViaDNS && p.serviceAt(Authority{Name: target, Port: a.Dest.Port()}) != nil {
		return Self
	}
	if target.IsZero() && p.IsSynthetic(a.Dest.Addr()) {
		return IPLiteral // no rule permits it: it stands for a name, or for nothing
	}
	if !opaque && !target.IsZero() {
		return a.disagrees(target)
	}
	return ReasonNone
}

// content compares the sniff result with the protocol that the port requires. A
// provisional attempt has no sniff result yet.
func (p *Policy) content(d *Decision, a *Attempt, target Name) Reason {
	if a.Provisional || a.Via == ViaDNS || a.Proto != TCP {
		return ReasonNone
	}
	switch port := a.Dest.Port(); {
	case port == 443 && a.Shown != ShownTLS:
		return NotTLS
	case port == 80 && a.Shown != ShownHTTP:
		return NotHTTP
	case a.Shown == ShownTLS && a.SNI.IsZero() && port == 443 && (!target.IsZero() || d.grant == nil || d.pinned):
		return SNIMissing
	case a.ECH && p.echDeny:
		return ECHPresent
	}
	return ReasonNone
}

// disagrees compares every name that the flow showed with the target.
func (a *Attempt) disagrees(target Name) Reason {
	switch {
	case !a.SNI.IsZero() && a.SNI != target:
		return SNIMismatch
	case a.HostIgnored:
	case !a.Host.IsZero() && a.Host != target, a.HostAddr.IsValid(), a.HostPort != 0 && a.HostPort != a.Dest.Port():
		return HostMismatch
	}
	return ReasonNone
}

// match finds the rule that permits the attempt. If there is none, it finds the reason
// of the denial and the nearest rule.
func (p *Policy) match(d *Decision, a *Attempt, target Name) {
	s := d.scope
	if s == nil {
		d.Reason = UnknownClient
		return
	}
	var best candidate
	if target.IsZero() {
		s.matchAddress(&best, a)
		target = s.matchPins(&best, a)
		d.pinned = !target.IsZero()
	} else {
		s.matchName(&best, a, target)
	}
	switch {
	case best.rule != nil && best.needs == 0:
		d.Verdict, d.Rule, d.grant = Allow, best.rule.rule, best.rule
	case best.rule != nil:
		d.Reason, d.Nearest = best.needs.reason(), best.rule.rule
	case a.Target().IsZero():
		d.Reason, d.Nearest = IPLiteral, s.unboundFor(a)
	default:
		d.Reason, d.Nearest = NotListed, s.nearestTo(&best.near, a, target)
	}
	d.name, d.proto = target, a.Proto
	if a.Via == ViaDNS {
		p.matchLookUp(d, a)
	}
}

// matchLookUp permits queries for names that no rule lists. It permits all names of
// internal zones. It also permits the DNSSEC keys of the root and of every name above a
// permitted name, because a validating resolver needs these keys. The number of names
// with such keys is fixed, so queries for the keys cannot carry data out.
func (p *Policy) matchLookUp(d *Decision, a *Attempt) {
	if !d.name.IsZero() {
		if r := p.zoneOf(d.name); r != nil {
			d.zone = true
			if d.Verdict == Deny && d.scope.ruled {
				d.Verdict, d.Reason, d.Rule, d.Nearest = Allow, ReasonNone, r, nil
			}
		}
	}
	if d.Verdict == Allow || a.QType != typeDS && a.QType != typeDNSKEY || !d.scope.ruled {
		return
	}
	root := d.name.IsZero() && a.QType == typeDNSKEY && !a.Dest.IsValid() && a.Fault == ReasonNone
	if root || d.PermitsBelow() {
		d.Verdict, d.Reason, d.Rule, d.Nearest = Allow, ReasonNone, p.keys, nil
	}
}

// The record types of a chain of signatures (RFC 4034).
const (
	typeDS     = 43
	typeDNSKEY = 48
)

// LookedUp reports whether records of a DNS type are looked up at all: A, AAAA,
// SVCB, HTTPS (RFC 1035, 3596, 9460), DS and DNSKEY (RFC 4034). Other types could
// carry data out, so no rule and no zone permits them.
func LookedUp(qtype uint16) bool {
	return qtype == 1 || qtype == 28 || qtype == 64 || qtype == 65 || qtype == typeDS || qtype == typeDNSKEY
}

// IsKey reports whether a DNS type belongs to a chain of signatures: DS or DNSKEY.
// Such records of a name are looked up if that name or a name below it is
// permitted.
func IsKey(qtype uint16) bool { return qtype == typeDS || qtype == typeDNSKEY }

func (s *scope) matchName(best *candidate, a *Attempt, target Name) {
	sp := s.named(target, &best.near)
	for i := range sp.n {
		best.weigh(s, s.ruleAt(sp, i), a)
	}
	if len(s.lists) > 0 {
		s.matchLists(best, a, target)
	}
}

func (s *scope) matchAddress(best *candidate, a *Attempt) {
	list := s.rulesAt(a.Dest.Addr())
	for _, i := range list {
		best.weigh(s, &s.rules[i], a)
	}
	for i := range s.lists {
		if l := &s.lists[i]; l.list.HasAddr(a.Dest.Addr()) {
			best.weigh(s, &s.rules[l.rule], a)
		}
	}
}

// matchLists continues matchName with the rules that have lists. Of rules that permit
// equally, a rule that lists the name in "to" stays.
func (s *scope) matchLists(best *candidate, a *Attempt, target Name) {
	var last *List
	var listed, near bool
	for i := range s.lists {
		l := &s.lists[i]
		r := &s.rules[l.rule]
		if best.rule != nil && best.needs == 0 && (best.rule.any || !r.any) {
			continue
		}
		if l.list != last {
			last = l.list
			listed, near = last.match(target)
		}
		if listed {
			best.weigh(s, r, a)
		} else if near && best.near.list == nil {
			best.near.list = r
		}
	}
}

// matchPins tries the pins of the address: the names for which we told the client
// this address. If one of their rules is better than best, matchPins replaces best
// and returns the name. A name whose synthetic address the client gets is not among them:
// another name may share its true address.
func (s *scope) matchPins(best *candidate, a *Attempt) (by Name) {
	for _, n := range a.Pinned {
		if best.rule != nil && best.needs == 0 {
			break
		}
		if s.synthesized && s.connectsTo(n) {
			continue
		}
		q := *a
		q.ByAddress, q.Authority = false, n
		var c candidate
		s.matchName(&c, &q, n)
		if r := q.disagrees(n); c.rule != nil && r != ReasonNone {
			c.needs = blocked(r)
		}
		if c.rule != nil && (best.rule == nil || c.needs < best.needs) {
			*best, by = c, n
		}
	}
	return by
}

// settle makes the checks for flows that a rule or mode "audit" lets through: the
// type of a query, the address about to be dialed, and the faults that refuse does
// not cover. A fault always denies.
func (p *Policy) settle(d *Decision, a *Attempt, target Name) {
	late := a.Fault
	if a.Unproven && p.unproven == UnprovenDenied {
		late = earlier(late, DNSBogus)
	}
	if a.Via == ViaDNS && !LookedUp(a.QType) && !p.asksForName(a) {
		late = earlier(late, TypeNotAllowed)
	}
	if (!target.IsZero() || d.pinned) && a.Dest.Addr().IsValid() {
		late = earlier(late, d.reach(a.Dest))
	} else if a.Dest.Addr().Is6() {
		why, _ := p.reachInside(a.Dest)
		late = earlier(late, why)
	}
	if p.strict && a.Mismatch || a.Via != ViaDNS && p.IsSynthetic(a.Original.Addr()) && !p.isSyntheticOf(a.Original.Addr(), target) {
		late = earlier(late, DestinationMismatch)
	}
	switch {
	case late != ReasonNone:
		d.deny(late)
	case a.Unproven && p.unproven == UnprovenLogged && !d.Would:
		d.Would, d.Reason = true, DNSBogus
	}
}

// earlier returns the one of two reasons that comes first in the precedence. ReasonNone
// does not count.
func earlier(a, b Reason) Reason {
	if a == ReasonNone || b != ReasonNone && b < a {
		return b
	}
	return a
}
