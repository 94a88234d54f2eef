// Write: a draft as the text of a profile.

package draft

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"sallyport/rules"
)

// origin begins a profile that import has made. The sentence stays true when a person has decided
// each row, so that it can stay.
const origin = "imported from a document, row by row. A row without a decision is a comment, and permits nothing."

// CommandLine begins the comment with the command that made the draft. A merge compares the
// commands of two drafts.
const CommandLine = "# Import command: "

// TOML returns the draft as a profile. The text always parses: an entry with doubts is
// a comment, which begins with NOTE and lists what a person must decide.
func (d *Draft) TOML() []byte {
	var b bytes.Buffer
	o := d.Options
	fmt.Fprintf(&b, "# Profile: %s\n", origin)
	if o.Command != "" {
		fmt.Fprintf(&b, "%s%s\n", CommandLine, oneLine(o.Command))
	}
	fmt.Fprintf(&b, "# The import made %s of %s.\n", rules.Counted(d.Decided(), "rule", "rules"), rules.Counted(len(d.Rows), "row", "rows"))
	fmt.Fprintf(&b, "\nname    = %s\nproduct = %s\nroles   = [%s]\n\n[document]\ntitle     = %s\n", quote(o.Name), quote(o.Product), quote(o.Role), quote(o.Title))
	for _, kv := range [][2]string{{"version", o.Version}, {"url", o.URL}} {
		if kv[1] != "" {
			fmt.Fprintf(&b, "%-9s = %s\n", kv[0], quote(kv[1]))
		}
	}
	for _, kv := range [][2]string{{"released", o.Released}, {"retrieved", o.Retrieved}} {
		if kv[1] != "" {
			fmt.Fprintf(&b, "%-9s = %s\n", kv[0], kv[1])
		}
	}
	for _, kv := range [][2]string{{"sha256", o.SHA256}, {"language", o.Language}} {
		if kv[1] != "" {
			fmt.Fprintf(&b, "%-9s = %s\n", kv[0], quote(kv[1]))
		}
	}
	section := ""
	for _, e := range d.Rows {
		if e.Section != section {
			section = e.Section
			fmt.Fprintf(&b, "\n# Section %s\n", oneLine(section))
		}
		d.entry(&b, &e)
	}
	return b.Bytes()
}

// entry writes one entry. An entry with doubts is a comment as a whole, with the rule
// that a person probably writes.
func (d *Draft) entry(b *bytes.Buffer, e *Entry) {
	b.WriteByte('\n')
	if len(e.Doubts) == 0 {
		for _, x := range e.Extra {
			fmt.Fprintf(b, "# Also in the row: %s\n", oneLine(x))
		}
		if e.Assumed != "" {
			fmt.Fprintf(b, "# Protocol: %s\n", e.Assumed)
		}
		e.rule(b, "", d.Options.Role, Likely{To: e.To, TCP: e.TCP, UDP: e.UDP})
		return
	}
	fmt.Fprintf(b, "# NOTE: %s is no rule yet: %s.\n#   %s\n", d.where(e), oneLine(strings.Join(e.Doubts, "; ")), oneLine(e.Text))
	for _, f := range e.Footnotes {
		fmt.Fprintf(b, "#   %s\n", oneLine(f))
	}
	if e.Assumed != "" {
		fmt.Fprintf(b, "#   Protocol: %s\n", e.Assumed)
	}
	switch {
	case e.title:
		return
	case e.inbound:
		fmt.Fprintf(b, "#   proposal: no rule, because the other side opens the connection. If the other side is behind this gateway too, its role is from, and to is %s.\n", list([]string{"role:" + d.Options.Role}, true))
		return
	}
	from := d.Options.Role
	if e.From != "" {
		from = e.From
	}
	if e.Likely.Feature != "" {
		fmt.Fprintf(b, "# [[feature]]\n# name    = %s\n# meaning = %s\n#\n", quote(e.ID), quote(e.Likely.Feature))
	}
	e.rule(b, "# ", from, e.Likely)
	if second := e.Likely.Split; second != nil {
		other := *e
		other.ID += map[bool]string{true: "-new", false: "-old"}[second.Until == ""]
		b.WriteString("#\n")
		other.rule(b, "# ", from, *second)
	}
}

