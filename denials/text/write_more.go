// Write more: the output of "sallyport denials show", "tail", "replay" and "stats".

package text

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sallyport/denials/journal"

	"sallyport/denials"
	"sallyport/rules"
)

// WriteShow writes the record with the ID o.ID, field by field, and the other records
// of its flow.
func WriteShow(ctx context.Context, o Options, w io.Writer) (journal.Report, error) {
	r, flow, rep, err := denials.Find(ctx, o.Files, o.ID, o.Progress)
	if r == nil {
		return rep, err
	}
	out := bufio.NewWriter(w)
	if o.JSON {
		_, _ = out.Write(r.Append(nil))
		for i := range flow {
			_, _ = out.Write(flow[i].Append(nil))
		}
		return rep, firstError(err, out.Flush())
	}
	for _, f := range denials.Values(r) {
		_, _ = fmt.Fprintf(out, "%-13s %s\n", f.Name, journal.Visible(f.Text))
	}
	if len(flow) > 0 {
		_, _ = out.WriteString("\nother records of this flow:\n")
		t := newTable(o.Color, "id", "time", "event", "verdict", "destination", "reason", "detail")
		for i := range flow {
			f := &flow[i]
			t.row(f.ID(), o.when(f.Time), f.Event, f.Verdict, denials.Where(f), f.Reason, f.FullDetail())
		}
		t.write(out)
	}
	return rep, firstError(err, out.Flush())
}

// WriteTail writes denials as they happen, until ctx ends. It reads the first file of
// o, the journal.
func WriteTail(ctx context.Context, o Options, w io.Writer) (journal.Report, error) {
	var buf []byte
	last := 10
	if o.N != 0 {
		last = max(o.N, 0)
	}
	selects, err := o.filter().Matcher()
	if err != nil {
		return journal.Report{}, err
	}
	err = journal.Tail(ctx, journal.TailOptions{Path: o.Files[0], Select: selects, Last: last}, func(r *journal.Record) error {
		buf = buf[:0]
		if o.JSON {
			buf = r.Append(buf)
		} else {
			buf = fmt.Appendf(buf, "%s  %s  %s  %s  %s%s\n", o.when(r.Time), journal.Visible(denials.Who(r.ClientName, r.Client)), journal.Visible(r.Via), journal.Visible(denials.Where(r)),
				journal.Visible(denials.Cause(r)), spaced(denials.Repeated(r.Count))+spaced(journal.Visible(denials.Why(r.Nearest, r.Hint, r.FullDetail()))))
		}
		_, err := w.Write(buf)
		return err
	})
	return journal.Report{}, err
}

func spaced(s string) string {
	if s == "" {
		return ""
	}
	return "  " + s
}

// changedJSON is a changed decision as replay --json prints it. After the changes,
// replay prints a sumsJSON.
type changedJSON struct {
	Outcome string    `json:"outcome"`
	Count   uint64    `json:"count"`
	Host    string    `json:"host"`
	Port    uint16    `json:"port,omitempty"`
	Proto   string    `json:"proto,omitempty"`
	Client  string    `json:"client"`
	Name    string    `json:"client_name,omitempty"`
	Was     string    `json:"was"`
	Reason  string    `json:"was_reason,omitempty"`
	Verdict string    `json:"verdict"`
	New     string    `json:"reason,omitempty"`
	Rule    string    `json:"rule,omitempty"`
	Hint    string    `json:"hint,omitempty"`
	Last    time.Time `json:"last"`
	LastID  string    `json:"last_id"`
}

type sumsJSON struct {
	Decisions uint64 `json:"decisions"`
	Permitted uint64 `json:"newly_permitted"`
	Denied    uint64 `json:"newly_denied"`
	Unchanged uint64 `json:"unchanged"`
	Unknown   uint64 `json:"unknown"`
	Schema1   uint64 `json:"schema_1,omitempty"` // asked again by the destination only
}

