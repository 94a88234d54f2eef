// Hint: the change that would permit a denied attempt, in one line for people.

package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Hint returns the remedy of a denial in one line, or "" for an allow. It names the
// nearest documented rule and the change that would permit the attempt. It
// allocates: the journal, denial pages and explain call it, the hot path does not.
func Hint(a Attempt, d Decision) string { return hint(&a, &d, hintDocumented) }

// HintByNearest returns the hint that the nearest rule alone gives. It does not search
// the documents, so it is cheap enough for each reply to a query.
func HintByNearest(a Attempt, d Decision) string {
	return hint(&a, &d, func(*Attempt, *Decision) string { return "" })
}

// hint returns the remedy of a denial; documented searches the documents for it.
func hint(a *Attempt, d *Decision, documented func(*Attempt, *Decision) string) string {
	if d.Verdict == Allow && !d.Would {
		return ""
	}
	h := hintDenial(a, d, documented)
	return h + d.policy.notCovered(a, d, h)
}

// hintDenial is hint without what concerns known denials.
func hintDenial(a *Attempt, d *Decision, documented func(*Attempt, *Decision) string) string {
	if h := hintService(a, d); h != "" {
		return h
	}
	if h := hintWithoutRule(a, d); h != "" {
		return h
	}
	if d.Client == nil { // a decision without a client
		return d.Why().Help()
	}
	if a.Via == ViaDNS && a.QType != 0 && !LookedUp(a.QType) {
		return fmt.Sprintf("%s is never looked up as type %d, whatever the rules are: only A, AAAA, HTTPS, SVCB, DS and DNSKEY are, so the answer is empty", orAddress(a), a.QType)
	}
	if a.Via == ViaDNS && IsKey(a.QType) {
		return fmt.Sprintf("DNSSEC keys of %s are looked up only if a rule permits that name or a name below it", orAddress(a))
	}
	if to := a.Dest.Addr(); d.policy != nil && a.Target().IsZero() && to.IsValid() {
		if why := d.policy.own.OffLimits(a.Client.Addr(), to); why != "" {
			return fmt.Sprintf("do not add a rule for %v: %s", to, why)
		}
	}
	if d.Why() == IPLiteral && d.policy.IsSynthetic(a.Dest.Addr()) {
		return hintSynthetic(a)
	}
	if h := hintLeftOut(a, d); h != "" {
		return h
	}
	if why := SpecialName(a.Target()); why != "" {
		return fmt.Sprintf("do not add a rule for %s: %s", a.Target(), why)
	}
	if h := documented(a, d); h != "" {
		return h
	}
	if d.Why() == IPLiteral && d.Nearest == nil {
		return hintLiteral(a, d)
	}
	if d.Nearest == nil {
		return fmt.Sprintf("no rule of client %q lists %s: if the site needs it, add a [[rule]] with a reason", d.Client.Name, orAddress(a))
	}
	return hintNear(a, d)
}

// hintDocumented explains a denial by the nearest entry in the documents. It returns "" if there is
// none, or if the nearest rule alone explains the denial.
func hintDocumented(a *Attempt, d *Decision) string {
	switch d.Why() {
	case PortNotListed, ProtocolNotListed, RoleNotListed:
		return hintPort(a, d)
	case NotListed, IPLiteral:
	default:
		return ""
	}
	if r := d.Nearest; r != nil && (r.apexOf(a.Target()) || r.parentOf(a.Target()) || r.hintEntry(a.Target()) != "") {
		return ""
	}
	for _, hint := range []func(*Attempt, *Decision) string{hintOtherProfile, hintExtend, hintAlike} {
		if h := hint(a, d); h != "" {
			return h
		}
	}
	if h := hintSystem(a, d); h != "" {
		return h
	}
	if d.Nearest == nil && d.scope != nil && a.Via != ViaDNS {
		return unboundPort(a, d)
	}
	return ""
}

// apexOf reports whether a rule lists every name below n, but not n itself.
func (r *Rule) apexOf(n Name) bool {
	return slices.ContainsFunc(r.To, func(t Destination) bool { return !n.IsZero() && t.Wildcard && t.Name == n })
}

