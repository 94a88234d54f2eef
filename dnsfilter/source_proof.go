// Proof: whether a query comes from the address that it gives, and what it may
// spend. A datagram's source can be forged by a neighbour that never sees the
// reply. Who came by TCP has answered at its address; who brings our cookie has
// received it there. That holds for this query alone: an address that was proven
// a moment ago can be forged the next.

package dnsfilter

import (
	"github.com/miekg/dns"

	"sallyport/rules"
)

const (
	// unprovenPart is the part of QPS that a client has beside it for queries
	// that are not proven. Real clients without cookies ask a few names a second;
	// what is more is sent to TCP, where the whole of QPS is.
	unprovenFraction = 4
	// A reply to a source that is not proven is so many times as long as the
	// query at most, and no longer than any client takes (RFC 1035, section
	// 4.2.1): else a forger could have us send its victim much for little. Usual
	// answers are two to six times as long.
	maxAmplification = 10
)

// budget is what queries that need an upstream are taken from.
type budget struct {
	rate    *rates
	waiting *counts
}

func newBudget() budget { return budget{rate: newRates(), waiting: newCounts()} }

// prove finds out about the source of a query that could be parsed.
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

// budgetOf returns what a query is taken from.
func (f *Filter) budgetOf(q *query) *budget {
	if q.proven {
		return &f.proven
	}
	return &f.unproven
}

// spend takes what a query costs for which d permits asking an upstream. It
// returns what is used up, or "": then the place of by among those that wait must
// be given back. A query that is not proven spends nothing of what proven
// ones have, and is admitted no new name.
func (f *Filter) charge(q *query, d rules.Decision, name rules.Name) (owner rules.Party, over string) {
	owner, now := rules.PartyOf(q.client.Addr(), d.Client), q.arrived.Sub(f.start)
	if !q.proven && d.FreeLabels() && !f.nameQuota.has(owner, name, now) {
		return owner, overNewNames
	}
	b := f.budgetOf(q)
	if !b.waiting.acquire(owner) {
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
		b.waiting.release(owner)
	}
	return owner, over
}

// toTCP has a client ask again by TCP, where it proves its address.
func (f *Filter) truncate(q *query, out []byte) []byte {
	f.observe(q, KindTruncated, dns.RcodeSuccess)
	return appendTruncated(out, q)
}
