// Query: a question to a review, and its answer.

package denials

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sallyport/denials/journal"
)

// A Query asks for the groups of a journal and their totals.
type Query struct {
	Files    []string         // as from Files
	Filter   Filter           // Denied is implied
	Cure     Cure             // only groups with this cure; "": all
	Sort     string           // one of Sorts; "": the first
	New      time.Time        // only groups whose first denial is not before it; zero: all
	Offset   int              // leave out this many groups
	Limit    int              // at most this many; 0: all
	Site     *Site            // judges the cures; nil: the reason alone decides
	Progress journal.Progress // nil: no reports
}

// Sorts lists the orders of groups: the largest, the latest, the one that began last, by destination.
func Sorts() []string { return []string{"count", "last", "first", "host"} }

// A View is the answer to a Query.
type View struct {
	Report   journal.Report
	Groups   []*Group // as asked for
	Matched  int      // groups before Offset and Limit
	Old      int      // groups that are not New
	Denials  uint64   // denials that the filter selects, of every cure
	Rest     uint64   // how many of these denials were counted in a group "(many)", to save memory
	Totals   Totals
	Timeline Timeline
}

// Check returns an error if the order does not exist or the host is a malformed
// glob.
func (q *Query) Check() error {
	if _, err := orderOf(q.Sort); err != nil {
		return err
	}
	if _, err := q.Filter.prepared(); err != nil {
		return fmt.Errorf("host: %q is not a valid glob: %w", q.Filter.Host, err)
	}
	return nil
}

// orderOf returns the order that a query asks for.
func orderOf(name string) (func(a, b *Group) int, error) {
	order, ok := map[string]func(a, b *Group) int{"": byCount, "count": byCount, "last": byLast, "first": byFirst, "host": byHost}[name]
	if !ok {
		return nil, fmt.Errorf("cannot sort by %q; the orders are %v", name, Sorts())
	}
	return order, nil
}

// answer judges, sorts and cuts the groups.
func (v *View) answer(tally *Tally, q *Query, order func(a, b *Group) int) {
	v.Denials, v.Rest = tally.Total, tally.Rest
	groups := tally.Groups()
	for _, g := range groups {
		g.Cure = q.Site.Cure(g)
		v.Totals.Cures.Add(string(g.Cure), g.Count)
	}
	if q.Cure != "" {
		groups = slices.DeleteFunc(groups, func(g *Group) bool { return g.Cure != q.Cure })
	}
	if !q.New.IsZero() {
		all := len(groups)
		groups = slices.DeleteFunc(groups, func(g *Group) bool { return g.First.Before(q.New) })
		v.Old = all - len(groups)
	}
	slices.SortFunc(groups, order)
	v.Matched = len(groups)
	v.Groups = cut(groups, q.Offset, q.Limit)
}

// cut returns limit elements of a list after the first offset elements; limit
// 0: all.
func cut[T any](list []T, offset, limit int) []T {
	list = list[min(max(offset, 0), len(list)):]
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	return list
}

// Detail returns the group with this Key, and its last n records, the newest
// last. The group is nil if the filter selects no denial of it.
func Detail(ctx context.Context, q Query, key string, n int) (*Group, []journal.Record, error) {
	q.Filter.Denied = true
	var found *Group
	last := journal.NewRing(max(n, 1))
	keys := map[groupKey]bool{} // whether this is the key of the group that was asked for
	_, err := q.Scan(ctx, func(r *journal.Record) error {
		k, raw := keyOf(r)
		is, known := keys[k]
		if !known {
			if len(keys) >= groupsMax {
				clear(keys)
			}
			is = newGroup(k, raw, r).Key() == key
			keys[k] = is
		}
		if !is {
			return nil
		}
		if found == nil {
			found = newGroup(k, raw, r)
		}
		found.add(r)
		last.Add(r)
		return nil
	})
	if found == nil {
		return nil, nil, err
	}
	found.Cure = q.Site.Cure(found)
	var records []journal.Record
	for r := range last.All {
		records = append(records, *r)
	}
	return found, records, err
}
