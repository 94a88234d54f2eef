// List: the output of "sallyport denials list" and "top".

package text

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"sallyport/denials/journal"

	"sallyport/denials"
)

// Options describe a query and its output.
type Options struct {
	Files  []string       // as journal.Files returns them
	Filter denials.Filter // Denied is implied if neither Verdict nor Event is set
	N      int            // at most this many; 0: the command's default; below 0: all
	JSON   bool           // one JSON object per line
	Color  bool
	Now    time.Time // times of today are shown short; zero: all times in full

	New       time.Time        // new: groups that began before this time are left out
	NewFile   string           // new: the file with the time up to which the denials were read last; "": none
	Sort      string           // order of groups: one of Sorts
	Offset    int              // leave out this many newest records or first groups
	Cure      denials.Cure     // only groups with this cure
	Site      *denials.Site    // judges the cures; nil: the reason alone decides. Suggest, replay and usage need it
	Progress  journal.Progress // nil: no reports
	ID        string           // show: the ID of the record
	AsKnown   bool             // suggest: [[known]] tables instead of changes that permit
	Audit     bool             // suggest: for the attempts that mode "audit" let through
	Whole     bool             // suggest: write the whole configuration
	Days      int              // usage: a rule without use for this long counts as never used
	UsageFile string           // usage: the file with the counts of the gateway; "": none
	Config    string           // usage: the name of the configuration, as the counts have it
}

// bounded returns the limit of rows; 0: none.
func (o *Options) bounded(usual int) int {
	if o.N == 0 {
		return usual
	}
	return max(o.N, 0)
}

// filter returns the filter with the implied conditions.
func (o *Options) filter() denials.Filter {
	f := o.Filter
	f.Denied = f.Denied || f.Verdict == "" && f.Event == ""
	return f
}

// List writes the latest denials, newest last.
func List(ctx context.Context, o Options, w io.Writer) (journal.Report, error) {
	out := bufio.NewWriter(w)
	most := o.bounded(50)
	if most > 0 {
		most += max(o.Offset, 0)
	}
	last := journal.NewRing(most)
	var buf []byte
	selected := 0
	q := o.query()
	rep, err := q.Scan(ctx, func(r *journal.Record) error {
		selected++
		if most > 0 || o.Offset > 0 || !o.JSON {
			last.Add(r)
			return nil
		}
		buf = r.Append(buf[:0])
		_, err := out.Write(buf)
		return err
	})
	last.Drop(o.Offset)
	if most > 0 || o.Offset > 0 {
		rep.Cut = cut(last.Len(), selected, "records")
	}
	if o.JSON {
		for r := range last.All {
			buf = r.Append(buf[:0])
			_, _ = out.Write(buf) // Flush returns its error
		}
	} else {
		t := newTable(o.Color, "time", "client", "via", "destination", "reason", "count", "id", knownColumn, "why")
		for r := range last.All {
			t.row(o.when(r.Time), denials.Who(r.ClientName, r.Client), r.Via, denials.Where(r), denials.Cause(r), denials.Repeated(r.Count), r.ID(), r.Known, why(r))
		}
		o.table(out, t, rep, err)
	}
	return rep, firstError(err, out.Flush())
}

// cut says how much of an answer is printed; "" if all of it is.
func cut(shown, all int, what string) string {
	if shown >= all {
		return ""
	}
	return fmt.Sprintf("%d of %d %s are printed: -n -1 prints all", shown, all, what)
}

// knownColumn is the column with the reasons why denials are known. A table without one has no such
// column.
const knownColumn = "known"

// why explains a record: a denial by its hint, a permitted attempt by its rule.
func why(r *journal.Record) string {
	text := denials.Why(r.Nearest, r.Hint, r.FullDetail())
	switch {
	case r.Rule == "" || r.Verdict == journal.VerdictDeny:
		return text
	case text == "":
		return "by " + r.Rule
	}
	return "by " + r.Rule + ": " + text
}

