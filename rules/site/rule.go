// Site rules: the [[rule]] tables of a configuration.

package site

import (
	"slices"
	"strings"
	"unicode"

	"sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/tomldoc"
)

func (c *Config) readSiteRule(t *tomldoc.Table) *rules.Rule {
	r := &rules.Rule{
		Profile: rules.SiteProfile, ID: t.Str("id"), Client: t.Str("client"), Reason: t.Str("reason"),
		File: t.Doc.File(), Line: t.Line(""),
	}
	if !rules.IsIdentifier(r.ID) {
		t.Errorf("id", "%q is not a rule id: letters, digits, dots and hyphens", r.ID)
	} else if i := slices.IndexFunc(c.Rules, func(o *rules.Rule) bool { return o.ID == r.ID }); i >= 0 {
		t.Errorf("id", "%q is already used on line %d", r.ID, c.Rules[i].Line)
	}
	c.checkRuleClient(t, r.Client)
	if strings.TrimSpace(r.Reason) == "" {
		t.Missing("reason", "say why the site needs it, like a ticket number")
	} else if placeholder(r.Reason) {
		t.Doc.Warnf(t.Line("reason"), "reason: %q is still a placeholder: say why the site needs the rule, like a ticket number, or delete the rule", r.Reason)
	}
	profile.ReadReach(t, r, nil)
	r.Expires = t.End("expires")
	checkHosts(t, "to", r.To)
	warnOfDestinations(t, "to", r.Client, prefixesAmong(r.To))
	warnOfAny(t, r)
	for _, d := range r.To {
		if suffix := suffixBelow(d.Name); d.Wildcard && suffix != "" {
			t.Doc.Warnf(t.LineOf("to", d.String()), "to: %s also permits *.%s, a public suffix under which anyone can register a name; name the domains", d, strings.TrimPrefix(suffix, "*."))
		}
		if knownDoH(d) {
			t.Doc.Warnf(t.LineOf("to", d.String()), "to: %s is a public DNS-over-HTTPS resolver: with it a client can look up any name and bypass the DNS filter", d)
		}
	}
	t.Done()
	return r
}

// placeholder reports whether a reason is still the placeholder of a suggestion or a
// template.
func placeholder(reason string) bool {
	if strings.Contains(reason, "FILL IN") {
		return true
	}
	words := strings.FieldsFunc(reason, func(r rune) bool { return !unicode.IsLetter(r) })
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"TODO", "FIXME", "TBD", "CHANGEME"}, w) || len(words) == 1 && strings.EqualFold(w, "todo")
	})
}

// checkRuleClient reports a rule whose client does not exist.
func (c *Config) checkRuleClient(t *tomldoc.Table, name string) {
	var known []string
	for _, cl := range c.Clients {
		known = append(known, cl.Name)
	}
	switch {
	case slices.Contains(known, name):
	case name == "":
		t.Missing("client", "name the [[client]] that the rule is for")
	case len(known) == 0:
		t.Errorf("client", "there is no client %q; the configuration has no [[client]]", name)
	default:
		t.Errorf("client", "there is no client %q%s", name, tomldoc.DidYouMean(name, known, "the clients are"))
	}
}
