// Unknown clients: all sources without a [[client]] share one budget of the
// journal, because a forged address in a datagram costs its sender nothing.

package journal

import (
	"sync"
)

// The limits for the records of all unknown clients together in a second,
// including the records that count the rest: at most 1.1 GB a day.
const (
	unknownLines = 10
	unknownBytes = 12 << 10
)

// The most octets of an unknown client's record, without its names and texts:
// for a record of one attempt, and for a record of several attempts, which has
// "omitted".
const (
	unknownLine  = 1100
	unknownCount = 1600
)

// unknownClients holds the remaining budget of all unknown clients, and counts
// the denials beyond it: one record for each reason and second.
type unknownClients struct {
	mu      sync.Mutex
	until   int64 // the end of the second of lines and bytes
	lines   int   // the remaining lines of this second; below 0: lines borrowed from the next second
	bytes   int
	beyond  client
	counted uint64 // the same count as in shard
	pending uint64
	folded  uint64
}

// record puts a denial into j's queue, or counts it.
func (u *unknownClients) record(j *Journal, e *entry, window int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.counted += e.count
	if j.denials.broken() || !u.spend(e, window) || !j.push(e) {
		u.fold(e)
	}
}

// refold folds a denial that could not be written.
func (u *unknownClients) refold(e *entry) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fold(e)
}

func (u *unknownClients) fold(e *entry) {
	u.folded += e.count
	u.pending += e.count
	u.beyond.foldRest(e, e.key().class())
}

// spend charges e's record to the budget. It cuts a long unreadable text if the
// record then fits.
func (u *unknownClients) spend(e *entry, window int64) bool {
	u.refill(window)
	need := lineBound(e)
	if need > u.bytes && len(e.a.Raw) > rawLeast {
		e.a.Raw, e.cut = e.a.Raw[:rawLeast], true
		need = lineBound(e)
	}
	if u.lines < 1 || need > u.bytes {
		return false
	}
	u.lines--
	u.bytes -= need
	return true
}

func (u *unknownClients) refill(window int64) {
	if u.until == window+1 {
		return
	}
	passed := int(min(max(window+1-u.until, 1), 3600)) // a clock may jump
	u.until = window + 1
	u.lines = min(u.lines+passed*unknownLines, unknownLines)
	u.bytes = min(u.bytes+passed*unknownBytes, unknownBytes)
}

// drain appends the counted entries to the end of to. Their records use the
// budget too, if necessary the budget of the next seconds.
func (u *unknownClients) drain(to []entry, window int64) []entry {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.refill(window)
	before := len(to)
	to = u.beyond.unload(to)
	u.lines -= len(to) - before
	for i := range to[before:] {
		u.bytes -= lineBound(&to[before+i]) + unknownCount - unknownLine
	}
	u.pending = 0
	return to
}

// lineBound returns the most octets of the record of an unknown client's denial. A
// hint repeats the detail; an escaped octet takes up to six.
func lineBound(e *entry) int {
	a := &e.a
	n := unknownLine + len(a.Authority.String()) + len(a.Target().String()) + len(a.Host.String()) + len(a.SNI.String())
	for _, p := range a.Pinned {
		n += len(p.String()) + len(`"",`)
	}
	n += min(len(a.Resolved), capList) * len(`"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",`)
	return n + min(6*min(len(a.Raw), rawMax), capRaw) + min(6*len(a.Detail), capDetail) + min(6*len(a.Detail), capHint)
}

// unknown reports whether e is a denial of an unknown client. A client that has not logged in yet is
// not unknown if a handshake proved its source, and a [[client]] lists it: each browser starts with
// a request without a login.
func (e *entry) unknown() bool {
	return e.d.Client == nil && e.denied() && !(e.a.SourceProven && e.d.Listed)
}
