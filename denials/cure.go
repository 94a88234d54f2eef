// Cure: what kind of change would permit a denial.

package denials

import (
	"sallyport/denials/journal"
)

import "sallyport/rules"

// A Cure is the reviewer's verdict on a group of denials.
type Cure string

// The cures, the easiest first.
const (
	CurePermitted Cure = "permitted" // the configuration at hand permits it already
	CureFeature   Cure = "feature"   // documented, for a feature to turn on
	CureBinding   Cure = "binding"   // documented, for a version, address or port to set
	CureRule      Cure = "rule"      // not documented like this: a site's rule
	CureNever     Cure = "never"     // no line of configuration should or could
)

// Cures lists them in that order.
func Cures() []Cure { return []Cure{CurePermitted, CureFeature, CureBinding, CureRule, CureNever} }

// cureOf judges by the reason alone, where no configuration is at hand.
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

// whyNever says why no rule should permit what was denied for a reason, and
// what can be done about it instead.
func whyNever(r rules.Reason) string {
	switch r {
	case rules.MalformedRequest, rules.MalformedName:
		return "it was not a well-formed request, so it has no destination that a rule could name; look at the client"
	case rules.NotTLS, rules.NotHTTP, rules.SNIMissing, rules.SniffTimeout, rules.SniffTooLong:
		return "the flow did not show the name that it was for, so nothing ties it to a permitted destination; look at the client"
	case rules.SNIMismatch, rules.HostMismatch:
		return "the flow asked for one name and showed another: that is how a forged name looks; look at the client"
	case rules.ECHPresent:
		return `the configuration says ech = "deny"; the name inside cannot be seen`
	case rules.QUIC:
		return "clients fall back to TCP by themselves"
	case rules.Self:
		return "the destination is sallyport itself; no rule can permit that"
	case rules.TypeNotAllowed:
		return "only A, AAAA, HTTPS, SVCB, DS and DNSKEY are looked up, whatever the rules: other types could carry data out"
	case rules.PrivateAddress:
		return "a public name answered with a private address: that is how rebinding looks; if the answer is yours, list the prefix in [resolve] private"
	case rules.DestinationMismatch:
		return "the client chose an address that is none of the name's, and strict_destination is on"
	case rules.Limit:
		return "a limit was reached; the destination does not matter: see [limits]"
	case rules.JournalUnavailable:
		return "the journal could not be written; make room on its disk"
	case rules.Draining:
		return "sallyport was stopping"
	}
	return "no rule can permit it"
}

// never returns why no rule of any client can permit what an attempt asks for;
// "": one may.
func never(a *rules.Attempt) string {
	if why := rules.SpecialName(a.Target()); why != "" {
		return "do not add a rule for " + a.Target().String() + ": " + why
	}
	switch {
	case a.Via == rules.ViaUDP && a.Proto == rules.ProtoUnknown:
		return "it was neither TCP nor UDP, which are what a rule can list; only any = true lets every protocol through, to one address"
	case a.Via != rules.ViaDNS || !ruleless(a.QType):
		return ""
	case rules.IsKey(a.QType):
		return "keys and signatures (type " + journal.TypeText(a.QType) + ") are looked up once the name, or one below it, is permitted: they need no rule of their own"
	}
	why := "type " + journal.TypeText(a.QType) + " is never looked up, whatever the rules, in a [[dns.zone]] neither: only A, AAAA, HTTPS, SVCB, DS and DNSKEY are, since any other type could carry data out; the client is told at once that there is none"
	switch journal.TypeText(a.QType) {
	case "PTR":
		why += ", and goes on with the address"
	case "SRV", "NAPTR", "URI":
		why += "; name the servers to the product themselves, or let this host ask the internal resolver for this zone"
	case "TXT", "MX":
		why += "; a host that sends or receives mail needs a resolver of its own"
	}
	return why
}

// ruleless tells whether look-ups of a type are none that a rule is proposed for.
func ruleless(qtype uint16) bool {
	return qtype != 0 && (!rules.LookedUp(qtype) || rules.IsKey(qtype))
}

// Cure judges a group by what the site's configuration says now; s may be nil.
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
	case !d.Why().Fixable(), d.Why() != rules.UnknownClient && (s.withinHost(&a) || never(&a) != ""):
		return CureNever
	case d.Why() == rules.UnknownClient:
		return CureBinding
	}
	return cureOfChange(documented(&a, &d))
}

// recordOf returns the latest record of a group. Where the group is of many
// addresses of one client, one of them stands for all.
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
