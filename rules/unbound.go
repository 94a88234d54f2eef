// Unbound: warns of rules that permit nothing, because the site has not given the
// addresses of the role that they name.

package rules

import (
	"fmt"
	"slices"
	"strings"
)

// unboundRoles warns of a client whose rules name roles of the documents, if the
// site gives addresses for none of them. A site that gives addresses for one role
// knows the table, and left the others out on purpose. Each [[client.profile]] has a
// table of its own, and so a warning of its own.
func (s *scope) unboundRoles(file string) (out Problems) {
	c := s.client
	if len(c.Addresses) > 0 {
		return nil
	}
	listed := func(profile int) bool { return profile >= 0 && !c.Profiles[profile].OwnTable }
	out = s.unboundIn(file, c.Line, fmt.Sprintf("client %q", c.Name), "client.addresses", listed)
	for i := range c.Profiles {
		if cp := &c.Profiles[i]; cp.OwnTable && len(cp.Addresses) == 0 {
			of := fmt.Sprintf("client %q, profile %s with role %s", c.Name, cp.Profile.Name, cp.Role)
			out = append(out, s.unboundIn(file, cp.Lines.Table, of, "client.profile.addresses", func(profile int) bool { return profile == i })...)
		}
	}
	return out
}

// unboundIn warns of the rules in force, to roles without addresses, of those profiles
// for which in is true. The site can bind the roles in the table.
func (s *scope) unboundIn(file string, line int, of, table string, in func(profile int) bool) Problems {
	var roles []string
	rules := 0
	for _, i := range s.unbound {
		r := &s.rules[i]
		if r.block != 0 || !in(s.client.profileIndex(r.rule)) {
			continue
		}
		rules++
		for _, d := range r.rule.To {
			if d.Role != "" && !slices.Contains(roles, d.Role) {
				roles = append(roles, d.Role)
			}
		}
	}
	if rules == 0 {
		return nil
	}
	slices.Sort(roles)
	are, many, sets := "is", "s permit", make([]string, len(roles))
	if len(roles) > 1 {
		are = "are"
	}
	if rules == 1 {
		many = " permits"
	}
	for i, p := range roles {
		sets[i] = p + " = [...]"
	}
	return Problems{{File: file, Line: line, Warning: true, Text: fmt.Sprintf("%s: role:%s %s not bound: %d rule%s nothing; set [%s] %s",
		of, strings.Join(roles, ", role:"), are, rules, many, table, strings.Join(sets, ", "))}}
}
