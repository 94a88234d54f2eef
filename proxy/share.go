// Share: how much of what all clients have together one of them may take.

package proxy

import (
	"sync"

	"sallyport/rules"
)

const (
	// sniffShare is the part of limits.sniffing that one client may take.
	sniffShare = 4
	// maxLookups is how many names one client may have looked up at once: a
	// quarter of what the resolver does for all.
	maxLookups = 1024 / 4
	// Strangers, in no [[client]], have together one part of
	// limits.connections, but not less than what lets them show on record.
	strangerShare = 16
	minStrangers  = 16
)

// strangers is how many connections all strangers have together.
func (l Limits) strangers() int { return max(l.Connections/strangerShare, minStrangers) }

// sniffingEach is how many connections of one client may be awaited.
func (l Limits) sniffingEach() int { return max(l.Sniffing/sniffShare, 1) }

// shares counts what each client has now. The zero value is ready.
type shares struct {
	mu  sync.Mutex
	per map[rules.Party]int
}

// take counts one more for a party, unless it has most already. Who was told true
// must call give.
func (s *shares) take(by rules.Party, most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.per == nil {
		s.per = make(map[rules.Party]int)
	}
	if s.per[by] >= most {
		return false
	}
	s.per[by]++
	return true
}

func (s *shares) give(by rules.Party) {
	s.mu.Lock()
	defer s.mu.Unlock()
	countDown(s.per, by)
}

// countDown keeps no entry for those that have none.
func countDown(per map[rules.Party]int, by rules.Party) {
	if per[by] > 1 {
		per[by]--
	} else {
		delete(per, by)
	}
}

// beginSniff counts a client in whose first bytes are awaited, or tells why
// not. Where it did, endSniff must follow.
func (p *Proxy) beginSniff(c *client) (fault rules.Reason, detail string) {
	if !p.sniffing.take(c.by, p.limits.sniffingEach()) {
		return rules.Limit, "the client's share of limits.sniffing is reached"
	}
	if p.count.sniffing.Add(1) > int64(p.limits.Sniffing) {
		p.endSniff(c)
		return rules.Limit, "limits.sniffing is reached"
	}
	return rules.ReasonNone, ""
}

func (p *Proxy) endSniff(c *client) {
	p.count.sniffing.Add(-1)
	p.sniffing.give(c.by)
}
