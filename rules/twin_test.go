// Decide against a slow twin that walks every rule in a line.

package rules_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	. "sallyport/rules"
	"sallyport/rules/site"
)

// A slowGate answers from the configuration itself, without trie or tables.
type slowGate struct {
	c   *site.Config
	own Own
}

func (g slowGate) client(addr netip.Addr) *Client {
	for _, c := range g.c.Clients {
		for _, s := range c.Sources {
			if s.Contains(addr) {
				return c
			}
		}
	}
	return nil
}

// slowRule is one rule as the client has it.
type slowRule struct {
	*Rule
	to       []Destination
	tcp, udp Ports
	missing  []Reason // conditions of the rule that do not hold
}

func (g slowGate) rules(c *Client) (out []slowRule) {
	for _, cp := range c.Profiles {
		for _, r := range cp.Profile.Rules {
			s := slowRule{Rule: r}
			s.tcp, s.udp = cp.PortsOf(r)
			for _, d := range r.To {
				if d.Role != "" {
					if own, ok := cp.Addresses[d.Role]; ok {
						s.to = append(s.to, own...)
					} else {
						s.to = append(s.to, c.Addresses[d.Role]...)
					}
				} else {
					s.to = append(s.to, d)
				}
			}
			for _, w := range r.When {
				if !slices.Contains(cp.Features, w) {
					s.missing = append(s.missing, FeatureOff)
				}
			}
			if cp.Version == "" && r.Until != "" || cp.Version != "" && (r.Since != "" && CompareVersions(cp.Version, r.Since) < 0 || r.Until != "" && CompareVersions(cp.Version, r.Until) >= 0) {
				s.missing = append(s.missing, VersionExcluded)
			}
			if r.From != cp.Role || r.Local {
				s.missing = append(s.missing, RoleNotListed)
			}
			if slices.Contains(cp.Without, r.ID) {
				s.missing = append(s.missing, NotListed)
			}
			out = append(out, s)
		}
	}
	for _, r := range g.c.Rules {
		if r.Client == c.Name {
			s := slowRule{Rule: r, to: slices.AppendSeq(slices.Clone(r.To), r.List.All()), tcp: r.TCP, udp: r.UDP}
			if !r.Expires.IsZero() && !today.Before(r.Expires) {
				s.missing = append(s.missing, Expired)
			}
			out = append(out, s)
		}
	}
	return out
}

// hasRules reports whether some rule permits the client something.
func (g slowGate) hasRules(c *Client) bool {
	return slices.ContainsFunc(g.rules(c), func(r slowRule) bool { return len(r.to) > 0 && len(r.missing) == 0 })
}

func slowNames(to []Destination, n Name) bool {
	for _, d := range to {
		if d.Name.IsZero() {
			continue
		}
		if !d.Wildcard && d.Name == n || d.Wildcard && strings.HasSuffix(n.String(), "."+d.Name.String()) {
			return true
		}
	}
	return false
}

func slowAddress(to []Destination, a netip.Addr) bool {
	return slices.ContainsFunc(to, func(d Destination) bool { return d.Prefix.IsValid() && d.Prefix.Contains(a) })
}

// lacks lists the reasons why a rule that names the destination does not permit the
// attempt.
func (r slowRule) lacks(a Attempt) []Reason {
	out := slices.Clone(r.missing)
	if r.Any || a.Via == ViaDNS {
		return out
	}
	mine, other := r.tcp, r.udp
	if a.Proto == UDP {
		mine, other = other, mine
	}
	if !mine.Has(a.Dest.Port()) {
		if mine == nil || other.Has(a.Dest.Port()) {
			out = append(out, ProtocolNotListed)
		}
		if !other.Has(a.Dest.Port()) {
			out = append(out, PortNotListed)
		}
	}
	return out
}

func (r slowRule) clashes(a Attempt) Reason {
	switch {
	case r.Any:
		return ReasonNone
	case !a.SNI.IsZero() && !slowNames(r.to, a.SNI):
		return SNIMismatch
	case !a.Host.IsZero() && !slowNames(r.to, a.Host), a.HostAddr.IsValid() && a.HostAddr != a.Dest.Addr(), a.HostPort != 0 && a.HostPort != a.Dest.Port():
		return HostMismatch
	}
	return ReasonNone
}

