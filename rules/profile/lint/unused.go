// Unused: what a profile declares and no rule names. Often the rule was removed, or lost its
// condition.

package lint

import (
	"fmt"
	"slices"

	"sallyport/rules"
)

// unused finds features, configurable ports and parties that no rule names.
func (c *checker) unused() {
	p := c.profile
	none := func(names func(*rules.Rule) bool) bool { return !slices.ContainsFunc(p.Rules, names) }
	for _, f := range p.Features {
		if none(func(r *rules.Rule) bool { return slices.Contains(r.When, f.Name) }) {
			c.report(f.Line, Unused, fmt.Sprintf("feature %q: no rule has it in when: remove the [[feature]], or write when = [%[1]q] into its rules", f.Name))
		}
	}
	for _, port := range p.Ports {
		if none(func(r *rules.Rule) bool {
			return slices.Contains(r.TCPNamed, port.Name) || slices.Contains(r.UDPNamed, port.Name)
		}) {
			c.report(port.Line, Unused, fmt.Sprintf("port %q: no rule has it in tcp or udp: remove the [[port]], or write %[1]q instead of the number into its rules", port.Name))
		}
	}
	if len(p.Rules) == 0 {
		return
	}
	for _, party := range slices.Concat(p.Roles, p.Binds) {
		if none(func(r *rules.Rule) bool {
			return r.From == party || slices.ContainsFunc(r.To, func(d rules.Destination) bool { return d.Role == party })
		}) {
			c.report(p.Line, Unused, fmt.Sprintf("party %q: no rule is from it or to it: remove it from roles or binds", party))
		}
	}
}

// report adds a finding about the whole profile.
func (c *checker) report(line int, check Check, text string) {
	c.found = append(c.found, Finding{Problem: rules.Problem{File: c.profile.File, Line: line, Text: text, Warning: true}, Check: check})
}
