// The hint for a destination that is documented, but not like this: which port,
// protocol or role the document gives instead.

package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// firstDynamicPort is where the dynamic ports begin (RFC 6335, section 6), which
// documents call ephemeral.
const firstDynamicPort = 49152

// hintPort explains a denial of a documented destination by its port, protocol or role.
// It looks at all rules of the client that list the destination. It uses the first of
// these explanations that is true: the site has moved the port; a note of the document
// mentions the port; a role without addresses has the port; another role has the port.
// It returns "" if no documented rule of the client lists the destination.
func hintPort(a *Attempt, d *Decision) string {
	if d.scope == nil || a.Via == ViaDNS {
		return ""
	}
	all := d.scope.documenting(a)
	if len(all) == 0 {
		return ""
	}
	documented := slices.DeleteFunc(slices.Clone(all), func(r *scopeRule) bool { return r.block&blocked(RoleNotListed) != 0 })
	own := slices.DeleteFunc(slices.Clone(documented), func(r *scopeRule) bool { return r.block&leftOut != 0 })
	for _, look := range []func() string{
		func() string { return movedPort(a, d, own) },
		func() string { return notedPort(a, own) },
		func() string { return unboundPort(a, d) },
		func() string { return portOfRole(a, d, all) },
	} {
		if h := look(); h != "" {
			return h
		}
	}
	if len(own) == 0 {
		return ""
	}
	return allPorts(a, documented)
}

// documenting returns the rules of profiles that list the destination, in force or not.
// A rule also lists it by a role that the site has bound to it.
func (s *scope) documenting(a *Attempt) (out []*scopeRule) {
	for i := range s.rules {
		if r := &s.rules[i]; r.rule.Profile != SiteProfile && r.reaches(a) {
			out = append(out, r)
		}
	}
	return out
}

// reaches reports whether the destinations of a rule include the attempt's destination.
func (r *scopeRule) reaches(a *Attempt) bool {
	if n := a.Target(); !n.IsZero() {
		return slices.ContainsFunc(r.names, func(d Destination) bool { return d.hasName(n) })
	}
	for _, p := range r.prefixes {
		if p.Contains(a.Dest.Addr()) {
			return true
		}
	}
	return false
}

// portsFor returns the ports of a rule for the attempt's protocol.
func (r *scopeRule) portsFor(a *Attempt) Ports {
	if a.Proto == UDP {
		return r.udp
	}
	return r.tcp
}

// movedPort explains the denial if the site has moved a configurable port away from the
// attempt's port.
func movedPort(a *Attempt, d *Decision, own []*scopeRule) string {
	port := a.Dest.Port()
	for _, r := range own {
		i := d.Client.profileIndex(r.rule)
		for _, name := range r.rule.Configurable(a.Proto) {
			cp := &d.Client.Profiles[i]
			if def := cp.Profile.Port(name); def != nil && def.Default == port && cp.Ports[name] != port && cp.Ports[name] != 0 {
				return fmt.Sprintf("%d was moved to %d by ports.%s of client %q, line %d: use %[2]d, or remove that setting (%[6]s)",
					port, cp.Ports[name], name, d.Client.Name, d.Client.Line, r.rule.documented())
			}
		}
	}
	return ""
}

// notedPort finds a note that mentions the port, or ephemeral ports. If the document has the
// port for the other protocol, the protocol is the matter, and the note says nothing about it.
func notedPort(a *Attempt, own []*scopeRule) string {
	port := a.Dest.Port()
	if slices.ContainsFunc(own, func(r *scopeRule) bool { return r.tcp.Has(port) || r.udp.Has(port) }) {
		return ""
	}
	for _, r := range own {
		if mentions(r.rule.Note, port) || port >= firstDynamicPort && strings.Contains(r.rule.Note, "ephemeral") {
			return fmt.Sprintf("not %s %d for %s: %s has this note: %s", a.Proto, port, orAddress(a), r.rule, r.rule.Note)
		}
	}
	return ""
}

// mentions reports whether a note has the port as a number of its own, and not as a part of
// a name or version, as in update1 or 12.1.
func mentions(note string, port uint16) bool {
	for word := range strings.FieldsFuncSeq(note, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '.' }) {
		if strings.Trim(word, ".") == strconv.Itoa(int(port)) {
			return true
		}
	}
	return false
}

// unboundPort finds a rule with the port, to a role that the site gives no addresses
// for.
func unboundPort(a *Attempt, d *Decision) string {
	r := d.scope.unboundFor(a)
	if r == nil {
		return ""
	}
	m := Remedy{Rule: r, Client: d.Client, Profile: d.Client.profileIndex(r)}
	m.bind(a)
	if m.Bind == "" {
		return ""
	}
	return m.hintBind(a)
}

// portOfRole finds the roles to which the document gives exactly this port.
func portOfRole(a *Attempt, d *Decision, all []*scopeRule) string {
	var roles []string
	var first *scopeRule
	for _, r := range all {
		if r.block&blocked(RoleNotListed) != 0 && !r.rule.Local && r.portsFor(a).Has(a.Dest.Port()) && !slices.Contains(roles, r.rule.From) {
			roles = append(roles, r.rule.From)
			if first == nil {
				first = r
			}
		}
	}
	if first == nil {
		return ""
	}
	role := d.Client.Profiles[d.Client.profileIndex(first.rule)].Role
	return fmt.Sprintf("documented for role %s (%s), and client %q has role %s: if it has that role as well, give it one more [[client.profile]] with role = %q",
		strings.Join(roles, " and role "), strings.TrimPrefix(first.rule.documented(), "documented for "), d.Client.Name, role, roles[0])
}

// allPorts returns a hint with every port that the documents give for the destination, also
// by rules that the site leaves out.
func allPorts(a *Attempt, documented []*scopeRule) string {
	var tcp, udp Ports
	for _, r := range documented {
		tcp, udp = tcp.union(r.tcp), udp.union(r.udp)
	}
	verb := "are"
	if text := listed(tcp, udp); !strings.ContainsAny(text, ",-") && !strings.Contains(text, " and ") {
		verb = "is"
	}
	return fmt.Sprintf("only %s %s documented for %s (%s), not %s %d", listed(tcp, udp), verb, orAddress(a),
		strings.TrimPrefix(documented[0].rule.documented(), "documented for "), a.Proto, a.Dest.Port())
}
