// Source proof: whether a query comes from the address that it has as its
// source, and what it may use up. A neighbour that never sees the reply can
// forge the source of a datagram. A TCP client has answered at its address, and
// a client with our cookie has received the cookie there. That proves the
// source of this one query: the next datagram with the same source can be
// forged.

package dnsfilter

import (
	"github.com/miekg/dns"

	"sallyport/rules"
	"sallyport/rules/quota"
)

const (
	// Queries without a proven source have a separate quota, one
	// unprovenFraction-th of QPS. Real clients without cookies ask about a few
	// names a second. Above that quota a client must use TCP, where it has the
	// whole of QPS.
	unprovenFraction = 4
	// A reply to an unproven source is at most this many times as long as the
	// query, and no longer than every client accepts (RFC 1035, section 4.2.1).
	// Otherwise a forger could send few bytes and make the filter send many bytes
	// to a victim. Usual answers are two to six times as long as their query.
	maxAmplification = 10
)

// budget is the quota of queries that need an upstream.
type budget struct {
	rate    *rates
	waiting *quota.Table[rules.QuotaKey]
}

func newBudget() budget { return budget{rate: newRates(), waiting: quota.New[rules.QuotaKey](0, 0)} }

// prove finds out whether the source of a parsed query is proven.
func (f *Filter) prove(q *query) {
	if q.cookie == 0 {
		return
	}
	option := q.msg[q.cookie:][:q.cookieSize]
	var proven bool
	if q.serverCookie, proven = f.cookies.check(option, q.client.Addr(), q.arrived); proven {
		q.proven = true
	}
}

// budgetOf returns the budget that a query uses.
func (f *Filter) budgetOf(q *query) *budget {
	if q.proven {
		return &f.proven
	}
	return &f.unproven
}

// charge takes the cost of a query that d permits from the quotas of its
// client. It returns the quota that is used up, or "". If it returns "", the
// caller must release the owner's place among the waiting queries. An unproven
// query uses nothing of the proven quota, and no new name is admitted for it.
func (f *Filter) charge(q *query, d rules.Decision, name rules.Name) (owner rules.QuotaKey, over string) {
	owner, now := rules.QuotaKeyOf(q.client.Addr(), d.Client), q.arrived.Sub(f.start)
	if !q.proven && d.FreeLabels() && !f.nameQuota.has(owner, name, now) {
		return owner, overNewNames
	}
	b := f.budgetOf(q)
	if b.waiting.Acquire(owner) != quota.Acquired {
		return owner, "queries that wait for an upstream"
	}
	if !b.rate.allow(owner, now) {
		over = "queries a second that need an upstream"
	} else if q.proven {
		over = f.AdmitName(q.client.Addr(), d, name)
	}
	if over == "" && d.FreeLabels() && !f.nameQuota.lookUp(owner, q.proven, now) {
		over = overLookUps
	}
	if over != "" {
		b.waiting.Release(owner)
	}
	return owner, over
}

// truncate makes a client ask again by TCP, which proves its address.
func (f *Filter) truncate(q *query, out []byte) []byte {
	f.observe(q, KindTruncated, dns.RcodeSuccess)
	return appendTruncated(out, q)
}
