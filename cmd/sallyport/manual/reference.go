// Reference: sallyport.toml(5), from configs/reference.toml. Every line of that
// file is on the page: tables as headings, keys as terms, comments as text.

package manual

import (
	"fmt"
	"strings"
)

// referencePage turns the reference into roff.
func referencePage(reference string, e Edition) string {
	p := &page{}
	fmt.Fprintf(&p.b, ".TH SALLYPORT.TOML 5 \"%s\" \"sallyport %s\" \"sallyport\"\n", e.Date.Format("Jan 2006"), e.Version)
	p.b.WriteString(".nh\n.ad l\n.SH NAME\nsallyport.toml \\- configuration of sallyport\n" +
		".SH SYNOPSIS\n.I /etc/sallyport/sallyport.toml\n.SH DESCRIPTION\n")
	head, rest, _ := strings.Cut(reference, "\n\n")
	_, head, _ = strings.Cut(head, "\n") // without the file's own title
	for line := range strings.Lines(head) {
		p.line(line)
	}
	p.flush()
	p.b.WriteString(".SH TOP LEVEL\n")
	for line := range strings.Lines(rest) {
		p.line(line)
	}
	p.flush()
	p.b.WriteString(".SH SEE ALSO\n.BR sallyport (1),\n.BR sallyport\\-check (1)\n")
	return p.b.String()
}

// A page is the roff text so far. It collects comment lines until the key or table
// that they describe.
type page struct {
	b    strings.Builder
	text []string
}

// line adds one line of the reference to the page.
func (p *page) line(line string) {
	line = strings.TrimRight(line, "\n")
	bare := strings.TrimPrefix(line, "#")
	switch {
	case line == "" || line == "#":
		p.flush()
	case strings.HasPrefix(line, "# "):
		p.text = append(p.text, bare[1:])
	case strings.HasPrefix(bare, "["):
		name, comment, _ := strings.Cut(bare, "#")
		text := p.text
		p.text = nil
		fmt.Fprintf(&p.b, ".SH %s\n", roff(strings.TrimSpace(name)))
		p.text = append(text, strings.TrimSpace(comment))
		p.flush()
	case strings.HasPrefix(strings.TrimSpace(line), "# "): // the comment beside the key above goes on
		p.fill([]string{strings.TrimPrefix(strings.TrimSpace(line), "# ")})
	default:
		p.key(line)
	}
}

// key writes a key as a term, with the comment above it and the comment beside
// it.
func (p *page) key(line string) {
	setting, comment, _ := strings.Cut(line, " # ")
	name, value, _ := strings.Cut(setting, "=")
	text := append(p.text, strings.TrimSpace(comment))
	p.text = nil
	fmt.Fprintf(&p.b, ".TP\n\\fB%s\\fR = %s\n", roff(strings.TrimSpace(name)), roff(strings.TrimSpace(value)))
	p.fill(text)
}

// flush writes the collected comment lines as a paragraph.
func (p *page) flush() {
	if strings.Join(p.text, "") != "" {
		p.b.WriteString(".PP\n")
	}
	p.fill(p.text)
	p.text = nil
}

// fill writes lines of text. An indented line of the text starts a new line on the
// page.
func (p *page) fill(text []string) {
	for _, t := range text {
		trimmed := strings.TrimSpace(t)
		if trimmed == "" {
			continue
		}
		if strings.HasPrefix(t, "  \"") || strings.HasPrefix(t, "\t") {
			p.b.WriteString(".br\n")
		}
		p.b.WriteString(roff(trimmed) + "\n")
	}
}

// roff escapes the characters that roff would interpret.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
