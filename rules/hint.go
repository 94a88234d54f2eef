// Hint: what would permit a denied attempt, in one line for people.

package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Hint returns the cure of a denial in one line, "" for an allow. It names the
// nearest documented rule and what would permit the attempt. It allocates:
// journal, error pages and explain call it, the hot path does not.
func Hint(a Attempt, d Decision) string {
	if d.Verdict == Allow && !d.Would {
		return ""
	}
	if h := hintWithoutRule(&a, &d); h != "" {
		return h
	}
	if d.Client == nil { // a decision that failed; nothing is known of who asked
		return d.Why().Help()
	}
	if a.Via == ViaDNS && a.QType != 0 && !LookedUp(a.QType) {
		return fmt.Sprintf("%s is not looked up as type %d, whatever the rules: only A, AAAA, HTTPS, SVCB, DS and DNSKEY are, and the answer is that there is none", orAddress(&a), a.QType)
	}
	if a.Via == ViaDNS && IsKey(a.QType) {
		return fmt.Sprintf("keys and signatures of %s are looked up once it, or a name below it, is permitted", orAddress(&a))
	}
	if why := SpecialName(a.Target()); why != "" {
		return fmt.Sprintf("no rule is for %s: %s", a.Target(), why)
	}
	if d.Why() == IPLiteral && d.Nearest == nil {
		return hintLiteral(&a, &d)
	}
	if d.Nearest == nil {
		return fmt.Sprintf("nothing that client %q has documents %s: if the site needs it, a [[rule]] with a reason permits it", d.Client.Name, orAddress(&a))
	}
	return hintNear(&a, &d)
}

// hintWithoutRule covers the reasons that no rule could mend, or that speak of
// the flow rather than of a rule.
func hintWithoutRule(a *Attempt, d *Decision) string {
	switch r := d.Why(); r {
	case UnknownClient:
		return fmt.Sprintf("no [[client]] covers %v: add the address to the sources of one", a.Client.Addr())
	case SNIMismatch:
		return fmt.Sprintf("permitted for %s, but the ClientHello names %s: one connection, one name", orAddress(a), a.SNI)
	case HostMismatch:
		shown := a.Host.String()
		if a.HostAddr.IsValid() {
			shown = a.HostAddr.String()
		}
		return fmt.Sprintf("permitted for %s:%d, but the Host header says %s:%d", orAddress(a), a.Dest.Port(), shown, a.HostPort)
	case PrivateAddress:
		return hintPrivate(a, d)
	case TypeNotAllowed:
		return fmt.Sprintf("%s is permitted; type %d is not looked up, only A, AAAA, HTTPS, SVCB, DS and DNSKEY are", a.Authority, a.QType)
	case MalformedName:
		if a.Detail != "" {
			return "no rule can permit it: " + a.Detail
		}
		return r.Help()
	case NotTLS, NotHTTP, SniffTimeout, SniffTooLong, SNIMissing, MalformedRequest, ECHPresent, QUIC,
		Self, DestinationMismatch, Limit, JournalUnavailable, Draining:
		if a.Detail != "" {
			return strings.TrimSuffix(r.Help(), ".") + ": " + a.Detail
		}
		return r.Help()
	}
	return ""
}

// hintLiteral explains the denial of an address that no rule is near to. A
// client that resolves names itself is the usual cause, and a rule for the
// address of the day the wrong cure: it would permit every name there.
func hintLiteral(a *Attempt, d *Decision) string {
	cure := "let it resolve names with sallyport's DNS"
	if a.Via == ViaHTTP || a.Via == ViaConnect || a.Via == ViaSOCKS5 {
		cure = "let the proxy resolve the name (socks5h://, \"remote DNS\")"
	}
	return fmt.Sprintf("client %q asks for the bare address %s: %s, so that the name is judged; only what has no name needs a [[rule]] for its address",
		d.Client.Name, orAddress(a), cure)
}

