// Usage: how often each rule permitted something, and the last time. It is kept
// across restarts, so that operators can find unused rules over weeks.

package journal

import (
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/rules"
)

// A Usage counts the attempts that a Recorder permits, by client and rule.
// After the first time a rule is counted, counting takes no lock and allocates
// nothing. All methods are safe for concurrent use.
type Usage struct {
	path   string // "": kept in memory only
	config string // the configuration of the gateway
	now    func() time.Time
	log    *slog.Logger

	seen  atomic.Pointer[map[usePointers]*useCell] // rules of the policies that were recently in force
	mu    sync.Mutex                               // guards cells, and the replacement of seen
	cells map[useKey]*useCell
	since time.Time // when counting began

	saving sync.Mutex // one writer of the file
	saved  string     // the content of the file
}

// usePointers finds a cell without comparing texts.
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

// usesMax limits the rules that are counted. No configuration has so many, but
// renamed rules stay in the file.
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

// cell finds or creates the count of a rule, and stores a pointer for the next
// time.
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

// forget removes the pointers of policies that are no longer in force.
func (u *Usage) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen.Store(&map[usePointers]*useCell{})
}

// A UsageState has the counts so far.
type UsageState struct {
	Config string    // the configuration of the gateway that counted; "": not known
	Since  time.Time // when counting began
	Uses   []Use     // by client and rule
}

// A Use counts how often one client used one rule.
type Use struct {
	Client  string
	Rule    string // profile/id
	Count   uint64 // connections and requests
	Lookups uint64 // DNS queries
	First   time.Time
	Last    time.Time
}

// CountUsage makes the recorder count permitted attempts in u. Call it before
// the first decision.
func (r *Recorder) CountUsage(u *Usage) { r.usage = u }
