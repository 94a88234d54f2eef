// The hint for a destination that no rule of the client names: which profile
// documents it, which binding lacks it, which name is spelled almost alike.

package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// hintUnnamed explains the denial of a destination that no rule of the client lists.
func hintUnnamed(a *Attempt, d *Decision, m *Remedy) string {
	r, target := d.Nearest, a.Target()
	switch {
	case m != nil && m.Profile < 0:
		return fmt.Sprintf("%s, a profile that client %q does not have", r.documented(), d.Client.Name)
	case m != nil && m.Bind != "":
		return m.hintBind(a)
	}
	for _, t := range r.To {
		switch {
		case t.Wildcard && t.Name == target:
			return fmt.Sprintf("%s is %s: it permits every name below %s, but not that name itself", t, r.documented(), target)
		case target.Below(t.Name) && !t.Name.IsZero() && !t.Wildcard:
			return fmt.Sprintf("%s is %s: it permits that name itself, but no name below it", t, r.documented())
		}
	}
	if h := r.hintEntry(target); h != "" {
		return h
	}
	best, score, named := "", -1, Name{}
	if len(r.To) > 0 {
		best = r.To[0].String()
	}
	for _, t := range r.To {
		if n := alike(t.Name.s, target.s); n > score && !t.Name.IsZero() {
			best, score, named = t.String(), n, t.Name
		}
	}
	for _, t := range r.List.likeIn(target) {
		if n := alike(t.s, target.s); n > score {
			best, score, named = r.List.placed(t), n, t
		}
	}
	if edits := levenshtein.ComputeDistance(named.s, target.s); !named.IsZero() && (edits > fewEdits || !meantFor(named.s, target.s, edits)) {
		if parent := commonParent(named, target); parent != "" {
			return fmt.Sprintf("%s is not documented, but other names below %s are, such as %s, %s", target, parent, best, r.documented())
		}
	}
	return fmt.Sprintf("the nearest name is %s, %s", best, r.documented())
}

// fewEdits is how many letters two names differ in at most, if one of them is perhaps the
// misspelling of the other one.
const fewEdits = 2

// commonParent returns the longest name of at least two labels that both names are below.
func commonParent(a, b Name) string {
	parent := ""
	for rest := b.s; strings.Contains(rest, "."); _, rest, _ = strings.Cut(rest, ".") {
		if n := (Name{rest}); parent == "" && a.Below(n) && b.Below(n) {
			parent = rest
		}
	}
	return parent
}

// hintOtherProfile explains a denial by the profiles that document the destination
// and that the client does not have: those of the client's product first. Two profiles are
// of one product if their product texts are equal up to the bracket.
func hintOtherProfile(a *Attempt, d *Decision) string {
	if d.policy == nil || !a.Target().IsZero() && !d.nearestIsOthers() {
		return ""
	}
	product := func(p *Profile) string {
		front, _, _ := strings.Cut(p.Product, " (")
		return front
	}
	has := func(same func(own *Profile) bool) bool {
		return slices.ContainsFunc(d.Client.Profiles, func(cp ClientProfile) bool { return same(cp.Profile) })
	}
	var kin, others []*Rule // rules of the client's product, and rules of other products
	for _, p := range d.policy.profiles {
		i := slices.IndexFunc(p.Rules, func(r *Rule) bool { return r.documents(a) })
		switch {
		case i < 0 || has(func(own *Profile) bool { return own == p }):
		case has(func(own *Profile) bool { return product(own) == product(p) }):
			kin = append(kin, p.Rules[i])
		default:
			others = append(others, p.Rules[i])
		}
	}
	what := "name"
	if a.Target().IsZero() {
		what = "address"
	}
	found := append(kin, others...)
	switch len(found) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("%s documents this %s, section %s, and client %q does not have that profile: if it is that product, add %[1]q to its profiles",
			found[0].Profile, what, found[0].Section, d.Client.Name)
	}
	names := make([]string, len(found))
	for i, r := range found {
		names[i] = fmt.Sprintf("%s (section %s)", r.Profile, r.Section)
	}
	return fmt.Sprintf("%s document this %s, and client %q has none of these profiles: if it is one of these products, add for example %q to its profiles",
		strings.Join(names, " and "), what, d.Client.Name, found[0].Profile)
}

// nearestIsOthers reports whether the nearest rule is of a profile that the client
// does not have. For a name that such a profile documents it always is.
func (d *Decision) nearestIsOthers() bool {
	return d.Nearest != nil && d.Nearest.Profile != SiteProfile && d.Client.profileIndex(d.Nearest) < 0
}

// documents reports whether a rule names the destination itself.
func (r *Rule) documents(a *Attempt) bool {
	n := a.Target()
	return slices.ContainsFunc(r.To, func(t Destination) bool {
		if n.IsZero() {
			return t.Prefix.IsValid() && t.Prefix.Contains(a.Dest.Addr())
		}
		return t.hasName(n)
	})
}