// hintPrivate explains the denial of an address that is not public. No line of a
// configuration permits one that stands for an IPv4 address of that kind.
func hintPrivate(a *Attempt, d *Decision) string {
	addr, site := a.Dest.Addr(), []netip.Prefix(nil)
	if d.policy != nil {
		site = d.policy.nat64
	}
	v4, second := inside(addr, site)
	if second.IsValid() && Special(second) {
		v4 = second
	}
	switch {
	case v4.IsValid() && Special(v4):
		return fmt.Sprintf("no rule can permit it: %v stands for %v, which is not public", addr, v4)
	case nat64Known.Contains(addr):
		return fmt.Sprintf("%s resolves to %v, which stands for %v: where a NAT64 translates it, list %v in [resolve] nat64", orAddress(a), addr, v4, nat64Known)
	}
	return fmt.Sprintf("%s resolves to %v: if that is meant, list %[2]v %s", orAddress(a), addr, whereToList(d.Nearest))
}

// whereToList says where a special address goes that the granted name is meant
// to have. Profiles are the vendors' and not for the site to edit.
func whereToList(granted *Rule) string {
	switch {
	case granted == nil:
		return "in [resolve] private"
	case granted.Profile == SiteProfile:
		return "in [resolve] private, or in the to of rule " + granted.ID
	case slices.ContainsFunc(granted.To, func(t Destination) bool { return t.Role != "" }):
		return "in [resolve] private, or in [client.addresses] beside the name"
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
		return fmt.Sprintf("rule %s expired on %s (%s): set a later expires, or remove the rule",
			r, r.Expires.Add(-time.Second).Format(time.DateOnly), r.Reason)
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

// has reports whether a rule, with the ports as the document gives them, lists
// the attempt's.
func (r *Rule) has(a *Attempt) bool {
	if a.Proto == UDP {
		return r.UDP.Has(a.Dest.Port())
	}
	return r.TCP.Has(a.Dest.Port())
}

// hintUnnamed explains a denial of something that no rule of the client names.
func hintUnnamed(a *Attempt, d *Decision, m *Remedy) string {
	r, target := d.Nearest, a.Target()
	switch {
	case m != nil && m.Profile < 0:
		return fmt.Sprintf("%s, a profile that client %q does not have", r.documented(), d.Client.Name)
	case m != nil && m.Bind != "":
		return fmt.Sprintf("%s, on %s to the %s, which is not bound: if this is it, list it in [client.addresses] %s of client %q",
			r.documented(), listed(m.profile().PortsOf(r)), m.Bind, m.Bind, d.Client.Name)
	}
	for _, t := range r.To {
		switch {
		case t.Wildcard && t.Name == target:
			return fmt.Sprintf("%s is %s, which is every name below it and not %s itself", r.documented(), t, target)
		case target.Below(t.Name) && !t.Name.IsZero() && !t.Wildcard:
			return fmt.Sprintf("%s is %s itself, and no name below it", r.documented(), t)
		}
	}
	best, score := r.To[0], -1
	for _, t := range r.To {
		if n := alike(t.Name.s, target.s); n > score && !t.Name.IsZero() {
			best, score = t, n
		}
	}
	return fmt.Sprintf("the nearest name is %s, %s", best, r.documented())
}

// documented says where a rule is written: in a profile's document, or by the
// site.
func (r *Rule) documented() string {
	switch {
	case r.Profile == SiteProfile:
		return "permitted by the site's rule " + r.ID
	case r.Section == "":
		return "documented for " + r.Profile
	}
	return "documented for " + r.Profile + ", section " + r.Section
}

// PortsOf returns the ports of a rule as the client has set them; those of the
// site's own rules where cp is nil.
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

func versionRange(r *Rule) string {
	switch {
	case r.Since != "" && r.Until != "":
		return "from " + r.Since + " to below " + r.Until
	case r.Since != "":
		return "from " + r.Since
	}
	return "below " + r.Until
}

func versionOr(v string) string {
	if v == "" {
		return "no version set, which is read as the current one"
	}
	return "version " + v
}
