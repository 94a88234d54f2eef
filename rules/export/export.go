// Package export writes the policy of one client for other enforcers: proxies,
// resolvers, packet filters, browsers. An export permits what the policy permits, and
// lists every difference: what the format cannot express, and what the format permits
// in addition.
package export

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"sallyport/rules"
)

// A Format is the name of a format that a policy can be written in.
type Format string

// The formats.
const (
	Squid   Format = "squid"
	Unbound Format = "unbound"
	RPZ     Format = "rpz"
	NFT     Format = "nft"
	EDL     Format = "edl"
	Cilium  Format = "cilium"
	PAC     Format = "pac"
	CSV     Format = "csv"
)

// Formats returns every format.
func Formats() []Format { return []Format{Squid, Unbound, RPZ, NFT, EDL, Cilium, PAC, CSV} }

// A Difference is one way in which an export differs from the policy.
type Difference struct {
	Wider bool     // the export permits more; otherwise it permits less
	What  string   // one sentence without a full stop
	Rules []string // the rules concerned, profile/id; empty: the whole export
}

// text returns the difference without its rules.
func (d Difference) text() string {
	if d.Wider {
		return "wider: " + d.What
	}
	return "left out: " + d.What
}

// String returns the difference on one line, with at most eight rules.
func (d Difference) String() string {
	s := d.text()
	const most = 8
	switch n := len(d.Rules); {
	case n == 0:
	case n <= most:
		s += " (" + strings.Join(d.Rules, ", ") + ")"
	default:
		s += fmt.Sprintf(" (%s and %d more)", strings.Join(d.Rules[:most], ", "), n-most)
	}
	return s
}

// Options are the choices that only some formats have.
type Options struct {
	Proxy     string // PAC: HOST:PORT of the proxy for permitted destinations; "": connect directly
	Addresses bool   // EDL: the list of addresses instead of the list of names
}

// A kind is how one format is written.
type kind struct {
	about   string // what the format can say
	comment string // what a line of comment begins with; "" if the format has no comments
	sources bool   // it can restrict the policy to the sources of the client
	write   func(*sheet)
}

// kindOf returns how a format is written.
func kindOf(f Format) (kind, bool) {
	switch f {
	case Squid:
		return kind{"squid.conf: names, wildcards, addresses, TCP ports, sources", "#", true, writeSquid}, true
	case Unbound:
		return kind{"unbound.conf: look-ups of names and wildcards, sources", "#", true, writeUnbound}, true
	case RPZ:
		return kind{"response policy zone: look-ups of names and wildcards", ";", false, writeRPZ}, true
	case NFT:
		return kind{"nftables ruleset: addresses, TCP and UDP ports, sources", "#", true, writeNFT}, true
	case EDL:
		return kind{"external dynamic list: names and wildcards, or addresses", "#", false, writeEDL}, true
	case Cilium:
		return kind{"CiliumNetworkPolicy: names, wildcards, addresses, TCP and UDP ports", "#", false, writeCilium}, true
	case PAC:
		return kind{"proxy auto-configuration: names, wildcards, addresses, TCP ports", "//", false, writePAC}, true
	case CSV:
		return kind{"table: everything", "", true, writeCSV}, true
	}
	return kind{}, false
}

// Says returns what a format can say, in a few words.
func (f Format) Says() string {
	k, _ := kindOf(f)
	return k.about
}

// Write writes a policy in a format, and returns every difference between the two.
func Write(w io.Writer, f Format, p *Policy, o Options) ([]Difference, error) {
	k, ok := kindOf(f)
	if !ok {
		return nil, fmt.Errorf("there is no format %q", f)
	}
	s := &sheet{p: p, kind: k, options: o, diffs: slices.Clone(p.Left)}
	if p.Everyone && k.sources {
		s.wider(nil, "no sources are known: every client may use it; restrict it to the product's own addresses, or export with --config")
	}
	k.write(s)
	s.expiring(f)
	diffs := s.differences()
	head := s.head(f, diffs)
	if _, err := w.Write(head); err != nil {
		return nil, err
	}
	_, err := w.Write(s.body.Bytes())
	return diffs, err
}

