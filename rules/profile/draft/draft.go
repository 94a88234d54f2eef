// Draft: from the rows of tables to the rules of a profile.

package draft

import (
	"fmt"
	"strings"

	"sallyport/rules"
)

// Options hold what the document does not contain, or contains in a form that only
// people can read.
type Options struct {
	Name, Product  string
	File           string // name of the document's file, for the comments of the draft
	Title, Version string // of the document
	Released       string // date, YYYY-MM-DD
	URL            string
	Retrieved      string         // date, YYYY-MM-DD: when the document was read
	SHA256         string         // the hash of the document, in hexadecimal
	Language       string         // the language of the document, like "en"
	Role           string         // from: the role that opens these connections
	Columns        map[string]int // the number of the column, from 1, for each name of Columns
	Table          int            // the one table of the document that is read, from 1; 0: all tables
	Command        string         // the command line of the import, for the head of the draft
	Protocol       string         // "tcp", "udp" or "tcp,udp", for ports that have no protocol in the document
}

// Columns lists the columns that Options.Columns can name.
func Columns() []string {
	return []string{"host", "port", "protocol", "purpose", "note", "direction", "source"}
}

// A Draft is a profile that a person must still check.
type Draft struct {
	Options Options
	Rows    []Entry

	tables int // how many tables the document has
}

// An Entry is the result of one row of the document.
type Entry struct {
	Line    int // 0: not known
	Table   int // number of the table, from 1; 0: a list for machines
	Row     int // number of the row in its table, from 1
	Section string
	From    string // the role that opens the connections, if it is not the role of the import
	ID      string
	To      []string
	TCP     []string
	UDP     []string
	Purpose string
	Doubts  []string // if there are any, the entry is no rule
	Remarks []string // written as the rule's note
	Assumed string   // why its ports have a protocol that the row does not print; "": the row prints it
	Text    string   // the row's cells
	Extra   []string // "title: text" of the cells that are in no column that import knows

	Footnotes []string // the footnotes that its marks refer to
	Likely    Likely   // of an entry with doubts

	versionTexts []string // "row: " and a sentence that names a version

	title   bool // a cell across the whole table: there is no rule to propose
	inbound bool // the other side opens the connections: there is no rule to propose
}

// Likely is what a person probably writes for a row with doubts.
type Likely struct {
	To, TCP, UDP []string
	Left         []string // destinations that To does not have, as the document writes them
	Private      bool     // the document prints an address that only the site knows: a role
	Party        string   // the document names a party of the site: the name of a role for it
	Feature      string   // the condition that a feature may be; "": none
	Since, Until string   // versions, as a profile has them
	Split        *Likely  // a second rule, for some versions; nil: none
}

// Decided counts the entries that are rules.
func (d *Draft) Decided() int {
	n := 0
	for _, e := range d.Rows {
		if len(e.Doubts) == 0 {
			n++
		}
	}
	return n
}

// Remarked counts the rules that have a note from the import: something that the row says and
// a rule cannot.
func (d *Draft) Remarked() int {
	n := 0
	for _, e := range d.Rows {
		if len(e.Doubts) == 0 && len(e.Remarks) > 0 && !strings.HasPrefix(e.Remarks[0], noPurpose) {
			n++
		}
	}
	return n
}

// Assumed counts the rules whose protocol the row does not print.
func (d *Draft) Assumed() int {
	n := 0
	for _, e := range d.Rows {
		if len(e.Doubts) == 0 && e.Assumed != "" {
			n++
		}
	}
	return n
}

// New makes a draft of tables. Its entries are in the document's order.
func New(tables []Table, o Options) (*Draft, error) {
	given, err := parseProtocols(o.Protocol)
	if err != nil {
		return nil, err
	}
	if err := chooseTable(tables, o); err != nil {
		return nil, err
	}
	d := &Draft{Options: o, tables: len(tables)}
	for i, t := range tables {
		if o.Table != 0 && o.Table != i+1 {
			continue
		}
		cols := columnsOf(t.Header, o.Columns)
		for n, r := range t.Rows {
			if title := r.title(); title != "" {
				t.Heading = title // of the rows below it
				d.Rows = append(d.Rows, Entry{
					Line: r.Line, Table: i + 1, Row: n + 1, Section: t.Section, Purpose: title, Text: title, title: true,
					Doubts: append(r.Doubts, "one cell covers the whole row: a title of the rows below it, perhaps"),
				})
				continue
			}
			f := cols.of(r, given)
			if r.Loose && len(o.Columns) == 0 {
				f = cols.loose(r, given)
			}
			f.assumed = f.given == given && !given.none() && !f.printed
			e := d.entryOf(r, f, t)
			e.Table, e.Row = i+1, n+1
			d.Rows = append(d.Rows, e)
		}
	}
	d.nameRules()
	return d, nil
}

// parseProtocols reads the protocols for ports that have no protocol in the
// document.
func parseProtocols(s string) (protocols, error) {
	var p protocols
	for _, one := range strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ',' || r == '/' || r == ' ' }) {
		switch one {
		case "tcp":
			p.tcp = true
		case "udp":
			p.udp = true
		default:
			return p, fmt.Errorf("%q is not a protocol: tcp, udp, or both with a comma", one)
		}
	}
	return p, nil
}

// nameRules gives each entry an ID that no other entry has: the ID in the list, or
// else an ID made of its destinations. Rules come first, so that an entry with doubts
// does not change the ID of a rule.
func (d *Draft) nameRules() {
	used := map[string]bool{}
	for _, doubtful := range []bool{false, true} {
		for i := range d.Rows {
			if e := &d.Rows[i]; len(e.Doubts) > 0 == doubtful {
				e.name(used)
			}
		}
	}
}

// name gives an entry an ID that is not used yet.
func (e *Entry) name(used map[string]bool) {
	id := e.ID
	if id == "" {
		id = ruleID(idOf(orElse(e.To, e.Likely.To)))
	}
	if id == "" && !used[e.Likely.Party] {
		id = e.Likely.Party
	}
	if id == "" && e.Line > 0 {
		id = fmt.Sprintf("row-%d", e.Line)
	} else if id == "" {
		id = fmt.Sprintf("row-%d-%d", e.Table, e.Row)
	}
	base := id
	for n := 2; used[id]; n++ {
		id = fmt.Sprintf("%s-%d", base, n)
	}
	used[id], e.ID = true, id
}

// ruleID turns a text into a rule's ID: it replaces what an ID must not have by
// hyphens. "": nothing is left of it.
func ruleID(s string) string {
	id := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(s)), "-")
	id = strings.Trim(id[:min(len(id), maxID)], "-")
	if !rules.IsIdentifier(id) {
		return ""
	}
	return id
}

// maxID is how many letters ruleID keeps: an ID has at most 64, and a number may follow.
const maxID = 56
