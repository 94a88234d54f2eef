// Usage: how often each rule permitted something, and when last. It is kept
// across restarts, so that least privilege can be judged over weeks.

package journal

import (
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/rules"
)

// A Usage counts what a Recorder permits, by client and rule. Counting takes
// no lock and allocates nothing once a rule was seen. All methods are safe for
// concurrent use.
type Usage struct {
	path string // "": kept in memory only
	now  func() time.Time
	log  *slog.Logger

	seen  atomic.Pointer[map[usePointers]*useCell] // of the policies in force lately
	mu    sync.Mutex                               // guards cells, and what replaces seen
	cells map[useKey]*useCell
	since time.Time // when counting began

	saving sync.Mutex // one writer of the file
	saved  string     // what the file holds
}

// usePointers finds a cell without looking at a text.
type usePointers struct {
	client *rules.Client
	rule   *rules.Rule
}

type useKey struct{ client, rule string }

// A useCell is one rule's count. Times are Unix nanoseconds.
type useCell struct {
	count, lookups atomic.Uint64
	first, last    atomic.Int64
}

// usesMax bounds the rules that are counted; no configuration has so many, but
// renamed ones stay in the file.
const usesMax = 20_000

// note counts one permitted attempt.
func (u *Usage) note(a *rules.Attempt, d *rules.Decision) {
	if u == nil || d.Rule == nil || d.Client == nil || d.Would {
		return
	}
	c := (*u.seen.Load())[usePointers{d.Client, d.Rule}]
	if c == nil {
		if c = u.cell(d); c == nil {
			return
		}
	}
	now := u.now().UnixNano()
	if a.Via == rules.ViaDNS {
		c.lookups.Add(1)
	} else {
		c.count.Add(1)
	}
	c.first.CompareAndSwap(0, now)
	if c.last.Load() < now {
		c.last.Store(now)
	}
}

// cell finds or begins the count of a rule and makes it quick to find.
func (u *Usage) cell(d *rules.Decision) *useCell {
	u.mu.Lock()
	defer u.mu.Unlock()
	k := useKey{d.Client.Name, d.Rule.String()}
	c := u.cells[k]
	if c == nil {
		if len(u.cells) >= usesMax {
			return nil
		}
		c = new(useCell)
		u.cells[k] = c
	}
	next := maps.Clone(*u.seen.Load())
	next[usePointers{d.Client, d.Rule}] = c
	u.seen.Store(&next)
	return c
}

// forget lets go of policies that are no longer in force.
func (u *Usage) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen.Store(&map[usePointers]*useCell{})
}

// A UsageState is what was counted so far.
type UsageState struct {
	Since time.Time // when counting began
	Uses  []Use     // by client and rule
}

// A Use is how often one client used one rule.
type Use struct {
	Client  string
	Rule    string // profile/id
	Count   uint64 // connections and requests
	Lookups uint64 // DNS queries
	First   time.Time
	Last    time.Time
}

// CountUsage lets the recorder count what it permits in u. It is called before
// the first decision.
func (r *Recorder) CountUsage(u *Usage) { r.usage = u }
