// Quotas: the part of each limit that one client may use.

package proxy

import (
	"sallyport/rules"
	"sallyport/rules/quota"
)

const (
	// sniffingParts is the number of parts of limits.sniffing. One client may use one part.
	sniffingParts = 4
	// maxLookups is how many look-ups one client may have under way: a quarter of what the
	// resolver does for all.
	maxLookups = 1024 / 4
	// All unknown clients together may use one part of limits.connections. They may always use
	// minUnknown connections, so that their attempts are recorded.
	unknownPart = 16
	minUnknown  = 16
)

// unknownClients returns how many connections all unknown clients together may have.
func (l Limits) unknownClients() int { return max(l.Connections/unknownPart, minUnknown) }

// sniffingQuota returns how many connections of one client may wait for first bytes at once.
func (l Limits) sniffingQuota() int { return max(l.Sniffing/sniffingParts, 1) }

// beginSniff counts a client whose first bytes are awaited, or returns which limit is reached. If
// it succeeds, endSniff must follow.
func (p *Proxy) beginSniff(c *client) (fault rules.Reason, detail string) {
	switch p.sniffing.Acquire(c.by) {
	case quota.OverQuota:
		return rules.Limit, "the client's quota of limits.sniffing is reached"
	case quota.OverLimit:
		return rules.Limit, "limits.sniffing is reached"
	}
	return rules.ReasonNone, ""
}

func (p *Proxy) endSniff(c *client) { p.sniffing.Release(c.by) }
