// Row: from one row of a table to an entry of the draft.

package draft

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fields holds the texts of one row by their kind.
type fields struct {
	host, port, purpose, note string
	direction, source         string
	titles                    string // titles of the columns
	extra                     []extra
	given                     protocols
	other                     string // ports of a second column
	second                    protocols
	doubts                    []string

	noHost, noPort, hasDirection, hasSource bool // which columns the table has

	printed bool // given is of a column or its title
	assumed bool // given is what the operator has said of the whole document
}

// An extra is a cell of a column that import does not know.
type extra struct{ title, text string }

// entryOf turns one row into an entry.
func (d *Draft) entryOf(r Row, f fields, t Table) Entry {
	e := Entry{Line: r.Line, Section: t.Section, Purpose: purposeOf(f.purpose), Text: rowText(r.Cells)}
	to := readDestinations(f.host)
	if f.given.none() && to.urls {
		f.given = protocols{tcp: true}
	}
	ports := readPorts(f.port, f.given)
	if !noPorts(f.other) {
		second := readPorts(f.other, f.second)
		if noPorts(f.port) {
			ports, f.port = second, f.other
		} else {
			ports.merge(second)
		}
	} else if f.other != "" && noPorts(f.port) {
		ports, f.port = portsCell{}, ""
	}
	way, inbound := f.directionDoubts(r.Cells, t.heading())
	e.inbound = inbound
	e.Doubts = slices.Concat(r.Doubts, way, refusals(r.Cells), f.doubts)
	if source := f.sourceDoubts(d.Options.Role); len(source) > 0 {
		e.Doubts, e.From = append(e.Doubts, source...), ruleID(f.source)
	}
	if strings.TrimSpace(f.host) == "" {
		e.Doubts = append(e.Doubts, missing("destination", "host", "Domain", f.noHost, r))
	}
	if strings.TrimSpace(f.port) == "" && to.port != "" {
		ports = readPorts(to.port, f.given)
	} else if strings.TrimSpace(f.port) == "" {
		e.Doubts = append(e.Doubts, missing("port", "port", "Port", f.noPort, r))
		ports.likelyTCP = defaultPorts(f.host)
	} else if to.port != "" && !slices.Contains(ports.tcp, to.port) {
		e.Doubts = append(e.Doubts, fmt.Sprintf("the destination says port %s, which is not among the ports", to.port))
	}
	if f.assumed && len(ports.bare) > 0 {
		e.Assumed = fmt.Sprintf("the row prints none for %s; --protocol %s", strings.Join(ports.bare, ", "), d.Options.Protocol)
	}
	e.To, e.TCP, e.UDP = to.to, ports.tcp, ports.udp
	e.Doubts = slices.Concat(e.Doubts, to.doubts, ports.doubts)
	e.Remarks = slices.Concat(to.remarks, ports.remarks)
	e.texts(r, f)
	e.conditions(f, t.heading())
	e.footnotes(r.Cells, t.Footnotes)
	if len(e.Doubts) == 0 && (len(e.To) == 0 || ports.empty()) {
		e.Doubts = append(e.Doubts, "the row gives no destination or no port")
	}
	e.Likely.To, e.Likely.Left, e.Likely.Private, e.Likely.Party = orElse(e.To, to.likely), to.left, to.private, to.party
	e.Likely.TCP, e.Likely.UDP = e.TCP, e.UDP
	if ports.empty() {
		e.Likely.TCP, e.Likely.UDP = ports.likelyTCP, ports.likelyUDP
	}
	e.fillIn(append(slices.Clone(e.Footnotes), r.Cells...))
	e.split()
	return e
}

// texts reads the cells that a rule has as text. Their marks count too: a row whose
// purpose is struck out is perhaps no row any more, and a footnote can have a condition.
func (e *Entry) texts(r Row, f fields) {
	for _, s := range append([]extra{{"", f.purpose}, {"", f.note}}, f.extra...) {
		_, marks := unmark(ordinals.Replace(s.text))
		e.Doubts = append(e.Doubts, marks...)
	}
	for _, x := range f.extra {
		if _, way := directionOf(x.text); way {
			continue // directionDoubts has read it
		}
		if one := x.title + ": " + clean(x.text); !slices.Contains(e.Extra, one) {
			e.Extra = append(e.Extra, one)
		}
	}
	if note := clean(f.note); note != "" {
		e.Remarks = append(e.Remarks, "The document notes: "+note)
	}
	switch {
	case e.Purpose != "":
	case r.Loose || r.Merged:
		e.Remarks = append(e.Remarks, noPurpose+": perhaps a merged cell.")
	default:
		e.Remarks = append(e.Remarks, noPurpose+".")
	}
}

