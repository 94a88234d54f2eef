// Metrics: what the filter reports to its metrics.

package dnsfilter

import (
	"time"

	"sallyport/rules"
)

// Kind is how a reply was made.
type Kind uint8

// The kinds of replies.
const (
	KindDropped   Kind = iota // no reply was sent
	KindMalformed             // the query could not be read
	KindDenied                // the policy denied it
	KindCached                // from the cache
	KindFixed                 // from Hosts
	KindUpstream              // an upstream was asked
	KindFailed                // no upstream gave a usable answer
	KindTruncated             // truncated, so that the client asks by TCP and proves its source
	KindSynthetic             // a synthetic address, or the name of one
)

var kindTexts = [...]string{"dropped", "malformed", "denied", "cached", "fixed", "upstream", "failed", "truncated", "synthetic"}

// String returns the label for metrics.
func (k Kind) String() string {
	if int(k) < len(kindTexts) {
		return kindTexts[k]
	}
	return ""
}

// An Answer describes one reply, or several equal ones that left together, for metrics.
type Answer struct {
	Kind    Kind
	Proto   rules.Proto
	RCode   int
	Latency time.Duration // since the query arrived
	Count   int           // replies
}

// A tally counts the replies of a batch until they are reported. Its zero value is
// empty.
type tally struct {
	kinds [8]Answer // without Latency
	n     int
}

// add counts a reply. It returns false if too many different ones are counted.
func (t *tally) add(a Answer) bool {
	for i := range t.kinds[:t.n] {
		if k := &t.kinds[i]; k.Kind == a.Kind && k.RCode == a.RCode && k.Proto == a.Proto {
			k.Count++
			return true
		}
	}
	if t.n == len(t.kinds) {
		return false
	}
	t.kinds[t.n] = a
	t.n++
	return true
}

// observe reports the reply to q, or leaves that to the batch of q.
func (f *Filter) observe(q *query, kind Kind, rcode int) {
	a := Answer{Kind: kind, Proto: q.proto, RCode: rcode, Count: 1}
	if f.cfg.Observe == nil || q.tally != nil && q.tally.add(a) {
		return
	}
	a.Latency = f.cfg.Now().Sub(q.arrived)
	f.cfg.Observe(a)
}

// report reports the replies of a batch and empties the tally.
func (f *Filter) report(t *tally, arrived time.Time) {
	if t.n == 0 {
		return
	}
	latency := f.cfg.Now().Sub(arrived)
	for i := range t.kinds[:t.n] {
		t.kinds[i].Latency = latency
		f.cfg.Observe(t.kinds[i])
	}
	t.n = 0
}

// An UpstreamTry describes one try of one upstream, for metrics.
type UpstreamTry struct {
	rules.Upstream
	Up      bool // the upstream answered, perhaps with an unusable answer
	Proved  bool // the upstream says that DNSSEC proves the answer; only where the site asks
	Down    bool // the upstream counts as down, because its last probe failed
	Latency time.Duration
	Why     error // why the upstream did not answer; an *UpstreamFault: a person must correct something
	// ChangesCase: the upstream changes the letter case of questions. So the
	// filter accepts its answers in any letter case, or asks it by TCP.
	ChangesCase bool
}
