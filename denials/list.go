// List and Top: the answers of "sallyport denials list" and "top".

package denials

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Options say what a query shows and how.
type Options struct {
	Files  []string // as from Files
	Filter Filter   // Denied is implied where neither Verdict nor Event is set
	N      int      // at most this many; 0: 50 records, 20 groups; below 0: all
	JSON   bool     // one JSON object a line
	Color  bool
	Now    time.Time // for times of today; zero: full times

	Sort      string   // of groups: one of Sorts
	Offset    int      // leave out this many: the newest records, the first groups
	Cure      Cure     // only groups with this cure
	Site      *Site    // judges the cures; nil: by the reason alone. Suggest, replay and usage need it
	Progress  Progress // nil: nobody looks
	ID        string   // show: the record
	Audit     bool     // suggest: about what mode "audit" let through
	Whole     bool     // suggest: write the whole configuration
	Days      int      // usage: what counts as never used
	UsageFile string   // usage: as from UsagePath; "": none
}

// bounded returns the limit of the answer, 0: none.
func (o *Options) bounded(usual int) int {
	if o.N == 0 {
		return usual
	}
	return max(o.N, 0)
}

// filter returns the filter with what is implied.
func (o *Options) filter() Filter {
	f := o.Filter
	f.Denied = f.Denied || f.Verdict == "" && f.Event == ""
	return f
}

// List writes the last denials, the newest last.
func List(ctx context.Context, o Options, w io.Writer) (Report, error) {
	out := bufio.NewWriter(w)
	last := ring{max: o.bounded(50)}
	if last.max > 0 {
		last.max += max(o.Offset, 0)
	}
	var buf []byte
	q := o.query()
	rep, err := q.scan(ctx, func(r *Record) error {
		if last.max > 0 || o.Offset > 0 || !o.JSON {
			last.add(r)
			return nil
		}
		buf = r.Append(buf[:0])
		_, err := out.Write(buf)
		return err
	})
	last.drop(o.Offset)
	if o.JSON {
		for r := range last.all {
			buf = r.Append(buf[:0])
			_, _ = out.Write(buf) // Flush tells
		}
	} else {
		t := newTable(o.Color, "time", "client", "via", "destination", "reason", "count", "id", "why")
		for r := range last.all {
			t.row(o.when(r.Time), who(r.ClientName, r.Client), r.Via, where(r), cause(r), times(r.Count), r.ID(), why(r.Nearest, r.Hint, r.says()))
		}
		o.table(out, t, rep, err)
	}
	return rep, firstError(err, out.Flush())
}

// Top writes the groups with the most denials, the largest first.
func Top(ctx context.Context, o Options, w io.Writer) (Report, error) {
	out := bufio.NewWriter(w)
	q := o.query()
	q.Limit = o.bounded(20)
	v, err := Answer(ctx, q)
	if v == nil {
		return Report{}, err
	}
	rep, groups := v.Report, v.Groups
	if o.JSON {
		var buf []byte
		for _, g := range groups {
			buf = g.Append(buf[:0])
			_, _ = out.Write(buf)
		}
	} else {
		t := newTable(o.Color, "count", "destination", "client", "reason", "cure", "first", "last", "why")
		t.right = 1
		for _, g := range groups {
			t.row(strconv.FormatUint(g.Count, 10), g.where(), who(g.ClientName, g.Client),
				tag(g.Reason, g.Verdict), string(g.Cure), o.when(g.First), o.when(g.Last), why(g.Nearest, g.Hint, ""))
		}
		o.table(out, t, rep, err)
	}
	return rep, firstError(err, out.Flush())
}

// table writes t, or in words that it has no rows.
func (o *Options) table(w *bufio.Writer, t *table, rep Report, err error) {
	switch {
	case len(t.rows) > 1:
		t.write(w)
	case err == nil:
		_, _ = w.WriteString(o.nothing(rep))
	}
}

// nothing says that nothing was found, among how much, and where to look next.
func (o *Options) nothing(rep Report) string {
	f, read := o.filter(), rep.Lines-rep.Skipped
	if !f.Denied {
		return fmt.Sprintf("no record matches; %d were read\n", read)
	}
	what := "nothing was denied"
	if f.Denied = false; f != (Filter{}) {
		what = "nothing that matches was denied"
	}
	return fmt.Sprintf("%s; %d records were read\na permitted destination that cannot be reached is no denial: the log warns of it, and preflight tries them all\n", what, read)
}

// Append appends g as one line of JSON.
func (g *Group) Append(b []byte) []byte {
	l := line{b: append(b, `{"count":`...)}
	l.b = strconv.AppendUint(l.b, g.Count, 10)
	l.text("host", g.Host, capRaw)
	l.number("port", uint64(g.Port))
	l.text("proto", g.Proto, capText)
	l.text("client", g.Client, capText)
	l.text("client_name", g.ClientName, capText)
	l.text("verdict", g.Verdict, capText)
	l.text("reason", g.Reason, capText)
	l.text("first", g.First.Format(timeLayout), capText)
	l.text("last", g.Last.Format(timeLayout), capText)
	l.text("nearest", g.Nearest, capText)
	l.text("hint", g.Hint, capHint)
	l.text("cure", string(g.Cure), capText)
	l.text("last_id", g.LastID, capText)
	l.text("key", g.Key(), capText)
	return append(l.b, '}', '\n')
}

// firstError prefers the scan's error over the writer's.
func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// A ring keeps copies of the last max records, of all where max is 0.
type ring struct {
	max  int
	recs []Record
	at   int
}

func (g *ring) add(r *Record) {
	c := r.clone()
	if g.max == 0 || len(g.recs) < g.max {
		g.recs = append(g.recs, c)
		return
	}
	g.recs[g.at] = c
	g.at = (g.at + 1) % g.max
}

// drop leaves out the last n records.
func (g *ring) drop(n int) {
	if n <= 0 {
		return
	}
	var kept []Record
	for r := range g.all {
		kept = append(kept, *r)
	}
	g.recs, g.at = kept[:max(len(kept)-n, 0)], 0
}

// all yields the records, the oldest first.
func (g *ring) all(yield func(*Record) bool) {
	for i := range g.recs {
		if !yield(&g.recs[(g.at+i)%len(g.recs)]) {
			return
		}
	}
}
