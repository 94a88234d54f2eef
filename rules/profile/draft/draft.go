// Draft: from the rows of tables to the rules of a profile.

package draft

import (
	"fmt"
	"slices"
	"strings"

	"sallyport/rules"
)

// Options hold what the document does not contain, or contains in a form that only
// people can read.
type Options struct {
	Name, Product  string
	Title, Version string // of the document
	Released       string // date, YYYY-MM-DD
	URL            string
	Retrieved      string         // date, YYYY-MM-DD: when the document was read
	SHA256         string         // of the document, in hexadecimal
	Language       string         // of the document, like "en"
	Role           string         // from: the role that opens these connections
	Columns        map[string]int // "host", "port", "protocol", "purpose" → number of the column, from 1
	Protocol       string         // "tcp", "udp" or "tcp,udp": for ports that have no protocol in the document
}

// Columns lists the columns that Options.Columns can name.
func Columns() []string { return []string{"host", "port", "protocol", "purpose"} }

// A Draft is a profile that a person must still check.
type Draft struct {
	Options Options
	Rows    []Entry
}

// An Entry is the result of one row of the document.
type Entry struct {
	Line    int
	Section string
	ID      string
	To      []string
	TCP     []string
	UDP     []string
	Purpose string
	Doubts  []string // if there are any, the entry is no rule
	Remarks []string // written as the rule's note
	Text    string   // the row's cells
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

// New makes a draft of tables. Its entries are in the document's order.
func New(tables []Table, o Options) (*Draft, error) {
	given, err := parseProtocols(o.Protocol)
	if err != nil {
		return nil, err
	}
	for name, n := range o.Columns {
		if !slices.Contains(Columns(), name) || n < 1 {
			return nil, fmt.Errorf("columns: %s=%d: want NAME=NUMBER, NAME one of %v, NUMBER from 1", name, n, Columns())
		}
	}
	d := &Draft{Options: o}
	for _, t := range tables {
		cols := columnsOf(t.Header, o.Columns)
		for _, r := range t.Rows {
			if r.Loose && len(o.Columns) == 0 {
				d.add(r, cols.loose(r.Cells, given), t.Section)
			} else {
				d.add(r, cols.of(r.Cells, given), t.Section)
			}
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

// fields holds the texts of one row by their kind.
type fields struct {
	host, port, purpose string
	given               protocols
	doubts              []string
}

// add turns one row into an entry.
func (d *Draft) add(r Row, f fields, section string) {
	e := Entry{Line: r.Line, Section: section, Purpose: clean(f.purpose), Text: rowText(r.Cells), Doubts: f.doubts}
	to, ports := readDestinations(f.host), readPorts(f.port, f.given)
	if strings.TrimSpace(f.host) == "" {
		e.Doubts = append(e.Doubts, "the destination is missing: a merged cell, or a column that was not found")
	}
	if strings.TrimSpace(f.port) == "" && to.port != "" {
		ports = readPorts(to.port, protocols{tcp: true})
	} else if strings.TrimSpace(f.port) == "" {
		e.Doubts = append(e.Doubts, "the ports are missing: a merged cell, or a column that was not found")
	} else if to.port != "" && !slices.Contains(ports.tcp, to.port) {
		e.Doubts = append(e.Doubts, fmt.Sprintf("the destination says port %s, which is not among the ports", to.port))
	}
	e.To, e.TCP, e.UDP = to.to, ports.tcp, ports.udp
	e.Doubts = slices.Concat(e.Doubts, to.doubts, ports.doubts)
	e.Remarks = slices.Concat(to.remarks, ports.remarks)
	if len(e.Doubts) == 0 && (len(e.To) == 0 || ports.empty()) {
		e.Doubts = append(e.Doubts, "the row gives no destination or no port")
	}
	if e.Purpose == "" {
		e.Remarks = append(e.Remarks, "The row states no purpose: perhaps a merged cell.")
	}
	d.Rows = append(d.Rows, e)
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

// nameRules gives each entry an ID that no other entry has: the ID in the list, or
// else an ID made of its destinations.
func (d *Draft) nameRules() {
	used := map[string]bool{}
	for i := range d.Rows {
		e := &d.Rows[i]
		id := e.ID
		if id == "" {
			id = ruleID(idOf(e.To))
		}
		if id == "" {
			id = fmt.Sprintf("row-%d", e.Line)
		}
		base := id
		for n := 2; used[id]; n++ {
			id = fmt.Sprintf("%s-%d", base, n)
		}
		used[id], e.ID = true, id
	}
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
