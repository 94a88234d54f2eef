// RTT: how long an upstream usually takes to answer (RFC 6298).

package dnsfilter

import (
	"sync"
	"time"
)

// The bounds of the time before a retry. RFC 6298, section 2.4, says one second
// at least, for TCP; but a client must have its answer in less than three
// seconds.
const (
	minRetry = 300 * time.Millisecond
	maxRetry = 1400 * time.Millisecond
)

// muchSlower is a difference to the answer time of the fastest upstream. An
// upstream that is slower by more than this is asked after the faster
// upstreams.
const muchSlower = 400 * time.Millisecond

// rtt is the smoothed answer time of an upstream, and its variation. Its zero
// value means unknown.
type rtt struct {
	mu        sync.Mutex
	known     bool
	srtt, dev time.Duration
}

// addSample adds a sample (RFC 6298, sections 2.2 and 2.3). The time counts
// from the first copy of a question: the answers to two copies look alike, and
// the longer time is the safer guess.
func (t *rtt) addSample(sample time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.known {
		t.known, t.srtt, t.dev = true, sample, sample/2
		return
	}
	t.dev += (max(t.srtt-sample, sample-t.srtt) - t.dev) / 4
	t.srtt += (sample - t.srtt) / 8
}

// retryAfter returns how long to wait before the question is sent again, or to
// another upstream as well. It returns first if the usual time is unknown.
func (t *rtt) retryAfter(first time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.known {
		return first
	}
	return min(max(t.srtt+4*t.dev, minRetry), maxRetry)
}

// smoothed returns the smoothed time; 0: unknown.
func (t *rtt) smoothed() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.srtt
}