// decide collects every reason that applies. The order of the reasons decides which
// reason is the answer.
func (g slowGate) decide(a Attempt) (Verdict, Reason) {
	target := a.Authority
	if target.IsZero() && a.Via == ViaTransparent {
		if target = a.SNI; target.IsZero() {
			target = a.Host
		}
	}
	c := g.client(a.Client.Addr())
	var permits, opaque bool
	var grants []Destination
	policy := NotListed
	if target.IsZero() {
		policy = IPLiteral
	}
	if c != nil {
		policy, permits, opaque, grants = g.match(c, a, target, policy)
	}
	zone := a.Via == ViaDNS && !target.IsZero() && slices.ContainsFunc(g.c.DNS.Zones, func(z site.Zone) bool { return target == z.Suffix || target.Below(z.Suffix) })
	if c != nil && zone && g.hasRules(c) {
		permits, policy = true, ReasonNone
	}
	var reasons []Reason
	if a.Fault != ReasonNone && a.Fault <= QUIC {
		return Deny, a.Fault // the fault is the cause of the missing name, so the missing name is no reason
	}
	if !a.Provisional && a.Via != ViaDNS && a.Proto == TCP && !opaque {
		port := a.Dest.Port()
		if port == 443 && a.Shown != ShownTLS {
			reasons = append(reasons, NotTLS)
		}
		if port == 80 && a.Shown != ShownHTTP {
			reasons = append(reasons, NotHTTP)
		}
		if port == 443 && a.Shown == ShownTLS && a.SNI.IsZero() && !(target.IsZero() && permits) {
			reasons = append(reasons, SNIMissing)
		}
		if a.ECH && g.c.ECHDeny {
			reasons = append(reasons, ECHPresent)
		}
	}
	if c == nil {
		reasons = append(reasons, UnknownClient)
	} else if a.Fault == Unauthenticated {
		reasons = append(reasons, Unauthenticated)
	} else {
		if target.IsZero() && g.own.Is(a.Dest) || a.Original.IsValid() && g.own.Is(a.Original) {
			reasons = append(reasons, Self)
		}
		if !target.IsZero() && !opaque {
			if !a.SNI.IsZero() && a.SNI != target {
				reasons = append(reasons, SNIMismatch)
			}
			if !a.Host.IsZero() && a.Host != target || a.HostAddr.IsValid() || a.HostPort != 0 && a.HostPort != a.Dest.Port() {
				reasons = append(reasons, HostMismatch)
			}
		}
		if !permits {
			reasons = append(reasons, policy)
		}
	}
	slices.Sort(reasons)
	if len(reasons) > 0 && !(c != nil && c.Audit && slices.Contains([]Reason{NotListed, PortNotListed, ProtocolNotListed, RoleNotListed, FeatureOff, VersionExcluded, Expired}, reasons[0])) {
		return Deny, reasons[0]
	}
	// From here on, the attempt is permitted or let through.
	var late []Reason
	if a.Via == ViaDNS && a.QType != 1 && a.QType != 28 && a.QType != 64 && a.QType != 65 {
		late = append(late, TypeNotAllowed)
	}
	if d := a.Dest.Addr(); !target.IsZero() && d.IsValid() {
		if g.own.Is(a.Dest) {
			late = append(late, Self)
		} else if Special(d) && !zone && !slices.ContainsFunc(g.c.Private, func(p netip.Prefix) bool { return p.Contains(d) }) && !slowAddress(grants, d) {
			late = append(late, PrivateAddress)
		}
	}
	if a.Mismatch && g.c.StrictDestination {
		late = append(late, DestinationMismatch)
	}
	if a.Unproven && g.c.Unproven == UnprovenDenied {
		late = append(late, DNSBogus)
	}
	if a.Fault != ReasonNone {
		late = append(late, a.Fault)
	}
	if len(late) > 0 {
		return Deny, slices.Min(late)
	}
	if len(reasons) > 0 {
		return Allow, reasons[0]
	}
	return Allow, map[bool]Reason{true: DNSBogus}[a.Unproven && g.c.Unproven == UnprovenLogged]
}

// match checks every rule that names the destination. The rule that lacks least,
// compared by its hardest condition, gives the reason.
func (g slowGate) match(c *Client, a Attempt, target Name, none Reason) (reason Reason, permits, opaque bool, grants []Destination) {
	reason = none
	least := 1 << 62
	for _, r := range g.rules(c) {
		if target.IsZero() && !slowAddress(r.to, a.Dest.Addr()) || !target.IsZero() && !slowNames(r.to, target) {
			continue
		}
		lacks := r.lacks(a)
		if clash := r.clashes(a); target.IsZero() && clash != ReasonNone {
			lacks = []Reason{clash}
		}
		if len(lacks) == 0 {
			grants = append(grants, r.to...)
			permits, opaque = true, opaque || r.Any
			continue
		}
		weight := 0
		for _, l := range lacks {
			weight |= 1 << l
		}
		if weight < least {
			least, reason = weight, slices.Max(lacks)
			if reason == PortNotListed && slices.Contains(lacks, ProtocolNotListed) {
				reason = ProtocolNotListed
			}
		}
	}
	return reason, permits, opaque, grants
}

func TestDecideAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	seen := map[Reason]int{}
	profiles := testProfiles(t)
	for range 300 {
		text := randomSite(r)
		c, problems := site.Parse("sallyport.toml", site.Disk{Files: namedLists{}}, []byte(text), profiles)
		if c == nil {
			if s := problems.Error(); !strings.Contains(s, "can never match") && !strings.Contains(s, "listed twice") {
				t.Fatalf("%v\n%s", problems, text)
			}
			continue
		}
		p, _ := Compile(&c.Spec, testOwn(), today)
		slow := slowGate{c, testOwn()}
		for range 300 {
			a := randomAttempt(r)
			d := p.Decide(a)
			verdict, reason := slow.decide(a)
			if d.Verdict != verdict || d.Reason != reason || d.Would != (verdict == Allow && reason != ReasonNone) {
				t.Fatalf("%+v\n%s\nslow twin: %v %v\nrules:\n%s", a, answer(d), verdict, reason, text)
			}
			seen[reason]++
			Hint(a, d)
		}
	}
	for _, r := range append(Reasons(), ReasonNone) {
		if seen[r] == 0 {
			t.Errorf("no random attempt was answered %v: the test tests less than it says", r)
		}
	}
}
