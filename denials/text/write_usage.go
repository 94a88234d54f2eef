// Write usage: the output of "sallyport denials usage".

package text

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"time"

	"sallyport/denials"
	"sallyport/denials/journal"
	"sallyport/rules"
)

// ruleUseJSON is the use of a rule as usage --json prints it.
type ruleUseJSON struct {
	Client  string     `json:"client"`
	Rule    string     `json:"rule"`
	Used    bool       `json:"used"` // within o.Days
	Count   uint64     `json:"count"`
	Lookups uint64     `json:"lookups,omitempty"`
	First   *time.Time `json:"first,omitempty"`
	Last    *time.Time `json:"last,omitempty"`
	Expires string     `json:"expires,omitempty"`
	Purpose string     `json:"purpose,omitempty"`
	Source  string     `json:"source,omitempty"`
}

// WriteUsage writes the rules in force: first the rules in use, the latest use
// first, then the rules that permitted nothing in o.Days days. The counts come
// from the gateway, at UsageFile, and from the journals of permitted flows in
// o.Files.
func WriteUsage(ctx context.Context, o Options, w io.Writer) (journal.Report, error) {
	var st journal.UsageState
	var rep journal.Report
	var err error
	if o.UsageFile != "" {
		if st, err = journal.ReadUsage(o.UsageFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return rep, err
		}
		err = nil
	}
	if len(o.Files) > 0 {
		q := o.query()
		q.Filter.Denied = false
		rep, err = denials.AddFlows(ctx, &st, q)
	}
	if st.Since.IsZero() && err == nil {
		return rep, errors.New("there are no counts yet: the gateway counts while it runs, and saves the counts every minute")
	}
	since := o.Now.AddDate(0, 0, -o.Days)
	list := o.Site.Used(st)
	slices.SortStableFunc(list, func(a, b denials.RuleUse) int {
		if x, y := a.Never(since), b.Never(since); x != y {
			return map[bool]int{true: 1, false: -1}[x]
		}
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(b.Count, a.Count))
	})
	out := bufio.NewWriter(w)
	if o.JSON {
		for i := range list {
			err = firstError(err, writeJSON(out, ruleUseOf(&list[i], since)))
		}
		return rep, firstError(err, out.Flush())
	}
	o.usageTables(out, list, since)
	_, _ = fmt.Fprintf(out, "\ncounted since %s", o.when(st.Since))
	if st.Since.After(since) {
		_, _ = fmt.Fprintf(out, ", which is less than %d days: too early to call a rule unused", o.Days)
	}
	if st.Config != "" && o.Config != "" && st.Config != o.Config {
		_, _ = fmt.Fprintf(out, "\nthe counts are of a gateway with another configuration, %s, and not of %s", journal.Visible(st.Config), journal.Visible(o.Config))
	}
	_, _ = out.WriteString("\n")
	return rep, firstError(err, out.Flush())
}

// usageTables writes a table of the rules in use and a table of the others.
func (o *Options) usageTables(out *bufio.Writer, list []denials.RuleUse, since time.Time) {
	used := newTable(o.Color, "count", "look-ups", "last", "first", "client", "rule", "purpose")
	used.right = 2
	never := newTable(o.Color, "last", "look-ups", "client", "rule", "expires", "purpose")
	for _, u := range list {
		if !u.Never(since) {
			used.row(strconv.FormatUint(u.Count, 10), strconv.FormatUint(u.Lookups, 10), o.when(u.Last), o.when(u.First), u.Client, u.Rule, cmp.Or(u.Purpose, u.Source))
			continue
		}
		last := "never"
		if !u.Last.IsZero() {
			last = o.when(u.Last)
		}
		never.row(last, strconv.FormatUint(u.Lookups, 10), u.Client, u.Rule, withZone(rules.ExpiresText(u.Expires)), cmp.Or(u.Purpose, u.Source))
	}
	if len(used.rows) > 1 {
		used.write(out)
	}
	if n := len(never.rows) - 1; n > 0 {
		if len(used.rows) > 1 {
			_, _ = out.WriteString("\n")
		}
		_, _ = fmt.Fprintf(out, "%d of %d rules in force permitted nothing in %d days:\n", n, len(list), o.Days)
		never.write(out)
	}
}

// withZone adds UTC to a date. A date-time has its zone.
func withZone(date string) string {
	if len(date) != len(time.DateOnly) {
		return date
	}
	return date + " UTC"
}

func ruleUseOf(u *denials.RuleUse, since time.Time) ruleUseJSON {
	j := ruleUseJSON{Client: u.Client, Rule: u.Rule, Used: !u.Never(since), Count: u.Count, Lookups: u.Lookups,
		Expires: rules.ExpiresText(u.Expires), Purpose: u.Purpose, Source: u.Source}
	if !u.Last.IsZero() {
		j.First, j.Last = &u.First, &u.Last
	}
	return j
}
