// New: the output of "sallyport denials new", and the file that knows which denials were already
// read.

package text

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"sallyport/denials"
	"sallyport/denials/journal"
	"sallyport/rules"
)

// readOverlap is how long before the end of one reading the next one begins. The journal writes
// counted denials up to a few seconds late, so some denials of this time may not have been read.
const readOverlap = 10 * time.Second

// WriteNew writes the groups that began at o.New or later, the newest first. It says how many groups
// are older, and from which time on the journal could be compared. With o.NewFile it then saves the
// time up to which it has read.
func WriteNew(ctx context.Context, o Options, w io.Writer) (journal.Report, error) {
	out := bufio.NewWriter(w)
	q := o.query()
	q.Limit = o.bounded(0)
	v, err := denials.Answer(ctx, q)
	if v == nil {
		return journal.Report{}, err
	}
	v.Report.Cut = cut(len(v.Groups), v.Matched, "new groups")
	if o.JSON {
		for _, g := range v.Groups {
			err = firstError(err, writeJSON(out, topOf(g)))
		}
	} else {
		o.newTable(out, v, err)
	}
	if err = firstError(err, out.Flush()); err == nil && o.NewFile != "" {
		err = saveRead(o.NewFile, o.Now)
	}
	return v.Report, err
}

func (o *Options) newTable(out *bufio.Writer, v *denials.View, err error) {
	if len(v.Groups) > 0 {
		t := newTable(o.Color, "first", "count", "destination", "client", "reason", "cure", "last", knownColumn, "why")
		for _, g := range v.Groups {
			t.row(o.when(g.First), strconv.FormatUint(g.Count, 10), g.Where(), denials.Who(g.ClientName, g.Client),
				denials.Tag(g.Reason, g.Verdict), string(g.Cure), o.when(g.Last), g.Known, denials.Why(g.Nearest, g.Hint, ""))
		}
		t.drop(knownColumn)
		t.write(out)
	}
	if err != nil {
		return
	}
	if v.Totals.Denials == 0 {
		_, _ = out.WriteString(o.nothing(v.Report))
		return
	}
	_, _ = fmt.Fprintf(out, "%s since %s; %s before\n", rules.Counted(v.Matched, "new group", "new groups"), o.when(o.New), rules.Counted(v.Old, "group began", "groups began"))
	if v.Old == 0 {
		_, _ = fmt.Fprintf(out, "the first denial that was read is of %s: there is nothing older to compare with\n", o.when(v.Totals.First))
	}
	if v.Rest > 0 {
		_, _ = fmt.Fprintf(out, "%s no group, because there are too many groups: new ones may be among them; --client, --host or --than reads less at once\n",
			rules.Counted(v.Rest, "denial has", "denials have"))
	}
}

// LastRead returns the time from which the next reading must begin. The time is zero if the file does
// not exist yet.
func LastRead(path string) (time.Time, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(data)))
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w; remove the file to begin again", path, err)
	}
	return t.Add(-readOverlap), nil
}

func saveRead(path string, now time.Time) error {
	if err := journal.ReplaceFile(path, now.UTC().AppendFormat(nil, time.RFC3339Nano+"\n")); err != nil {
		return fmt.Errorf("the denials above will be shown again: %w; --state FILE names a file that you may write", err)
	}
	return nil
}
