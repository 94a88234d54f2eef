// Unbound: warns of documented rules that lead nowhere, because the site has not
// said where the other party is.

package rules

import (
	"fmt"
	"slices"
	"strings"
)

// unboundParties warns of a client whose rules name parties of the documents,
// none of which the site has bound to an address. Who has bound one of them has
// seen the table, and left out what the site does not have.
func (b *scopeBuilder) unboundParties(file string) Problems {
	c := b.s.client
	if len(c.Addresses) > 0 {
		return nil
	}
	var parties []string
	rules := 0
	for _, i := range b.s.unbound {
		r := &b.s.rules[i]
		if r.block != 0 {
			continue
		}
		rules++
		for _, d := range r.rule.To {
			if d.Role != "" && !slices.Contains(parties, d.Role) {
				parties = append(parties, d.Role)
			}
		}
	}
	if rules == 0 {
		return nil
	}
	slices.Sort(parties)
	are, many, sets := "is", "s permit", make([]string, len(parties))
	if len(parties) > 1 {
		are = "are"
	}
	if rules == 1 {
		many = " permits"
	}
	for i, p := range parties {
		sets[i] = p + " = [...]"
	}
	return Problems{{File: file, Line: c.Line, Warning: true, Text: fmt.Sprintf("client %q: role:%s %s not bound: %d rule%s nothing; set [client.addresses] %s",
		c.Name, strings.Join(parties, ", role:"), are, rules, many, strings.Join(sets, ", "))}}
}
