// Query: what is asked of a review, and the answer.

package denials

import (
	"context"
	"fmt"
	"slices"

	"sallyport/denials/journal"
)

// A Query asks for the groups of a journal, and for what they add up to.
type Query struct {
	Files    []string         // as from Files
	Filter   Filter           // Denied is implied
	Cure     Cure             // only groups with this cure; "": all
	Sort     string           // one of Sorts; "": the first
	Offset   int              // leave out this many groups
	Limit    int              // at most this many; 0: all
	Site     *Site            // judges the cures; nil: by the reason alone
	Progress journal.Progress // nil: not reported
}

// Sorts lists the orders of groups: the largest, the latest, by destination.
func Sorts() []string { return []string{"count", "last", "host"} }

// A View is the answer to a Query.
type View struct {
	Report   journal.Report
	Groups   []*Group // as asked for
	Matched  int      // groups before Offset and Limit
	Denials  uint64   // that the filter selects, whatever their cure
	Rest     uint64   // of these, counted in a group "(many)" for want of memory
	Totals   Totals
	Timeline Timeline
}

// Check reports an order that does not exist, and a host that is no glob.
func (q *Query) Check() error {
	if _, err := orderOf(q.Sort); err != nil {
		return err
	}
	if _, err := q.Filter.prepared(); err != nil {
		return fmt.Errorf("host: %q is no glob: %w", q.Filter.Host, err)
	}
	return nil
}

// orderOf returns the order that a query asks for.
func orderOf(name string) (func(a, b *Group) int, error) {
	order, ok := map[string]func(a, b *Group) int{"": byCount, "count": byCount, "last": byLast, "host": byHost}[name]
	if !ok {
		return nil, fmt.Errorf("cannot sort by %q; there are %v", name, Sorts())
	}
	return order, nil
}

// answer judges, sorts and cuts what was added up.
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
	slices.SortFunc(groups, order)
	v.Matched = len(groups)
	v.Groups = cut(groups, q.Offset, q.Limit)
}

// cut returns limit elements of a list, behind the first offset ones; limit 0:
// all.
func cut[T any](list []T, offset, limit int) []T {
	list = list[min(max(offset, 0), len(list)):]
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	return list
}

// Detail returns one group, by its Key, with its last n records, the newest
// last. A nil group: the filter selects none of that key.
func Detail(ctx context.Context, q Query, key string, n int) (*Group, []journal.Record, error) {
	q.Filter.Denied = true
	var found *Group
	last := journal.NewRing(max(n, 1))
	keys := map[groupKey]bool{} // is it the one
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
