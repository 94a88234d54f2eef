// Cure: the kind of change that would permit a denial.

package denials

import (
	"sallyport/denials/journal"
)

import "sallyport/rules"

// A Cure is the reviewer's verdict on a group of denials.
type Cure string

// The cures, the easiest first.
const (
	CurePermitted Cure = "permitted" // the configuration already permits the attempts
	CureFeature   Cure = "feature"   // documented; a feature must be turned on
	CureBinding   Cure = "binding"   // documented; a version, address or port must be set
	CureRule      Cure = "rule"      // not documented; needs a rule of the site
	CureNever     Cure = "never"     // no configuration should or could permit the attempts
)

// Cures lists all cures, the easiest first.
func Cures() []Cure { return []Cure{CurePermitted, CureFeature, CureBinding, CureRule, CureNever} }

// cureOf judges by the reason alone, for a review without a configuration.
func cureOf(reason string) Cure {
	r, err := rules.ParseReason(reason)
	switch {
	case err != nil || !r.Fixable():
		return CureNever
	case r == rules.FeatureOff:
		return CureFeature
	case r == rules.VersionExcluded, r == rules.UnknownClient:
		return CureBinding
	}
	return CureRule
}

// whyNeverElse is the text for a reason that whyNever has no case for. A test finds such a reason.
const whyNeverElse = "no rule can permit it"

// whyNever returns why no rule should permit a denial with this reason, and
// what to do instead.
func whyNever(r rules.Reason) string {
	switch r {
	case rules.MalformedRequest, rules.MalformedName:
		return "the request is malformed, so it has no destination for a rule; look at the client"
	case rules.NotTLS, rules.NotHTTP, rules.SNIMissing, rules.SniffTimeout, rules.SniffTooLong:
		return "the flow showed no name, so nothing ties it to a permitted destination; look at the client"
	case rules.SNIMismatch, rules.HostMismatch:
		return "the flow asked for one name and showed another, so a name may be forged; look at the client"
	case rules.ECHPresent:
		return `the configuration says ech = "deny", and sallyport cannot see the encrypted name`
	case rules.ProxyProtocol:
		return "the balancer did not name its client, so there is no client for a rule; correct the balancer, or [listen] proxy_protocol_from"
	case rules.Unauthenticated:
		return "the client did not prove who it is, and no rule can replace the proof; give the client its certificate or password"
	case rules.QUIC:
		return "clients fall back to TCP by themselves"
	case rules.Self:
		return "the destination is sallyport itself, a parent proxy or a sink; no rule can permit that"
	case rules.TypeNotAllowed:
		return "only A, AAAA, HTTPS, SVCB, DS and DNSKEY are looked up, and no rule changes that: other types could carry data out"
	case rules.PrivateAddress:
		return "a public name resolved to a private address, as in DNS rebinding; if the address is your own, list its prefix in [resolve] private"
	case rules.DestinationMismatch:
		return "the client chose an address that the name does not have: strict_destination is on, or the address is the synthetic one of another name"
	case rules.DNSBogus:
		return "DNSSEC does not prove the answer, and [dns] dnssec demands that; correct the resolver or the zone"
	case rules.Limit:
		return "a limit was reached, and the limit is the same for every destination: see [limits]"
	case rules.JournalUnavailable:
		return "the journal could not be written; make room on its disk"
	case rules.Draining:
		return "sallyport was stopping"
	}
	return whyNeverElse
}

// never returns why no rule of the site should permit this attempt. It returns "" if a rule may
// permit it.
func (s *Site) never(a *rules.Attempt) string {
	if a.Target().IsZero() && s.Policy.IsSynthetic(a.Dest.Addr()) {
		return a.Dest.Addr().String() + " is in [dns] synthetic, and no rule can permit it: it stands for a name, and none is known to have it; let the client ask sallyport's DNS again, or use the same secret on every sallyport"
	}
	return never(a)
}

// never returns why no rule should permit this attempt for any client. It
// returns "" if a rule may permit it.
func never(a *rules.Attempt) string {
	if why := rules.SpecialName(a.Target()); why != "" {
		return "do not add a rule for " + a.Target().String() + ": " + why
	}
	switch {
	case a.Via == rules.ViaUDP && a.Proto == rules.ProtoUnknown:
		return "the protocol is neither TCP nor UDP, and a rule can list only these; a rule with any = true permits every protocol"
	case a.Via != rules.ViaDNS || !ruleless(a.QType):
		return ""
	case rules.IsKey(a.QType):
		return "keys and signatures (type " + journal.TypeText(a.QType) + ") are looked up if a rule permits the name or a name below it: they need no rule of their own"
	}
	why := "type " + journal.TypeText(a.QType) + " is never looked up, and no rule and no [[dns.zone]] changes that: only A, AAAA, HTTPS, SVCB, DS and DNSKEY are looked up, since any other type could carry data out; the client gets an empty answer at once"
	switch journal.TypeText(a.QType) {
	case "PTR":
		why += ", and continues with the address"
	case "SRV", "NAPTR", "URI":
		why += "; enter the servers' own names in the product's settings, or let this host ask the internal resolver for this zone"
	case "TXT", "MX":
		why += "; a host that sends or receives mail needs a resolver of its own"
	}
	return why
}

// ruleless reports whether no rule is proposed for look-ups of this type.
func ruleless(qtype uint16) bool {
	return qtype != 0 && (!rules.LookedUp(qtype) || rules.IsKey(qtype))
}

// Cure judges a group by the site's current configuration; s may be nil.
func (s *Site) Cure(g *Group) Cure {
	if s == nil {
		return cureOf(g.Reason)
	}
	r := s.recordOf(g)
	a, d, ok := s.Ask(&r)
	switch {
	case !ok:
		return cureOf(g.Reason)
	case rank(d) == 2:
		return CurePermitted
	case !d.Why().Fixable(), d.Why() != rules.UnknownClient && (s.withinHost(&a) != "" || s.never(&a) != ""):
		return CureNever
	case d.Why() == rules.UnknownClient:
		return CureBinding
	}
	return cureOfChange(documented(&a, &d))
}

// recordOf returns the latest record of a group. If the group has many
// addresses of one client, it uses one of them for all.
func (s *Site) recordOf(g *Group) journal.Record {
	r := g.Record()
	if r.Client == "" || r.Client == Others {
		if c := s.client(g.ClientName); c != nil && len(c.Sources) > 0 {
			r.Client = c.Sources[0].Addr().String()
			r.Omitted &^= journal.OmitClient
		}
	}
	return r
}