// rule writes a rule, or with a mark the rule that a person probably writes.
func (e *Entry) rule(b *bytes.Buffer, mark, from string, l Likely) {
	line := func(key, value string) { fmt.Fprintf(b, "%s%-7s = %s\n", mark, key, value) }
	fmt.Fprintf(b, "%s[[rule]]\n", mark)
	line("id", quote(e.ID))
	line("from", quote(from))
	to := destinationLine(l)
	if mark != "" && !strings.Contains(to, "#") && slices.ContainsFunc(l.To, func(s string) bool { return strings.HasPrefix(s, "*.") }) {
		to += " # a wildcard: name the hosts, or say in a note that the document prints it"
	}
	line("to", to)
	if len(l.TCP)+len(l.UDP) == 0 {
		line("tcp", "[] # the ports, as 443, \"8000-8010\"; udp = [] likewise")
	}
	if len(l.TCP) > 0 {
		line("tcp", list(l.TCP, false))
	}
	if len(l.UDP) > 0 {
		line("udp", list(l.UDP, false))
	}
	if l.Feature != "" {
		line("when", list([]string{strings.TrimSuffix(strings.TrimSuffix(e.ID, "-new"), "-old")}, true))
	}
	for _, version := range [][2]string{{"since", l.Since}, {"until", l.Until}} {
		if version[1] != "" {
			line(version[0], quote(version[1]))
		}
	}
	purpose := e.Purpose
	if purpose == "" {
		purpose = "not stated in the row"
	}
	line("purpose", quote(purpose))
	if len(e.Remarks) > 0 {
		line("note", quote(strings.Join(e.Remarks, " ")))
	}
	if e.Section != "" {
		line("section", quote(e.Section))
	}
}

// destinationLine writes the value of to, and behind it what the line does not have.
func destinationLine(l Likely) string {
	left := strings.Trim(list(l.Left, true), "[]")
	switch {
	case len(l.To) > 0 && len(l.Left) > 0:
		return list(l.To, true) + " # and " + left
	case len(l.To) > 0:
		return list(l.To, true)
	case l.Private:
		return "[] # as \"role:NAME\", with NAME in binds"
	case l.Party != "":
		return fmt.Sprintf("[\"role:%s\"] # if only the site knows its address: add %[1]q to binds, below roles", l.Party)
	case len(l.Left) > 0:
		return "[] # the names for " + left
	}
	return "[] # the names or addresses, as \"a.example\", \"192.0.2.0/24\""
}

// where says where an entry stands in the document.
func (d *Draft) where(e *Entry) string {
	of, table := "", ""
	if d.Options.File != "" {
		of = " of " + oneLine(d.Options.File)
	}
	if d.tables > 1 {
		table = fmt.Sprintf(", table %d,", e.Table)
	}
	switch {
	case e.Line > 0:
		return fmt.Sprintf("line %d%s%s", e.Line, of, table)
	case e.Table > 0:
		return fmt.Sprintf("row %d of table %d%s", e.Row, e.Table, of)
	}
	return "the entry " + e.ID
}

// list writes a TOML array. In a list of ports, a single port is a number and a range
// is a string.
func list(items []string, text bool) string {
	out := make([]string, len(items))
	for i, s := range items {
		if out[i] = s; text || strings.Contains(s, "-") {
			out[i] = quote(s)
		}
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// quote writes a TOML basic string. Control characters, which TOML forbids in
// such a string, become spaces.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(oneLine(s)) + `"`
}

// oneLine replaces the characters that would end a line or a comment, and those that a
// profile refuses: terminals obey them, or they turn the direction of writing.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}
