// Write suggestions: the output of "sallyport denials suggest".

package text

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"sallyport/denials/journal"

	"sallyport/denials"
)

// suggestMost limits the groups of one answer, the largest first.
const suggestMost = 10_000

// printedMost limits the lines of one list in the output for people.
const printedMost = 100

// suggestionJSON is a suggestion as --json prints it.
type suggestionJSON struct {
	Cure       denials.Cure `json:"cure"`
	Count      uint64       `json:"count"`
	Client     string       `json:"client,omitempty"`
	Title      string       `json:"title,omitempty"`
	Where      string       `json:"where,omitempty"`
	TOML       string       `json:"toml,omitempty"`
	For        []string     `json:"for,omitempty"`
	Also       []string     `json:"also,omitempty"`
	Loses      []string     `json:"loses,omitempty"`
	Warnings   []string     `json:"warnings,omitempty"`
	Why        string       `json:"why,omitempty"`
	Source     string       `json:"source,omitempty"`
	Documented string       `json:"documented,omitempty"`
	Verified   bool         `json:"verified"`
	Asks       bool         `json:"asks,omitempty"` // only the attempt supports the change, so TOML is commented out
	Groups     []groupJSON  `json:"groups"`
}

type groupJSON struct {
	Key    string `json:"key"`
	Host   string `json:"host"`
	Port   uint16 `json:"port,omitempty"`
	Proto  string `json:"proto,omitempty"`
	QType  string `json:"qtype,omitempty"` // the type of a look-up that is never answered
	Client string `json:"client"`
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
	LastID string `json:"last_id"`
}

// WriteSuggest writes the changes that would permit the groups that the options
// select. The change for the most denials comes first. With Audit it covers the
// attempts that mode "audit" let through, and the best documented change comes
// first. With Whole it writes the whole configuration with all changes made.
func WriteSuggest(ctx context.Context, o Options, w io.Writer) (journal.Report, error) {
	if o.Audit {
		o.Filter = o.Filter.Audited()
	}
	q := o.query()
	q.Limit = suggestMost
	v, err := denials.Answer(ctx, q)
	if v == nil {
		return journal.Report{}, err
	}
	usual := 20
	if o.Audit || o.Whole {
		usual = 500
	}
	var list []*denials.Suggestion
	if o.AsKnown {
		list = o.Site.SuggestKnown(v.Groups, o.bounded(usual))
	} else {
		list = o.Site.Suggest(v.Groups, o.bounded(usual), o.Audit)
	}
	covered := 0
	for _, sg := range list {
		covered += len(sg.Groups)
	}
	if covered < len(v.Groups) {
		v.Report.Cut = fmt.Sprintf("the changes above are for %d of %d groups: -n -1 prints all", covered, len(v.Groups))
	}
	out := bufio.NewWriter(w)
	switch {
	case o.Whole:
		err = firstError(err, o.writeWhole(out, list))
	case o.JSON:
		for _, sg := range list {
			err = firstError(err, writeJSON(out, suggestionOf(sg)))
		}
	default:
		for _, sg := range list {
			writeSuggestion(out, sg, &o)
		}
		if len(list) == 0 && err == nil {
			_, _ = out.WriteString(o.nothing(v.Report))
		}
		if n := v.Matched - len(v.Groups); n > 0 {
			_, _ = fmt.Fprintf(out, "%d smaller groups were not examined\n", n)
		}
	}
	return v.Report, firstError(err, out.Flush())
}

// writeWhole writes the changed configuration. Site.Whole has compiled it.
func (o *Options) writeWhole(w io.Writer, list []*denials.Suggestion) error {
	text, err := o.Site.Whole(list)
	if err != nil {
		return fmt.Errorf("cannot write the whole configuration: %w", err)
	}
	_, err = w.Write(text)
	return err
}

func suggestionOf(sg *denials.Suggestion) suggestionJSON {
	j := suggestionJSON{Cure: sg.Cure, Count: sg.Count, Client: sg.Client, Title: sg.Title, Where: sg.Where, TOML: sg.TOML, For: sg.For, Also: sg.Also, Asks: sg.Asks,
		Loses: sg.Loses, Warnings: sg.Warnings, Why: sg.Why, Source: sg.Source, Documented: sg.Documented, Verified: sg.Verified}
	for _, g := range sg.Groups {
		j.Groups = append(j.Groups, groupJSON{g.Key(), g.Host, g.Port, g.Proto, g.QType, g.Client, g.Reason, g.Count, g.LastID})
	}
	return j
}

// writeSuggestion writes a suggestion for people: the facts, then the text to
// paste.
func writeSuggestion(w *bufio.Writer, sg *denials.Suggestion, o *Options) {
	title := sg.Title
	if title == "" {
		title = "nothing to change for " + sg.Client
	}
	head := string(sg.Cure) + ": " + journal.Visible(title)
	if o.Color {
		head = "\x1b[1m" + head + "\x1b[0m"
	}
	_, _ = w.WriteString(head + "\n")
	denied, audited := denials.Tallied(sg.Groups)
	if denied > 0 || audited == 0 {
		labelled(w, "denied", denials.Often(denied))
	}
	if audited > 0 {
		labelled(w, "audit", "let through "+denials.Often(audited))
	}
	for i, g := range sg.Groups {
		if i == 5 {
			labelled(w, "", fmt.Sprintf("and %d more", len(sg.Groups)-i))
			break
		}
		labelled(w, "", g.Where()+", "+denials.Tag(g.Reason, g.Verdict)+", "+denials.Who(g.ClientName, g.Client)+", last "+o.when(g.Last))
	}
	labelled(w, "source", sg.Source)
	labelled(w, "evidence", sg.Documented)
	labelled(w, "why", sg.Why)
	some(w, "for", sg.For)
	some(w, "also permits", sg.Also)
	some(w, "loses", sg.Loses)
	for _, t := range sg.Warnings {
		labelled(w, "warning", t)
	}
	switch {
	case sg.TOML == "":
	case o.AsKnown && sg.Verified:
		labelled(w, "tried", "covers all of this, and permits nothing; not applied")
	case sg.Verified:
		if len(sg.Also) == 0 {
			labelled(w, "also permits", "nothing else")
		}
		labelled(w, "tried", tried(sg))
	default:
		labelled(w, "tried", map[bool]string{true: "does NOT cover all of this: check it by hand", false: "does NOT permit all of this: check it by hand"}[o.AsKnown])
	}
	if sg.TOML != "" {
		labelled(w, "where", sg.Where)
		_, _ = w.WriteString("\n")
		indented(w, "    ", sg.TOML)
	}
	_, _ = w.WriteString("\n")
}

// tried returns the result of trying a suggestion.
func tried(sg *denials.Suggestion) string {
	if sg.Asks {
		return "would permit all of this once the # characters are removed; not applied"
	}
	return "permits all of this; not applied"
}

func some(w *bufio.Writer, label string, list []string) {
	for i, s := range list {
		if i == printedMost {
			labelled(w, "", fmt.Sprintf("and %d more: --json prints all", len(list)-i))
			return
		}
		if i > 0 {
			label = ""
		}
		labelled(w, label, s)
	}
}
