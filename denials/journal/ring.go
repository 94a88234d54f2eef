// Ring: keeps the last records of a reading.

package journal

// A Ring keeps copies of the last max records; of all records if max is 0.
type Ring struct {
	max  int
	recs []Record
	at   int
}

// Add stores a copy of r. If the ring is full, the copy replaces the oldest
// record.
func (g *Ring) Add(r *Record) {
	c := r.Clone()
	if g.max == 0 || len(g.recs) < g.max {
		g.recs = append(g.recs, c)
		return
	}
	g.recs[g.at] = c
	g.at = (g.at + 1) % g.max
}

// NewRing returns a ring for the last most records; 0: for all records.
func NewRing(most int) *Ring { return &Ring{max: most} }

// Drop removes the last n records.
func (g *Ring) Drop(n int) {
	if n <= 0 {
		return
	}
	var kept []Record
	for r := range g.All {
		kept = append(kept, *r)
	}
	g.recs, g.at = kept[:max(len(kept)-n, 0)], 0
}

// All yields the records, the oldest first.
func (g *Ring) All(yield func(*Record) bool) {
	for i := range g.recs {
		if !yield(&g.recs[(g.at+i)%len(g.recs)]) {
			return
		}
	}
}

// Len returns the number of records.
func (g *Ring) Len() int { return len(g.recs) }
