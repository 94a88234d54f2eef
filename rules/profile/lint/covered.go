// Covered: the rules whose names a wildcard of another rule also permits. If such a rule has
// a condition, the wildcard permits its names without the condition.

package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sallyport/rules"
)

// mostCovered is the number of covered rules that one finding lists.
const mostCovered = 4

// alsoPermits lists the exact names of other rules that a wildcard permits, each with its rule:
// rules with a condition that the wildcard's rule does not have first, then those of other roles.
func (c *checker) alsoPermits(r *rules.Rule, d rules.Destination) string {
	var covered []listed
	for _, l := range c.exact {
		if l.rule != r && l.Name.Below(d.Name) {
			covered = append(covered, l)
		}
	}
	rank := func(l listed) int {
		switch {
		case condition(l.rule, r) != "":
			return 0
		case l.rule.From != r.From:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(covered, func(a, b listed) int { return cmp.Compare(rank(a), rank(b)) })
	var out []string
	for _, l := range covered[:min(len(covered), mostCovered)] {
		text := fmt.Sprintf("%s, which has the rule %q", l.Name, l.rule.ID)
		if why := condition(l.rule, r); why != "" {
			text += " " + why
		} else if l.rule.From != r.From {
			text += " from " + l.rule.From
		}
		out = append(out, text)
	}
	if more := len(covered) - mostCovered; more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, "; ")
}

// condition returns what a rule depends on and the rule of the wildcard does not; "" if there is
// nothing.
func condition(r, wild *rules.Rule) string {
	var out []string
	for _, feature := range r.When {
		if !slices.Contains(wild.When, feature) {
			out = append(out, fmt.Sprintf("when %q", feature))
		}
	}
	if r.Since != "" && r.Since != wild.Since {
		out = append(out, "since "+r.Since)
	}
	if r.Until != "" && r.Until != wild.Until {
		out = append(out, "until "+r.Until)
	}
	return strings.Join(out, ", ")
}

// unconditional finds rules whose condition a wildcard for the same role makes void: the wildcard
// permits the name and a port of the rule also while the condition does not hold.
func (c *checker) unconditional(r *rules.Rule, d rules.Destination) {
	if !d.Wildcard {
		return
	}
	for _, o := range c.profile.Rules {
		why := condition(o, r)
		if o == r || o.From != r.From || why == "" || !c.sharePort(o, r) {
			continue
		}
		for _, t := range o.To {
			if !t.Name.IsZero() && t.Name.Below(d.Name) {
				c.find(o, Wildcard, fmt.Sprintf("%s is permitted without the condition %s: the rule %q permits %s", t, why, r.ID, d),
					fmt.Sprintf("name the hosts in rule %q, or give it the same condition, or say in this rule's note that %s is also needed without the condition", r.ID, t), t.String())
			}
		}
	}
}

// sharePort reports whether two rules have a port in common.
func (c *checker) sharePort(a, b *rules.Rule) bool {
	if a.Any || b.Any {
		return true
	}
	return slices.ContainsFunc([]rules.Proto{rules.TCP, rules.UDP}, func(proto rules.Proto) bool {
		others := portsOf(c.profile, b, proto)
		return slices.ContainsFunc(portsOf(c.profile, a, proto), func(p rules.PortRange) bool {
			return slices.ContainsFunc(others, func(q rules.PortRange) bool { return p.First <= q.Last && q.First <= p.Last })
		})
	})
}