// parentOf reports whether a rule lists a name above n, and not by a wildcard.
func (r *Rule) parentOf(n Name) bool {
	return slices.ContainsFunc(r.To, func(t Destination) bool { return !t.Name.IsZero() && !t.Wildcard && n.Below(t.Name) })
}

// hintWithoutRule returns the hints of reasons that no rule can remedy, and of those
// that concern the flow and not a rule.
func hintWithoutRule(a *Attempt, d *Decision) string {
	switch r := d.Why(); r {
	case UnknownClient:
		return fmt.Sprintf("no [[client]] covers %v: add the address to the sources of a [[client]]", a.Client.Addr())
	case SNIMismatch:
		return fmt.Sprintf("permitted for %s, but the ClientHello names %s: all names of a connection must be the same", orAddress(a), a.SNI)
	case HostMismatch:
		shown := a.Host.String()
		if a.HostAddr.IsValid() {
			shown = a.HostAddr.String()
		}
		return fmt.Sprintf("permitted for %s:%d, but the Host header names %s:%d", orAddress(a), a.Dest.Port(), shown, a.HostPort)
	case PrivateAddress:
		return hintPrivate(a, d)
	case Self: // not a parent or a sink: hintService has those
		return detailed("The destination is one of sallyport's own listeners; no rule can permit that.", a)
	case TypeNotAllowed:
		return fmt.Sprintf("%s is permitted; type %d is not looked up, only A, AAAA, HTTPS, SVCB, DS and DNSKEY are", a.Authority, a.QType)
	case Unauthenticated:
		return hintUnproven(a, d)
	case MalformedName:
		if a.Detail != "" {
			return "no rule can permit it: " + a.Detail
		}
		return r.Help()
	default:
		if r.Fixable() {
			return "" // a rule can be the remedy
		}
		return withDetail(r, a)
	}
}

// withDetail returns what to do about a reason, and what was found out.
func withDetail(r Reason, a *Attempt) string { return detailed(r.Help(), a) }

func detailed(text string, a *Attempt) string {
	if a.Detail == "" {
		return text
	}
	return strings.TrimSuffix(text, ".") + ": " + a.Detail
}

// hintLiteral explains the denial of an address without a near rule. Usually such a
// client resolves names itself. A rule for the address that it found today would be the
// wrong remedy: it would permit every name at that address.
func hintLiteral(a *Attempt, d *Decision) string {
	remedy := "let it resolve names with sallyport's DNS"
	if a.Via == ViaHTTP || a.Via == ViaConnect || a.Via == ViaSOCKS5 {
		remedy = "let the proxy resolve the name (socks5h://, \"remote DNS\")"
	}
	return fmt.Sprintf("client %q asks for the bare address %s: %s, so that the decision is by name; write a [[rule]] for an address only if the destination has no name",
		d.Client.Name, orAddress(a), remedy)
}

// hintPrivate explains the denial of an address that is not public. If an IPv6
// address stands for such an IPv4 address, no line of a configuration permits it.
func hintPrivate(a *Attempt, d *Decision) string {
	addr, site := a.Dest.Addr(), []netip.Prefix(nil)
	if d.policy != nil {
		site = d.policy.nat64
	}
	if d.policy.IsSynthetic(addr) {
		return fmt.Sprintf("an upstream answers %s by %v, which is in [dns] synthetic: that upstream is a sallyport with the same prefix; list the resolvers behind it in [dns] upstreams", orAddress(a), addr)
	}
	v4, second := inside(addr, site)
	if second.IsValid() && Special(second) {
		v4 = second
	}
	switch {
	case v4.IsValid() && Special(v4):
		return fmt.Sprintf("no rule can permit it: %v stands for %v, which is not public", addr, v4)
	case nat64Known.Contains(addr):
		return fmt.Sprintf("%s resolves to %v, which stands for %v: if a NAT64 translates it, list %v in [resolve] nat64", orAddress(a), addr, v4, nat64Known)
	}
	return fmt.Sprintf("%s resolves to %v: if that is intended, list %[2]v %s", orAddress(a), addr, whereToList(d.Client, d.Nearest))
}