// noPurpose begins the note of a rule whose row has no text about its purpose.
const noPurpose = "The row states no purpose"

// ordinals replaces the raised characters that texts have for themselves, and that are no
// footnote marks there.
var ordinals = strings.NewReplacer("º", "", "ª", "", "§", "", "½", "", "¼", "", "¾", "", "m²", "m2", "m³", "m3")

// purposeOf returns a purpose without marks, in one line.
func purposeOf(text string) string {
	if rest, marks := unmark(ordinals.Replace(text)); len(marks) > 0 && clean(rest) != "" {
		text = rest
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		switch line = clean(strings.TrimLeft(line, "•· ")); {
		case line == "":
			continue
		case b.Len() > 0 && strings.ContainsAny(b.String()[b.Len()-1:], ".;:,!?)"), b.Len() > 0 && !beginsSentence(line):
			b.WriteByte(' ')
		case b.Len() > 0:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// beginsSentence reports whether a line begins as a sentence does. Otherwise it goes on with the
// line above.
func beginsSentence(line string) bool {
	r, _ := utf8.DecodeRuneInString(line)
	return !unicode.IsLower(r) && unicode.IsLetter(r)
}

// refused are the words by which a table says that a row is no permission (any more).
var refused = []string{
	"deny", "denied", "block", "blocked", "drop", "reject", "rejected", "forbidden", "prohibited", "not allowed", "disallowed",
	"deprecated", "obsolete", "withdrawn", "removed", "retired", "no longer used", "not used", "unused", "end of life",
	"verboten", "blockiert", "gesperrt", "veraltet", "entfällt", "refusé", "interdit", "bloqué", "obsolète", "bloqueado", "obsoleto",
	"拒绝", "禁止", "阻止", "弃用", "已弃用", "废弃", "已废弃", "拒否",
}

// refusals returns a doubt for each cell that has such a word and nothing else.
func refusals(cells []string) []string {
	var doubts []string
	for _, c := range cells {
		c, _ = unmark(c)
		if c = clean(c); slices.Contains(refused, strings.ToLower(strings.Trim(c, ".!()"))) {
			doubts = appendNew(doubts, fmt.Sprintf("the row says %q", c))
		}
	}
	return doubts
}

// missing says why a row has no text in a column, and the cure.
func missing(kind, column, title string, noColumn bool, r Row) string {
	switch {
	case noColumn:
		return fmt.Sprintf("the %s is missing: no column has a title such as %q; number the column with --columns %s=NUMBER", kind, title, column)
	case r.Merged:
		return fmt.Sprintf("the %s is missing: a merged cell covers it", kind)
	case r.Loose:
		return fmt.Sprintf("the %s is missing: perhaps a merged cell, of which plain text keeps nothing", kind)
	}
	return fmt.Sprintf("the %s is missing: the cell is empty", kind)
}

// defaultPorts returns the port of a URL that names none (RFC 9110, section 4.2).
func defaultPorts(host string) []string {
	switch low := strings.ToLower(strings.TrimSpace(host)); {
	case strings.HasPrefix(low, "https://"):
		return []string{portHTTPS}
	case strings.HasPrefix(low, "http://"):
		return []string{portHTTP}
	}
	return nil
}

// orElse returns a list, or another one if it is empty.
func orElse(list, other []string) []string {
	if len(list) > 0 {
		return list
	}
	return other
}

// rowText joins the cells of a row, so that a person can find the row again.
func rowText(cells []string) string {
	var parts []string
	for _, c := range cells {
		if c = clean(c); c != "" {
			parts = append(parts, c)
		}
	}
	return strings.Join(parts, " | ")
}
