// Site rules: the [[rule]] tables of a configuration.

package site

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/tomldoc"
)

func (c *Config) readSiteRule(t *tomldoc.Table, disk Disk) *rules.Rule {
	r := &rules.Rule{
		Profile: rules.SiteProfile, ID: t.Str("id"), Client: t.Str("client"), Reason: t.Text("reason"),
		File: t.Doc.File(), Line: t.Line(""),
	}
	if !rules.IsIdentifier(r.ID) {
		t.Errorf("id", "%q is not a rule id: letters, digits, dots and hyphens", r.ID)
	} else if line, used := c.known.rules[r.ID]; used {
		t.Errorf("id", "%q is already used on line %d", r.ID, line)
	} else {
		c.known.rules[r.ID] = r.Line
	}
	c.checkRuleClient(t, r.Client)
	if strings.TrimSpace(r.Reason) == "" {
		t.Missing("reason", "say why the site needs it, like a ticket number")
	} else if placeholder(r.Reason) {
		text := fmt.Sprintf("%q is still a placeholder: say why the site needs the rule, like a ticket number, or delete the rule", r.Reason)
		if proposed(r.Reason) {
			t.Errorf("reason", "%s", text)
		} else {
			t.Doc.Warnf(t.Line("reason"), "reason: %s", text)
		}
	}
	r.List = c.readLists(t, disk)
	r.Parents = c.readRoute(t)
	profile.ReadReach(t, r, nil)
	r.Expires = t.End("expires")
	checkHosts(t, "to", r.To)
	warnOfDestinations(t, "to", r.Client, prefixesAmong(r.To))
	warnOfDestinations(t, "to_files", r.Client, slices.Collect(r.List.Prefixes()))
	warnOfAny(t, r)
	for _, d := range r.To {
		c.warnOfName(t, "to", d)
	}
	t.Done()
	return r
}

// warnOfName warns of a destination that permits more than its text shows: a wildcard above
// a public suffix, and a resolver that answers every question.
func (c *Config) warnOfName(t *tomldoc.Table, key string, d rules.Destination) {
	if suffix := suffixBelow(d.Name); d.Wildcard && suffix != "" {
		t.Doc.Warnf(t.LineOf(key, d.String()), "%s: %s", key, permitsSuffix(d, suffix))
	}
	if c.known.resolvers.has(d) {
		t.Doc.Warnf(t.LineOf(key, d.String()), "%s: %s", key, isResolver(d))
	}
}

// placeholder reports whether a reason is still the placeholder of a suggestion or a
// template.
func placeholder(reason string) bool {
	if proposed(reason) {
		return true
	}
	words := strings.FieldsFunc(reason, func(r rune) bool { return !unicode.IsLetter(r) })
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"TODO", "FIXME", "TBD", "CHANGEME"}, w) || len(words) == 1 && strings.EqualFold(w, "todo")
	})
}

// FillIn marks what a person must write into a proposal before a configuration is accepted.
const FillIn = "FILL IN"

// proposed reports whether a text is still the placeholder of a suggestion.
func proposed(text string) bool { return strings.Contains(text, FillIn) }

// checkRuleClient reports a rule whose client does not exist.
func (c *Config) checkRuleClient(t *tomldoc.Table, name string) {
	_, there := c.known.clients[name]
	switch {
	case there:
	case name == "":
		t.Missing("client", "name the [[client]] that the rule is for")
	case len(c.Clients) == 0:
		t.Errorf("client", "there is no client %q; the configuration has no [[client]]", name)
	default:
		var known []string
		for _, cl := range c.Clients {
			known = append(known, cl.Name)
		}
		t.Errorf("client", "there is no client %q%s", name, tomldoc.DidYouMean(name, known, "the clients are"))
	}
}
