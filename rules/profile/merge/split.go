// Split: a profile's text as blocks of lines, so that a merge keeps the words, the order and the
// comments of the person who wrote them.

package merge

import (
	"regexp"
	"slices"
	"strings"

	"sallyport/rules"
	"sallyport/rules/profile"
)

// A file is a profile with its text in blocks.
type file struct {
	profile *rules.Profile
	blocks  []*block
	entries []*entry
}

// A kind says what a block is.
type kind int

const (
	gap kind = iota // blank lines and comments between the others
	top             // the keys before the first table
	document
	declared // a [[feature]] or a [[port]]
	ruleBlock
	noteBlock
)

// A block is some lines of the file.
type block struct {
	kind  kind
	lead  []string // the comments right above a table
	lines []string
	name  string // of a declared block: "feature cloud"
	note  rules.Note
}

// An entry is a rule, or a NOTE with the rule that it proposes.
type entry struct {
	*block
	rule    *rules.Rule // nil: a NOTE
	id      string
	from    string
	to      []string // in order
	ports   string
	purpose string
	words   string // all that it says, but for its id and its place
	reach   string // all that decides
	heading string // the comment "# Section …" above it
}

var (
	documentForm = regexp.MustCompile(`^\s*\[\s*document\s*\]`)
	sectionForm  = regexp.MustCompile(`^# Section .`)
	quotedForm   = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
	markForm     = regexp.MustCompile(`\[\^[^\]]*\]|(?m)^footnote \S+:`)
)

// split reads a profile, and divides its text.
func split(t Text) (*file, rules.Problems) {
	p, problems := profile.Read(t.File, t.Data)
	if problems.Err() != nil {
		return nil, problems
	}
	lines := strings.Split(strings.ReplaceAll(string(t.Data), "\r\n", "\n"), "\n")
	heads := map[int]*block{} // number of a table's first line -> its block
	byRule := map[*block]*rules.Rule{}
	for _, r := range p.Rules {
		b := &block{kind: ruleBlock}
		heads[r.Line-1], byRule[b] = b, r
	}
	for _, f := range p.Features {
		heads[f.Line-1] = &block{kind: declared, name: "feature " + f.Name}
	}
	for _, o := range p.Ports {
		heads[o.Line-1] = &block{kind: declared, name: "port " + o.Name}
	}
	for i := range heads {
		if i < 0 || i >= len(lines) || !strings.HasPrefix(strings.TrimSpace(lines[i]), "[[") {
			return nil, rules.Problems{{File: t.File, Line: i + 1, Text: "merge reads rules, features and ports that are tables, as [[rule]]"}}
		}
	}
	if i := slices.IndexFunc(lines, documentForm.MatchString); i >= 0 {
		heads[i] = &block{kind: document}
	} else {
		return nil, rules.Problems{{File: t.File, Line: 1, Text: "merge reads a document that is a table, as [document]"}}
	}
	notes := map[int]rules.Note{}
	for _, n := range p.Notes {
		notes[n.Line-1] = n
	}
	f := &file{profile: p, blocks: blocksOf(lines, heads, notes)}
	heading := ""
	for _, b := range f.blocks {
		switch b.kind {
		case gap:
			for _, line := range b.lines {
				if sectionForm.MatchString(line) {
					heading = line
				}
			}
		case ruleBlock:
			f.entries = append(f.entries, f.ruleEntry(b, byRule[b], heading))
		case noteBlock:
			f.entries = append(f.entries, noteEntry(b, heading))
		}
	}
	return f, nil
}

// blocksOf divides the lines. heads has the first line of each table, and notes the first line of
// each NOTE.
func blocksOf(lines []string, heads map[int]*block, notes map[int]rules.Note) (out []*block) {
	from := 0
	current := &block{kind: top}
	for i := 0; i <= len(lines); i++ {
		next := heads[i]
		if next == nil && i < len(lines) {
			continue
		}
		end := i // of the current table; behind it are blank lines and comments
		for end > from && isSpace(lines[end-1]) {
			end--
		}
		for end < i && strings.TrimSpace(lines[end]) != "" && notes[end].Line == 0 {
			end++ // comments right below the last key
		}
		lead := i // the first of the comments right above the next table
		for next != nil && lead > from && isComment(lines[lead-1]) {
			lead--
		}
		for n := lead; n < i; n++ {
			if notes[n].Line > 0 { // a NOTE and a table without a blank line between them
				lead = i
			}
		}
		end = min(end, lead)
		current.lines = append(current.lines, lines[from:end]...)
		out = append(append(out, current), gapBlocks(lines, end, lead, notes)...)
		if next == nil {
			break
		}
		next.lead, next.lines = lines[lead:i:i], lines[i:i+1:i+1]
		current, from = next, i+1
	}
	return out
}

