// Verify: tries a suggestion, and reports what else it would change.

package denials

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// verify compiles the configuration with the change and asks again. If a
// documented setting does not permit some groups, verify returns suggestions of
// rules for them.
func (s *Site) verify(sg *Suggestion) (rest []*Suggestion) {
	if sg.rank < len(documentedTexts) {
		sg.Documented = documentedTexts[sg.rank]
	}
	if sg.change == nil {
		return nil
	}
	sg.Title = sg.change.title()
	list := sg.change.edits(s)
	sg.Where, sg.TOML = s.snippet(list)
	changed, _, err := s.with(answered(list))
	if err != nil {
		sg.Why = "not tried out: " + err.Error()
		return nil
	}
	var missed []*Group
	still := rules.ReasonNone
	for _, g := range sg.Groups {
		r := s.recordOf(g)
		a, d, ok := changed.Ask(&r)
		if ok && rank(d) == 2 {
			d = changed.resolved(a, d)
		}
		if !ok || rank(d) < 2 {
			missed, still = append(missed, g), d.Why()
		}
	}
	if why := stillNever(still, sg.change); why != "" {
		*sg = Suggestion{Cure: CureNever, Client: sg.Client, Groups: sg.Groups, Count: sg.Count, rank: sg.rank, Why: still.String() + ": " + why}
		return nil
	}
	if len(missed) > 0 && sg.change.site == nil && !sg.change.source.IsValid() {
		return s.instead(sg, missed)
	}
	sg.Verified = len(missed) == 0
	sg.differ(s.Policy, changed.Policy)
	sg.Warnings = newWarnings(s.Problems, changed.Problems)
	switch {
	case sg.change.version != "":
		sg.Why = "only if the product has that version"
	case len(sg.change.ports) > 0:
		sg.Why = "only if the site has moved the port there"
	case len(sg.change.bind) > 0:
		sg.Why = "only if this is the address or name of that role"
	case sg.change.source.IsValid():
		sg.Why = "only if the address belongs to this client; the address then has all rules of " + sg.Client + ": " + extent(sg.Gains)
	case slices.ContainsFunc(sg.Groups, func(g *Group) bool { return g.Reason == rules.Expired.String() }):
		sg.Why = s.whyExpired(sg.change.rule)
	}
	if still == rules.PrivateAddress {
		sg.Why = "the name resolves to a private address, which stays denied with this rule: list the address in [resolve] private, or beside the name in the rule"
	}
	return nil
}