// whereToList returns the place in the configuration for a special address of the
// permitted name. A site does not edit profiles, because they are the vendors'.
func whereToList(c *Client, granted *Rule) string {
	switch {
	case granted == nil:
		return "in [resolve] private"
	case granted.Profile == SiteProfile:
		return "in [resolve] private, or in the to of rule " + granted.ID
	}
	for _, t := range granted.To {
		if t.Role != "" {
			return fmt.Sprintf("in [resolve] private, or in [%s] beside the name", c.BindingTable(c.profileIndex(granted), t.Role))
		}
	}
	return "in [resolve] private, or in a [[rule]] together with the name"
}

func orAddress(a *Attempt) string {
	if n := a.Target(); !n.IsZero() {
		return n.String()
	}
	return a.Dest.Addr().String()
}

// hintNear explains a denial by its nearest rule.
func hintNear(a *Attempt, d *Decision) string {
	r, m := d.Nearest, RemedyOf(*a, *d)
	switch d.Why() {
	case Expired:
		return fmt.Sprintf("rule %s expired %s (%s): set a later expires, or remove the rule", r, r.expired(), r.Reason)
	case NotListed, IPLiteral:
		return hintUnnamed(a, d, m)
	}
	var needs []string
	switch {
	case m != nil && m.Profile >= 0:
		needs = m.needs(a)
	case !r.Any && a.Via != ViaDNS && !r.has(a):
		needs = []string{notOnPort(a, nil, r)}
	}
	if len(needs) == 0 {
		needs = []string{"as " + r.String()}
	}
	return r.documented() + ", " + strings.Join(needs, ", and ")
}

// has reports whether a rule, with the document's ports, lists the attempt's port.
func (r *Rule) has(a *Attempt) bool {
	if a.Proto == UDP {
		return r.UDP.Has(a.Dest.Port())
	}
	return r.TCP.Has(a.Dest.Port())
}

// hintBind names the role that the destination may have. If the rule has a note, hintBind adds it.
func (m *Remedy) hintBind(a *Attempt) string {
	h := fmt.Sprintf("%s, on %s to the %s, which has no address here: if %s has this role, bind %[3]s to %[4]s in %[5]s of client %[6]q",
		m.Rule.documented(), listed(m.profile().PortsOf(m.Rule)), m.Bind, orAddress(a), m.Client.bindingPlace(m.Profile, m.Bind), m.Client.Name)
	if m.Rule.Note != "" {
		h += " (note: " + m.Rule.Note + ")"
	}
	return h
}

// documented returns where a rule comes from: a section of a profile's document, or
// the site.
func (r *Rule) documented() string {
	switch {
	case r.Profile == SiteProfile:
		return "permitted by the site's rule " + r.ID
	case r.Section == "":
		return "documented for " + r.profileText()
	}
	return "documented for " + r.profileText() + ", section " + r.Section
}

// profileText returns the name of a rule's profile. For a profile from a file it also has
// the revision, which tells it from an earlier file and from a shipped profile.
func (r *Rule) profileText() string {
	if r.Origin == "" {
		return r.Profile
	}
	origin, _, _ := strings.Cut(r.Origin, ", ")
	return r.Profile + ", " + origin
}

// PortsOf returns the ports of a rule, with the numbers that the client has set. A nil
// cp is for the site's own rules.
func (cp *ClientProfile) PortsOf(r *Rule) (tcp, udp Ports) {
	if cp == nil {
		return r.TCP, r.UDP
	}
	return cp.Profile.portsOf(r.TCP, r.TCPNamed, cp.Ports), cp.Profile.portsOf(r.UDP, r.UDPNamed, cp.Ports)
}

func listed(tcp, udp Ports) string {
	var parts []string
	if tcp != nil {
		parts = append(parts, "tcp "+tcp.String())
	}
	if udp != nil {
		parts = append(parts, "udp "+udp.String())
	}
	return strings.Join(parts, " and ")
}
