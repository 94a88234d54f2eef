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
// knows the table, and left the others out on purpose.
func (b *scopeBuilder) unboundRoles(file string) Problems {
	c := b.s.client
	if len(c.Addresses) > 0 {
		return nil
	}
	var roles []string
	rules := 0
	for _, i := range b.s.unbound {
		r := &b.s.rules[i]
		if r.block != 0 {
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
	return Problems{{File: file, Line: c.Line, Warning: true, Text: fmt.Sprintf("client %q: role:%s %s not bound: %d rule%s nothing; set [client.addresses] %s",
		c.Name, strings.Join(roles, ", role:"), are, rules, many, strings.Join(sets, ", "))}}
}
