// Share: how much of what all clients have together one of them may take.

package proxy

import (
	"sallyport/rules"
	"sallyport/rules/quota"
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