// WriteReplay writes the recorded decisions that the site's configuration would
// change.
func WriteReplay(ctx context.Context, o Options, w io.Writer) (journal.Report, error) {
	q := o.query()
	q.Filter, q.Limit = o.Filter, o.bounded(40)
	p, err := denials.Replay(ctx, q)
	out := bufio.NewWriter(w)
	if o.JSON {
		for _, c := range p.Changes {
			err = firstError(err, writeJSON(out, changedJSON{c.Outcome, c.Count, c.Host, c.Port, c.Proto, c.Client, c.ClientName,
				c.Verdict, c.Reason, c.NewVerdict, c.NewReason, c.NewRule, c.NewHint, c.Last, c.LastID}))
		}
		err = firstError(err, writeJSON(out, sumsJSON{p.Decisions, p.Permitted, p.Denied, p.Unchanged, p.Unknown, p.Schema1}))
		return p.Report, firstError(err, out.Flush())
	}
	if len(p.Changes) > 0 {
		t := newTable(o.Color, "change", "count", "destination", "client", "was", "would be", "last", "by")
		for _, c := range p.Changes {
			t.row(c.Outcome, strconv.FormatUint(c.Count, 10), c.Where(), denials.Who(c.ClientName, c.Client),
				verdictText(c.Verdict, c.Reason), verdictText(c.NewVerdict, c.NewReason), o.when(c.Last), strings.Trim(c.NewRule+"; "+c.NewHint, "; "))
		}
		t.write(out)
		if p.Rest > 0 {
			_, _ = fmt.Fprintf(out, "and %d more changed decisions (-n shows more)\n", p.Rest)
		}
		_, _ = out.WriteString("\n")
	}
	_, _ = fmt.Fprintf(out, "%d decisions: %d newly permitted, %d newly denied, %d unchanged", p.Decisions, p.Permitted, p.Denied, p.Unchanged)
	if p.Unknown > 0 {
		_, _ = fmt.Fprintf(out, ", %d whose records have too little to ask again", p.Unknown)
	}
	_, _ = out.WriteString("\n")
	if p.Schema1 > 0 {
		_, _ = fmt.Fprintf(out, "%d of them are of schema 1: only their destination is recorded and judged\n", p.Schema1)
	}
	return p.Report, firstError(err, out.Flush())
}

func verdictText(verdict, reason string) string {
	if reason == "" {
		return verdict
	}
	return verdict + " " + reason
}

// WriteStats writes the totals of the denials.
func WriteStats(ctx context.Context, o Options, w io.Writer) (journal.Report, error) {
	v, err := denials.Answer(ctx, o.query())
	if v == nil {
		return journal.Report{}, err
	}
	out := bufio.NewWriter(w)
	t := &v.Totals
	lists := []struct {
		name   string
		counts []denials.Count
	}{
		{"reason", t.Reasons.Largest()}, {"cure", t.Cures.Largest()}, {"via", t.Vias.Largest()}, {"verdict", t.Verdicts.Largest()},
		{"client", t.Clients.Largest()}, {"profile", t.Profiles.Largest()}, {"hour", t.Hours.Sorted()},
	}
	if o.JSON {
		all := map[string]any{"denials": t.Denials, "groups": v.Matched}
		if t.Denials > 0 {
			all["first"], all["last"] = t.First, t.Last
		}
		for _, l := range lists {
			m := map[string]uint64{}
			for _, c := range l.counts {
				m[c.Text] = c.N
			}
			all[l.name] = m
		}
		err = firstError(err, writeJSON(out, all))
		return v.Report, firstError(err, out.Flush())
	}
	if t.Denials == 0 {
		if err == nil {
			_, _ = out.WriteString(o.nothing(v.Report))
		}
		return v.Report, firstError(err, out.Flush())
	}
	_, _ = fmt.Fprintf(out, "%s in %s, from %s to %s\n", rules.Counted(t.Denials, "denial", "denials"), rules.Counted(v.Matched, "group", "groups"), o.when(t.First), o.when(t.Last))
	for _, l := range lists {
		if l.name == "hour" {
			l.name = "hour (UTC)"
		}
		rows := newTable(o.Color, "count", l.name)
		rows.right = 1
		for _, c := range first(l.counts, o.bounded(48)) {
			rows.row(strconv.FormatUint(c.N, 10), orNone(c.Text))
		}
		_, _ = out.WriteString("\n")
		rows.write(out)
		if n := len(l.counts) - len(rows.rows) + 1; n > 0 {
			_, _ = fmt.Fprintf(out, "and %d more (-n shows more)\n", n)
		}
	}
	return v.Report, firstError(err, out.Flush())
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// first returns the first n counts, or all if n is 0.
func first(counts []denials.Count, n int) []denials.Count {
	if n > 0 && len(counts) > n {
		return counts[:n]
	}
	return counts
}