// gapBlocks divides the lines between tables into NOTE blocks and the rest.
func gapBlocks(lines []string, from, to int, notes map[int]rules.Note) (out []*block) {
	current := &block{kind: gap}
	for i := from; i < to; i++ {
		next := current
		switch {
		case notes[i].Line > 0:
			next = &block{kind: noteBlock, note: notes[i]}
		case current.kind == noteBlock && !isComment(lines[i]):
			next = &block{kind: gap}
		}
		if next != current && len(current.lines) > 0 {
			out = append(out, current)
		}
		current = next
		current.lines = append(current.lines, lines[i])
	}
	if len(current.lines) > 0 {
		out = append(out, current)
	}
	return out
}

func isComment(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") }

func isSpace(line string) bool { return strings.TrimSpace(line) == "" || isComment(line) }

// ruleEntry returns the entry of a rule.
func (f *file) ruleEntry(b *block, r *rules.Rule, heading string) *entry {
	e := &entry{block: b, rule: r, id: r.ID, from: r.From, purpose: r.Purpose, heading: heading}
	for _, d := range r.To {
		e.to = append(e.to, d.String())
	}
	slices.Sort(e.to)
	e.ports = portsOf(f.profile, r)
	e.reach = reach(f.profile, r)
	e.words = strings.Join([]string{e.reach, r.Purpose, r.Section, r.Note}, "\x00")
	return e
}

// portsOf returns the ports of a rule as one text.
func portsOf(p *rules.Profile, r *rules.Rule) string {
	if r.Any {
		return "every protocol and port"
	}
	tcp, udp := p.DefaultPorts(r)
	named := slices.Sorted(slices.Values(slices.Concat(r.TCPNamed, r.UDPNamed)))
	var parts []string
	for _, one := range []struct{ name, ports string }{{"tcp ", tcp.String()}, {"udp ", udp.String()}, {"named ", strings.Join(named, ", ")}} {
		if one.ports != "" {
			parts = append(parts, one.name+one.ports)
		}
	}
	return strings.Join(parts, "; ")
}

// reach returns all of a rule that decides, as one text.
func reach(p *rules.Profile, r *rules.Rule) string {
	g := groups(p, r)
	return strings.Join([]string{g["from"], g["to"], g["ports"], g["local"], g["when"], g["versions"]}, "\x00")
}

// noteEntry returns the entry of a NOTE.
func noteEntry(b *block, heading string) *entry {
	n := b.note
	e := &entry{block: b, heading: heading}
	e.words = markForm.ReplaceAllString(strings.Join([]string{n.Row, n.Footnotes, n.Why, n.Rule}, "\x00"), "")
	for _, s := range segments(uncommented(b.lines)) {
		value := strings.Join(s.lines, "\n")
		_, value, _ = strings.Cut(value, "=")
		value, _, _ = strings.Cut(value, "#")
		var texts []string
		for _, m := range quotedForm.FindAllStringSubmatch(value, -1) {
			texts = append(texts, m[1])
		}
		one := strings.Join(texts, " ")
		switch s.key {
		case "id":
			if e.id != "" {
				return e // the first of several rules is enough to know the row
			}
			e.id = one
		case "from":
			e.from = one
		case "to":
			e.to = slices.Sorted(slices.Values(texts))
		case "tcp", "udp":
			e.ports += s.key + strings.TrimSpace(value) + " "
		case "purpose":
			e.purpose = one
		}
	}
	return e
}

// uncommented returns the lines of the rule that a NOTE proposes.
func uncommented(lines []string) (out []string) {
	for _, line := range lines {
		line = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "#"), " ")
		if strings.HasPrefix(line, "[[rule]]") || len(out) > 0 {
			out = append(out, line)
		}
	}
	return out
}