// stillNever returns why no change permits an attempt that is still denied for
// this reason after change c. It returns "" if another change may permit it.
func stillNever(still rules.Reason, c *change) string {
	switch {
	case still == rules.Self:
		return whyNever(rules.Self) + ": the name resolves to its address"
	case still == rules.PrivateAddress && c.site != nil && isAddress(c.site.host):
		return "the address stands for a private IPv4 address, behind a translator or a tunnel: no rule and no prefix in [resolve] private can permit it"
	}
	return ""
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// resolved decides about the addresses that [hosts] gives a permitted name. The
// gateway can reach the name if it can reach one of these addresses.
func (s *Site) resolved(a rules.Attempt, d rules.Decision) rules.Decision {
	if a.Authority.IsZero() || a.Dest.Addr().IsValid() || a.Via == rules.ViaDNS {
		return d
	}
	for _, addr := range s.Config.Hosts[a.Authority] {
		a.Dest = netip.AddrPortFrom(addr, a.Dest.Port())
		if d = s.ask(&a); rank(d) == 2 {
			break
		}
	}
	return d
}

// whyExpired returns a text about the expired rule and what to consider. It
// returns "" if no rule has expired.
func (s *Site) whyExpired(r *rules.Rule) string {
	if r == nil || r.Expires.IsZero() || s.src.Now.Before(r.Expires) {
		return ""
	}
	return fmt.Sprintf("%s, %s line %d, has expired: a later date in expires permits everything that the rule lists; this change permits only the denied destination", r, s.src.File, r.Line)
}

// instead proposes rules for the groups that a setting does not permit.
func (s *Site) instead(sg *Suggestion, missed []*Group) (rest []*Suggestion) {
	for _, g := range missed {
		r := s.recordOf(g)
		a, d, _ := s.Ask(&r)
		o := &Suggestion{Client: sg.Client, Groups: []*Group{g}, Count: g.Count, rank: documentedness(&d, CureRule), Cure: CureRule, Source: sg.Source}
		s.suggestRule(o, &a, &d)
		g.Cure = CureRule
		rest = append(rest, o)
	}
	sg.Groups = slices.DeleteFunc(sg.Groups, func(g *Group) bool { return slices.Contains(missed, g) })
	sg.Count = 0
	for _, g := range sg.Groups {
		sg.Count += g.Count
	}
	if len(sg.Groups) > 0 {
		return append(rest, s.verify(sg)...)
	}
	*sg = *rest[0]
	return append(rest[1:], s.verify(sg)...)
}

// answered returns the edits with all questions answered yes.
func answered(list []Edit) []Edit {
	list = slices.Clone(list)
	for i := range list {
		list[i].Ask = ""
	}
	return list
}

// newWarnings lists the new warnings of check.
func newWarnings(before, after rules.Problems) []string {
	var out []string
	for _, p := range after {
		if !slices.ContainsFunc(before, func(o rules.Problem) bool { return o.Text == p.Text }) {
			out = append(out, p.Text)
		}
	}
	return out
}

// snippet returns edits as TOML, and the place where they go.
func (s *Site) snippet(list []Edit) (where, toml string) {
	var b strings.Builder
	for _, m := range list {
		if m.Rule != "" {
			return "at the end of " + s.file(), m.Rule
		}
		cl := s.client(m.Client)
		lines := []string{m.Key + " = " + m.written()}
		if role, ok := strings.CutPrefix(m.Key, "addresses."); ok {
			lines = []string{"[" + m.Table + "]", role + " = " + m.Value}
		}
		if m.Ask != "" {
			lines = commented(m.Ask, "write it without the #", lines...)
		}
		b.WriteString(strings.Join(lines, "\n") + "\n")
		where = fmt.Sprintf("in the [[client]] %q, %s line %d", m.Client, s.file(), cl.Line)
		if s.src.Embedded {
			where = fmt.Sprintf("in the [[client]] %q of %s", m.Client, s.file())
		}
		if len(cl.Profiles) > 1 && m.Key != "sources" {
			where += fmt.Sprintf(", profile %s with role %s", cl.Profiles[m.Profile].Profile.Name, cl.Profiles[m.Profile].Role)
		}
	}
	return where, b.String()
}

// file returns the file to change. If the configuration is inside the binary,
// the operator changes a copy.
func (s *Site) file() string {
	if s.src.Embedded {
		return `a file of your own for --config: "sallyport denials suggest --whole" prints the embedded one with every change made`
	}
	return s.src.File
}

// commentedMost limits the lines of the comment above a whole configuration.
const commentedMost = 100

// Whole returns the configuration's text with all suggested changes made,
// checked and compiled. A comment at the top lists all that they permit
// together. That can be more than the sum: a rule may need two of the changes.
// The error names the changes that could not be made.
func (s *Site) Whole(list []*Suggestion) ([]byte, error) {
	now, text := s, s.src.Text
	for _, sg := range list {
		if sg.change == nil {
			continue
		}
		next, t, err := now.with(sg.change.edits(now))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sg.Title, err)
		}
		now, text = next, t
	}
	var b strings.Builder
	gains := new(Suggestion).words(rules.Diff(s.Policy, now.Policy))
	switch {
	case now == s:
		b.WriteString("# There are no suggestions: this is the unchanged configuration.\n")
	case len(gains) > 0:
		b.WriteString("# Proposed, not applied. All changes together newly permit:\n")
	}
	for i, line := range gains {
		if i == commentedMost {
			fmt.Fprintf(&b, "# and %d more: see sallyport denials replay\n", len(gains)-i)
			break
		}
		b.WriteString("#   " + journal.Visible(line) + "\n")
	}
	return append([]byte(b.String()), text...), nil
}