// Top writes the groups with the most denials, largest first.
func Top(ctx context.Context, o Options, w io.Writer) (journal.Report, error) {
	out := bufio.NewWriter(w)
	q := o.query()
	q.Limit = o.bounded(20)
	v, err := denials.Answer(ctx, q)
	if v == nil {
		return journal.Report{}, err
	}
	rep, groups := v.Report, v.Groups
	rep.Cut = cut(len(groups), v.Matched, "groups")
	if o.JSON {
		for _, g := range groups {
			err = firstError(err, writeJSON(out, topOf(g)))
		}
	} else {
		t := newTable(o.Color, "count", "destination", "client", "reason", "cure", "first", "last", knownColumn, "why")
		t.right = 1
		for _, g := range groups {
			t.row(strconv.FormatUint(g.Count, 10), g.Where(), denials.Who(g.ClientName, g.Client),
				denials.Tag(g.Reason, g.Verdict), string(g.Cure), o.when(g.First), o.when(g.Last), g.Known, denials.Why(g.Nearest, g.Hint, ""))
		}
		o.table(out, t, rep, err)
	}
	return rep, firstError(err, out.Flush())
}

// table writes t, or a sentence if t has no rows.
func (o *Options) table(w *bufio.Writer, t *table, rep journal.Report, err error) {
	switch {
	case len(t.rows) > 1:
		t.drop(knownColumn)
		t.write(w)
	case err == nil:
		_, _ = w.WriteString(o.nothing(rep))
	}
}

// nothing returns the sentence for an empty result: how many records were read,
// and where to look next.
func (o *Options) nothing(rep journal.Report) string {
	f, read := o.filter(), rep.Lines-rep.Skipped
	if !f.Denied && f.Verdict == journal.VerdictAllow {
		return fmt.Sprintf("no record matches; %d were read\npermitted attempts are recorded only if [journal] flows names a file for them; to read that file itself: --file FILE\n", read)
	}
	if !f.Denied {
		return fmt.Sprintf("no record matches; %d were read\n", read)
	}
	what := "nothing was denied"
	f.Denied, f.Table = false, nil
	if f.Known == denials.KnownNo {
		f.Known = denials.KnownAll
	}
	if f != (denials.Filter{}) {
		what = "no denial matches"
	} else if rep.Known > 0 {
		what = "nothing was denied but what is known"
	}
	return fmt.Sprintf("%s; %d records were read\na permitted destination that cannot be reached is not a denial: the log warns about it, and preflight tries every permitted destination\n", what, read)
}

// topJSON is a group as top --json prints it.
type topJSON struct {
	Count      uint64       `json:"count"`
	Host       string       `json:"host,omitempty"`
	Port       uint16       `json:"port,omitempty"`
	Proto      string       `json:"proto,omitempty"`
	Client     string       `json:"client,omitempty"`
	ClientName string       `json:"client_name,omitempty"`
	Verdict    string       `json:"verdict,omitempty"`
	Reason     string       `json:"reason,omitempty"`
	First      string       `json:"first"`
	Last       string       `json:"last"`
	Nearest    string       `json:"nearest,omitempty"`
	Hint       string       `json:"hint,omitempty"`
	Cure       denials.Cure `json:"cure,omitempty"`
	Known      string       `json:"known,omitempty"`
	LastID     string       `json:"last_id"`
	Key        string       `json:"key"`
}

func topOf(g *denials.Group) topJSON {
	return topJSON{g.Count, g.Host, g.Port, g.Proto, g.Client, g.ClientName, g.Verdict, g.Reason,
		g.First.UTC().Format(journal.TimeLayout), g.Last.UTC().Format(journal.TimeLayout), g.Nearest, g.Hint, g.Cure, g.Known, g.LastID, g.Key()}
}

// firstError returns the scan's error if there is one, otherwise the writer's.
func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
