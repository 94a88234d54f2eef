// Review: reads, filters and counts denials. A command reads a journal once
// with it. The page keeps its reviews and reads on from where they ended.

package denials

import (
	"sallyport/denials/journal"
)

import "context"

// RecentMax bounds the latest records that a review keeps.
const RecentMax = 100

// A Review has counted the denials that one filter selects. Its memory has a
// limit that does not depend on the journal. It is not safe for concurrent use.
type Review struct {
	filter   Filter // prepared
	cursor   journal.Cursor
	tally    Tally
	totals   Totals
	timeline Timeline
	left     uint64        // known denials that were left out
	recent   *journal.Ring // nil: not kept
}

// NewReview returns a review of the denials that f selects; Denied is implied.
func NewReview(f Filter) (*Review, error) {
	f.Denied = true
	f, err := f.prepared()
	return &Review{filter: f, cursor: journal.Cursor{Since: f.Since}, recent: journal.NewRing(RecentMax)}, err
}

func (v *Review) clear() {
	v.tally, v.totals, v.timeline, v.left = Tally{}, Totals{}, Timeline{}, 0
	if v.recent != nil {
		v.recent = journal.NewRing(RecentMax)
	}
}

// Read reads the records that were not read yet. If a file was compressed,
// removed or cut short, the review starts again. progress may be nil.
func (v *Review) Read(ctx context.Context, files []string, progress journal.Progress) error {
	return v.cursor.Read(ctx, files, progress, v.clear, v.add)
}

func (v *Review) add(r *journal.Record) {
	if !v.filter.selects(r, &v.left) {
		return
	}
	v.tally.Add(r)
	v.totals.Add(r)
	v.timeline.Add(r)
	if v.recent != nil {
		v.recent.Add(r)
	}
}

// View answers a query from the records that were read. It ignores the query's
// Files and Filter. The groups belong to the review and are valid until the
// next Read.
func (v *Review) View(q Query) (*View, error) {
	order, err := orderOf(q.Sort)
	if err != nil {
		return nil, err
	}
	out := View{Report: v.Report(), Totals: v.totals, Timeline: v.timeline}
	out.answer(&v.tally, &q, order)
	return &out, nil
}

// Report returns the report on the reading.
func (v *Review) Report() journal.Report {
	rep := v.cursor.Report
	rep.Known = v.left
	return rep
}

// Recent yields the latest records, the oldest first.
func (v *Review) Recent(yield func(*journal.Record) bool) { v.recent.All(yield) }

// Size returns the approximate number of octets that the review holds.
func (v *Review) Size() int { return v.tally.size }

// Answer reads a journal once and answers a query.
func Answer(ctx context.Context, q Query) (*View, error) {
	if _, err := orderOf(q.Sort); err != nil {
		return nil, err
	}
	v, err := NewReview(q.Filter)
	if err != nil {
		return nil, err
	}
	v.cursor.Final, v.recent = true, nil
	err = v.Read(ctx, q.Files, q.Progress)
	view, _ := v.View(q)
	return view, err
}
