// Answers of explain: a decision as text and as JSON.

package main

import (
	"fmt"
	"io"
	"strings"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/cmd/sallyport/terminal"
	"sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/site"
)

// An explanation is an answer as explain --json prints it.
type explanation struct {
	Verdict string `json:"verdict"`
	Reason  string `json:"reason"`
	Rule    string `json:"rule"`
	Source  string `json:"source"`
	Nearest string `json:"nearest"`
	Hint    string `json:"hint"`

	// Of the rule or the nearest rule, if its profile is from a file. For a profile inside the
	// binary, Source says all, and the answer has the six keys alone.
	Provenance *profile.Provenance `json:"provenance,omitempty"`

	// Of the rule or the nearest rule, if it has an end.
	Expires string `json:"expires,omitempty"`

	page string // where the document was read
}

// explainAttempt returns the explanation of a decision by a configuration.
func explainAttempt(cfg *site.Config, a rules.Attempt, d rules.Decision) explanation {
	e := explanation{Verdict: d.Text(), Reason: d.Why().String(), Hint: rules.Hint(a, d)}
	if d.Rule != nil {
		e.Rule, e.Source = d.Rule.String(), rules.RuleSource(a, d)
	}
	if d.Nearest != nil {
		e.Nearest, e.Source = d.Nearest.String(), d.Nearest.Source()
	}
	for _, r := range []*rules.Rule{d.Rule, d.Nearest} {
		if r == nil {
			continue
		}
		e.Expires = rules.ExpiresText(r.Expires)
		p := profile.ProvenanceOf(cfg.Profiles, r)
		if e.page = p.Page(); r.Origin != "" {
			e.Provenance = p
		}
	}
	return e
}

// printExplanation writes an explanation for people.
func printExplanation(out io.Writer, cfg *site.Config, args []string, d rules.Decision, e explanation) {
	fmt.Fprint(out, e.Verdict)
	if e.Reason != "" {
		fmt.Fprint(out, ": ", e.Reason)
	}
	fmt.Fprintln(out)
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(out, "  %-8s %s\n", name, terminal.Printable(text))
		}
	}
	row("asked", strings.Join(args, " "))
	row("config", cfg.File)
	row("client", gateway.DescribeClient(d.Client))
	row("rule", e.Rule)
	if d.Rule != nil {
		row("purpose", d.Rule.Purpose)
	}
	row("nearest", e.Nearest)
	row("expires", expiryText(e.Expires))
	row("source", e.Source)
	row("document", e.page)
	if d.Reason != rules.ReasonNone {
		row("meaning", d.Why().Help())
	}
	row("hint", e.Hint)
}

// expiryText returns the end of a rule for people. A day ends in UTC; an instant has its zone.
func expiryText(expires string) string {
	if expires == "" || strings.Contains(expires, "T") {
		return expires
	}
	return "at the end of " + expires + " (UTC)"
}