// A sheet is an export that is being written.
type sheet struct {
	kind
	p       *Policy
	options Options
	body    bytes.Buffer
	diffs   []Difference
	said    *rules.Grant // the rule of the last comments
}

// linef writes one line of the body.
func (s *sheet) linef(format string, args ...any) { fmt.Fprintf(&s.body, format+"\n", args...) }

// left notes something that a rule permits and the export does not permit.
func (s *sheet) left(g *rules.Grant, format string, args ...any) {
	s.diffs = append(s.diffs, Difference{What: fmt.Sprintf(format, args...), Rules: []string{g.Rule.String()}})
}

// wider notes something that the export permits and the policy denies. g is the rule
// concerned, or nil if the whole export is.
func (s *sheet) wider(g *rules.Grant, format string, args ...any) {
	d := Difference{Wider: true, What: fmt.Sprintf(format, args...)}
	if g != nil {
		d.Rules = []string{g.Rule.String()}
	}
	s.diffs = append(s.diffs, d)
}

// expiring notes the rules with an expiry date: they end in the policy, but not in the
// export.
func (s *sheet) expiring(f Format) {
	if f == CSV {
		return // the table has a column with the expiry date
	}
	for i := range s.p.Rules {
		if end := s.p.Rules[i].Rule.Expires; !end.IsZero() {
			s.wider(&s.p.Rules[i], "the rule ends at %s, but the export does not: export again at that time", end.UTC().Format("2006-01-02 15:04 UTC"))
		}
	}
}

// differences joins equal differences of several rules. What is wider comes first.
func (s *sheet) differences() []Difference {
	var out []Difference
	for _, d := range s.diffs {
		i := slices.IndexFunc(out, func(o Difference) bool { return o.Wider == d.Wider && o.What == d.What })
		if i < 0 {
			out = append(out, d)
			out[len(out)-1].Rules = slices.Clone(d.Rules)
			continue
		}
		for _, r := range d.Rules {
			if n := len(out[i].Rules); n == 0 || out[i].Rules[n-1] != r {
				out[i].Rules = append(out[i].Rules, r)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Difference) int {
		rank := map[bool]int{true: 0, false: 1}
		return cmp.Compare(rank[a.Wider], rank[b.Wider])
	})
	return out
}

// head returns the comment at the top: what the export is, from which documents, and
// how it differs from the policy.
func (s *sheet) head(f Format, diffs []Difference) []byte {
	if s.comment == "" {
		return nil
	}
	var b bytes.Buffer
	line := func(format string, args ...any) {
		commentf(&b, s.comment+" ", format, args...)
	}
	line("%s", s.p.Title)
	line("written by sallyport profiles export --as %s (%s)", f, s.about)
	for _, d := range s.p.documents() {
		line("document: %s", d)
	}
	if len(diffs) == 0 {
		line("this export has the whole policy, and nothing more")
	}
	for _, d := range diffs {
		line("%s", d.text())
		for some := range slices.Chunk(d.Rules, 4) {
			fmt.Fprintf(&b, "%s   %s\n", s.comment, strings.Join(some, ", "))
		}
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// source writes the comments that say where a rule comes from, unless the last comments
// already say it.
func (s *sheet) source(indent string, g *rules.Grant) {
	if s.said == g {
		return
	}
	s.said = g
	r := g.Rule
	purpose := r.Purpose
	if r.Document == nil {
		purpose = r.Reason
	}
	begin := indent + s.comment + " "
	commentf(&s.body, begin, "%s: %s", r, purpose)
	if r.Document != nil {
		commentf(&s.body, begin+"  ", "%s", r.Source())
	}
	if r.Note != "" {
		commentf(&s.body, begin+"  ", "note: %s", r.Note)
	}
}
