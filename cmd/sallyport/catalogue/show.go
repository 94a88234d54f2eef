// Show: a list of profiles, and one profile with its document and rules, as text.

package catalogue

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"sallyport/cmd/sallyport/terminal"
	"sallyport/rules"
	"sallyport/rules/profile"
)

// listProfiles writes a table of profiles, and which of them come from files.
func listProfiles(out io.Writer, profiles []*rules.Profile) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROFILE\tROLES\tFEATURES\tRULES\tDOCUMENT\tREVISION\tPRODUCT")
	for _, p := range profiles {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", p.Name, strings.Join(p.Roles, ", "), len(p.Features), len(p.Rules), day(p.Document), p.Revision, terminal.Printable(p.Product))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, p := range profiles {
		if p.Origin != "" {
			fmt.Fprintf(out, "%s is from %s: %s\n", p.Name, terminal.Printable(p.File), terminal.Printable(p.Origin))
		}
	}
	return nil
}

// day returns the date of a document; "-" if it is unknown.
func day(d rules.Document) string {
	switch {
	case d.Released != "":
		return d.Released
	case d.Retrieved != "":
		return d.Retrieved
	}
	return "-"
}

// oldText warns of an old document.
func oldText(p *rules.Profile, now time.Time) string {
	s := fmt.Sprintf("the document of %s is from %s (%s): look for a newer document", p.Name, day(p.Document), ago(p.Document, now))
	if p.Document.URL != "" {
		s += " at " + terminal.Printable(p.Document.URL)
	}
	return s
}

// ago returns the age of a document.
func ago(d rules.Document, now time.Time) string {
	days, known := profile.Age(d, now)
	const year, month = 365, 30
	switch {
	case !known:
		return "of unknown age"
	case days < 2*month:
		return fmt.Sprintf("%d days ago", max(days, 0))
	case days < 2*year:
		return fmt.Sprintf("%d months ago", days/month)
	}
	return fmt.Sprintf("%d years ago", days/year)
}

// showProfile writes a profile: its document, its roles, a table of its rules, and notes.
func showProfile(out io.Writer, p *rules.Profile, now time.Time) error {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%-9s %s\n", name+":", terminal.Printable(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(out, "%s: %s\n", p.Name, terminal.Printable(p.Product))
	document := p.Document.Title
	if p.Document.Version != "" {
		document += ", version " + p.Document.Version
	}
	if p.Document.Released != "" {
		document += fmt.Sprintf(", released %s (%s)", p.Document.Released, ago(p.Document, now))
	}
	row("document", "%s", document)
	if p.Document.URL != "" {
		row("url", "%s", p.Document.URL)
	}
	if read := readText(p.Document, now); read != "" {
		row("read", "%s", read)
	}
	if p.Document.Note != "" {
		row("note", "%s", p.Document.Note)
	}
	row("revision", "%s", p.Revision)
	if p.Origin != "" {
		row("file", "%s: %s", p.File, p.Origin)
	}
	row("roles", "%s (the first is the default)", strings.Join(p.Roles, ", "))
	if len(p.Wildcards) > 0 {
		row("wildcards", "%s (may be bound to *.names)", strings.Join(p.Wildcards, ", "))
	}
	if len(p.Binds) > 0 {
		row("parties", "%s (bound in [client.addresses] or [client.profile.addresses] as well)", strings.Join(p.Binds, ", "))
	}
	for _, f := range p.Features {
		row("feature", "%s: %s", f.Name, f.Meaning)
	}
	for _, port := range p.Ports {
		row("port", "%s, by default %d: %s", port.Name, port.Default, port.Meaning)
	}
	fmt.Fprintln(out)
	if err := showRules(out, p); err != nil {
		return err
	}
	showNotes(out, p)
	return nil
}

// showNotes writes the notes of the rules. A note of several rules is one line.
func showNotes(out io.Writer, p *rules.Profile) {
	var notes []string
	of := map[string][]string{}
	for _, r := range p.Rules {
		if r.Note != "" && of[r.Note] == nil {
			notes = append(notes, r.Note)
		}
		of[r.Note] = append(of[r.Note], r.ID)
	}
	if len(notes) > 0 {
		fmt.Fprintln(out, "\nnotes:")
	}
	for _, note := range notes {
		fmt.Fprintf(out, "  %s: %s\n", strings.Join(of[note], ", "), terminal.Printable(note))
	}
}

// readText says when the document was read, in which language, and the hash of what was read.
func readText(d rules.Document, now time.Time) string {
	var parts []string
	if d.Retrieved != "" {
		when := d.Retrieved
		if d.Released == "" {
			when += " (" + ago(d, now) + ")"
		}
		parts = append(parts, when)
	}
	if d.Language != "" {
		parts = append(parts, "language "+d.Language)
	}
	if d.SHA256 != "" {
		parts = append(parts, "sha256 "+d.SHA256)
	}
	return strings.Join(parts, ", ")
}

// showRules writes a table of the rules of a profile.
func showRules(out io.Writer, p *rules.Profile) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tFROM\tTO\tPORTS\tSECTION\tONLY\tPURPOSE")
	for _, r := range p.Rules {
		for i, d := range r.To {
			if i > 0 {
				fmt.Fprintf(w, "\t\t%s\t\t\t\t\n", d)
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.From, d, portsText(p, r), terminal.Printable(r.Section), conditionText(r), terminal.Printable(r.Purpose))
		}
	}
	return w.Flush()
}

// portsText returns the ports of a rule.
func portsText(p *rules.Profile, r *rules.Rule) string {
	if r.Any {
		return "every protocol and port"
	}
	return strings.Join(rules.ProtoPorts(p.DefaultPorts(r)), "; ")
}

// conditionText returns the conditions of a rule.
func conditionText(r *rules.Rule) string {
	var parts []string
	if r.Local {
		parts = append(parts, "on one host")
	}
	if len(r.When) > 0 {
		parts = append(parts, "with "+strings.Join(r.When, " and "))
	}
	if r.Since != "" {
		parts = append(parts, "since "+r.Since)
	}
	if r.Until != "" {
		parts = append(parts, "below "+r.Until)
	}
	return strings.Join(parts, ", ")
}
