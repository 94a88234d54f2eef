// Denied reply: answers a query that the policy does not permit.

package dnsfilter

import (
	"bytes"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// maxRaw bounds the bytes of an unreadable message in an attempt.
const maxRaw = 512

// deny appends the reply for the denial d. No upstream is asked.
func (f *Filter) deny(q *query, r *Resolver, a *rules.Attempt, d rules.Decision, out []byte) []byte {
	why := d.Why()
	if d.Client == nil && !f.unknownReplies.allow(f.clock()) {
		f.observe(q, KindDropped, dns.RcodeRefused)
		return out
	}
	text := ""
	if q.edns {
		text = why.String()
		if d.Client != nil { // unknown clients get no hint
			if hint := rules.HintByNearest(*a, d); hint != "" {
				text += ": " + hint
			}
		}
	}
	rcode, negative := deniedForm(q, r.denied, why, d.PermitsBelow())
	if d.Client == nil { // REFUSED for any reason, because NXDOMAIN is longer
		rcode, negative = dns.RcodeRefused, false
	}
	f.observe(q, KindDenied, rcode)
	if negative {
		return appendNegative(out, q, rcode, ede(why), text)
	}
	return appendError(out, q, rcode, ede(why), text)
}

// deniedForm chooses the form of the reply to a denied query. It is the
// configured form, with three exceptions: REFUSED if the reason is the client
// and not the name; "no such record" if the name exists for this client; and
// "no such record" for the root and for a name with permitted names below it.
// Such a name exists without records (RFC 4592, section 2.2.2). NXDOMAIN for it
// would deny every name below it (RFC 8020, section 2).
func deniedForm(q *query, denied Denied, why rules.Reason, below bool) (rcode int, negative bool) {
	switch {
	case q.qtype == dns.TypeAXFR, q.qtype == dns.TypeIXFR:
		return dns.RcodeRefused, false
	case why == rules.TypeNotAllowed, why == rules.PrivateAddress:
		// The name exists, and may well have the other type of address.
		return dns.RcodeSuccess, true
	}
	switch why {
	case rules.DNSBogus: // as a validating resolver answers (RFC 4035, section 5.5)
		return dns.RcodeServerFailure, false
	case rules.UnknownClient, rules.Unauthenticated, rules.Limit, rules.Draining, rules.JournalUnavailable, rules.MalformedRequest:
		return dns.RcodeRefused, false
	}
	switch {
	case denied == Refused:
		return dns.RcodeRefused, false
	case denied == NoData, below, q.msg[headerSize] == 0:
		return dns.RcodeSuccess, true
	}
	return dns.RcodeNameError, true
}

// denyBadName replies to a query for a name that is not a host name.
func (f *Filter) denyBadName(q *query, r *Resolver, a *rules.Attempt, err error, out []byte) []byte {
	a.Fault, a.Detail = rules.MalformedName, err.Error()
	a.Raw = escapedName(q.msg)
	return f.deny(q, r, a, f.cfg.Gate.Decide(*a), out)
}

// escapedName returns the name in the question with all unusual bytes escaped,
// so that a dot inside a label does not look like a dot between labels.
func escapedName(msg []byte) []byte {
	name, _, err := dns.UnpackDomainName(msg, headerSize)
	if err != nil {
		return bytes.Clone(msg[:min(len(msg), maxRaw)])
	}
	return []byte(name)
}