// The number of leading bits that two addresses of one site have in common: a
// /16 of IPv4, and a /48 of IPv6, which RFC 6177 gives to one site.
const (
	siteBits4 = 16
	siteBits6 = 48
)

// hintExtend explains the denial of an address by a role: the site has bound the role
// to other addresses of the same network, and a rule to the role has the port.
func hintExtend(a *Attempt, d *Decision) string {
	to := a.Dest.Addr()
	if d.scope == nil || !a.Target().IsZero() || !to.IsValid() {
		return ""
	}
	bits := siteBits4
	if to.Is6() {
		bits = siteBits6
	}
	near, _ := to.Prefix(bits)
	for i := range d.scope.rules {
		r := &d.scope.rules[i]
		if r.block != 0 || r.rule.Profile == SiteProfile || !r.portsFor(a).Has(a.Dest.Port()) {
			continue
		}
		for _, t := range r.rule.To {
			if t.Role == "" {
				continue
			}
			profile := d.Client.profileIndex(r.rule)
			if slices.ContainsFunc(d.Client.Bound(profile, t.Role), func(b Destination) bool { return b.Prefix.IsValid() && near.Overlaps(b.Prefix) }) {
				return fmt.Sprintf("%s, on %s to the %s, which is bound to other addresses: if %v has this role too, extend %s in %s by %[4]v",
					r.rule.documented(), listed(r.tcp, r.udp), t.Role, to, t.Role, d.Client.bindingPlace(profile, t.Role))
			}
		}
	}
	return ""
}

// Bounds of the search for a name that is spelled almost alike.
const (
	mostEdits     = 3     // a name with another top-level domain of three letters is still found
	mostNamesRead = 4_096 // how many names of the client's rules are read: reading more would delay the denial
)

// hintAlike explains a denial by the name that differs from the asked one by the
// fewest letters.
func hintAlike(a *Attempt, d *Decision) string {
	target := a.Target().s
	if d.scope == nil || target == "" {
		return ""
	}
	first, rest := target, ""
	if dot := strings.IndexByte(target, '.'); dot > 0 {
		first, rest = target[:dot+1], target[dot:]
	}
	best, edits, read := "", min(mostEdits, len(target)/3)+1, 0
	var of *scopeRule
	for i := range d.scope.rules {
		r := &d.scope.rules[i]
		if r.block&blocked(RoleNotListed) != 0 {
			continue
		}
		for _, t := range r.names {
			if read++; read > mostNamesRead {
				break
			}
			if t.Wildcard || !worthComparing(t.Name.s, first, rest) {
				continue
			}
			if n := levenshtein.ComputeDistance(t.Name.s, target); n < edits && meantFor(t.Name.s, target, n) {
				best, edits, of = t.Name.s, n, r
			}
		}
	}
	for i, l := range d.scope.lists {
		if i > 0 && d.scope.lists[i-1].list == l.list {
			continue
		}
		for _, t := range l.list.likeIn(a.Target()) {
			if read++; read > mostNamesRead || !worthComparing(t.s, first, rest) {
				continue
			}
			if n := levenshtein.ComputeDistance(t.s, target); n < edits && meantFor(t.s, target, n) {
				best, edits, of = l.list.placed(t), n, &d.scope.rules[l.rule]
			}
		}
	}
	switch {
	case of == nil:
		return ""
	case of.bindingOf(d.Client, best) != "":
		role := of.bindingOf(d.Client, best)
		return fmt.Sprintf("the nearest name is %s, the name bound to %s in %s of client %q: if %s is the right name, bind that name there",
			best, role, d.Client.bindingPlace(d.Client.profileIndex(of.rule), role), d.Client.Name, target)
	}
	return fmt.Sprintf("the nearest name is %s, %s", best, of.rule.documented())
}

// bindingOf returns the role that the site has bound the name to. It returns "" if the
// rule lists the name itself.
func (r *scopeRule) bindingOf(c *Client, name string) string {
	for _, t := range r.rule.To {
		if t.Role != "" && slices.ContainsFunc(c.Bound(c.profileIndex(r.rule), t.Role), func(b Destination) bool { return b.Name.s == name }) {
			return t.Role
		}
	}
	return ""
}

// worthComparing reports whether two names are similar enough to be compared letter by
// letter. Their lengths are nearly equal, and they share the first label or everything
// after it. To compare other names costs more time than a denial should take.
func worthComparing(name, first, rest string) bool {
	if d := len(name) + 1 - len(first) - len(rest); d > mostEdits || d < -mostEdits {
		return false
	}
	return strings.HasPrefix(name, first) || strings.HasSuffix(name, rest)
}

// meantFor reports whether one name may be a misspelling of the other one. If everything
// but the first label is equal, at least half of the first label must be equal too.
func meantFor(x, y string, edits int) bool {
	firstX, restX, _ := strings.Cut(x, ".")
	firstY, restY, _ := strings.Cut(y, ".")
	return restX != restY || 2*edits <= max(len(firstX), len(firstY))
}
