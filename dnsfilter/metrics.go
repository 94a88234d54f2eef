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

// An Answer describes one reply, for metrics.
type Answer struct {
	Kind    Kind
	Proto   rules.Proto
	RCode   int
	Latency time.Duration // since the query arrived
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
