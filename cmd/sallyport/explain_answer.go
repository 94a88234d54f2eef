// Answers of explain: a decision as text and as JSON.

package main

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

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

	// Of a name, if the client gets synthetic addresses.
	Synthetic *syntheticJSON `json:"synthetic,omitempty"`
	// The names of the parents that carry the flow, or "direct". A denial, and a configuration without
	// a parent, have no such key.
	Parent string `json:"parent,omitempty"`

	// "log" or "require", if the destination is permitted and DNSSEC must prove the addresses of its name.
	DNSSEC string `json:"dnssec,omitempty"`

	// Why the site knows and means the denial: a [[known]] covers it.
	Known string `json:"known,omitempty"`

	page string // where the document was read
	way  string // Parent for people
}

// A syntheticJSON is a name with the addresses by which the DNS filter answers the client.
type syntheticJSON struct {
	Name      string       `json:"name"`
	Addresses []netip.Addr `json:"addresses"`
}

// syntheticOf returns the synthetic addresses of the name that was asked about; nil if it has none
// for the client.
func syntheticOf(policy *rules.Policy, a rules.Attempt) *syntheticJSON {
	a.Via, a.QType, a.Dest = rules.ViaDNS, 1, netip.AddrPort{} // an A query: no port counts
	if !policy.Decide(a).Synthetic() {
		return nil
	}
	out := &syntheticJSON{Name: a.Authority.String()}
	v4, v6 := policy.SyntheticAddrs(a.Authority)
	for _, addr := range []netip.Addr{v6, v4} {
		if addr.IsValid() {
			out.Addresses = append(out.Addresses, addr)
		}
	}
	return out
}

// explainAttempt returns the explanation of a decision by a configuration.
func explainAttempt(cfg *site.Config, policy *rules.Policy, a rules.Attempt, d rules.Decision) explanation {
	e := explanation{Verdict: d.Text(), Reason: d.Why().String(), Hint: rules.Hint(a, d), Synthetic: syntheticOf(policy, a)}
	e.Parent, e.way = gateway.DescribeWay(policy, a, d)
	if route := d.Route(); d.Allowed() && (!route.ByName() || route.Direct(a.Target(), a.Dest.Addr())) { // otherwise a parent resolves the name
		e.DNSSEC = cfg.DNSSECFor(a.Authority)
	}
	if !d.Allowed() || d.Would {
		g := rules.Generation{Policy: policy}
		if k := g.Known(&a, &d, time.Now()); k != nil {
			e.Known = k.Text()
		}
	}
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
	if s := e.Synthetic; s != nil {
		row("answer", fmt.Sprintf("%s has the synthetic %s %s", s.Name, rules.Noun(len(s.Addresses), "address", "addresses"), strings.Trim(strings.Join(strings.Fields(fmt.Sprint(s.Addresses)), ", "), "[]")))
	}
	row("rule", e.Rule)
	if d.Rule != nil {
		row("purpose", d.Rule.Purpose)
	}
	row("way", e.way)
	row("nearest", e.Nearest)
	row("expires", expiryText(e.Expires))
	row("source", e.Source)
	row("document", e.page)
	if d.Reason != rules.ReasonNone {
		row("meaning", d.Why().Help())
	}
	row("hint", e.Hint)
	row("known", e.Known)
	row("dnssec", dnssecTexts[e.DNSSEC])
}

// dnssecTexts has what [dns] dnssec means for a permitted name.
var dnssecTexts = map[string]string{
	"log":     "if DNSSEC does not prove the addresses of the name, the connection is recorded as would_deny, dns_bogus",
	"require": "if DNSSEC does not prove the addresses of the name, the connection is denied as dns_bogus; preflight looks them up",
}

// expiryText returns the end of a rule for people. A day ends in UTC; an instant has its zone.
func expiryText(expires string) string {
	if expires == "" || strings.Contains(expires, "T") {
		return expires
	}
	return "at the end of " + expires + " (UTC)"
}
