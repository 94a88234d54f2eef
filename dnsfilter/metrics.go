// Observations: what the filter tells its metrics.

package dnsfilter

import (
	"net/netip"
	"time"

	"sallyport/rules"
)

// Kind says how a reply came to be.
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
	KindTruncated             // sent to TCP, to prove its source
)

var kindTexts = [...]string{"dropped", "malformed", "denied", "cached", "fixed", "upstream", "failed", "truncated"}

// String returns the metrics' label.
func (k Kind) String() string {
	if int(k) < len(kindTexts) {
		return kindTexts[k]
	}
	return ""
}

// An Answer is one reply, for metrics.
type Answer struct {
	Kind    Kind
	Proto   rules.Proto
	RCode   int
	Latency time.Duration // from the query's arrival
}

// An UpstreamTry is one try of one upstream, for metrics.
type UpstreamTry struct {
	Addr    netip.AddrPort
	Up      bool // it gave some answer, of whatever worth
	Down    bool // it is taken not to answer anything, as its last probe found
	Latency time.Duration
	// Respells: it changes the letter case of questions, so that its answers are
	// accepted without that protection, or asked for by TCP.
	ChangesCase bool
}
