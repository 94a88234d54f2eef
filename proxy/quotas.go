// Share: how much of what all clients have together one of them may take.

package proxy

import (
	"sallyport/rules"
	"sallyport/rules/quota"
)

const (
	// sniffingParts is the part of limits.sniffing that one client may take.
	sniffingParts = 4
	// maxLookups is how many names one client may have looked up at once: a
	// quarter of what the resolver does for all.
	maxLookups = 1024 / 4
	// Strangers, in no [[client]], have together one part of
	// limits.connections, but not less than what lets them show on record.
	unknownPart = 16
	minUnknown  = 16
)

// unknownClients is how many connections all strangers have together.
func (l Limits) unknownClients() int { return max(l.Connections/unknownPart, minUnknown) }

// sniffingQuota is how many connections of one client may be awaited.
func (l Limits) sniffingQuota() int { return max(l.Sniffing/sniffingParts, 1) }

// beginSniff counts a client in whose first bytes are awaited, or tells why
// not. Where it did, endSniff must follow.
func (p *Proxy) beginSniff(c *client) (fault rules.Reason, detail string) {
	switch p.sniffing.Acquire(c.by) {
	case quota.OverQuota:
		return rules.Limit, "the client's share of limits.sniffing is reached"
	case quota.OverLimit:
		return rules.Limit, "limits.sniffing is reached"
	}
	return rules.ReasonNone, ""
}

func (p *Proxy) endSniff(c *client) { p.sniffing.Release(c.by) }
