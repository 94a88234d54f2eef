// RTT: how long an upstream usually takes to answer (RFC 6298).

package dnsfilter

import (
	"sync"
	"time"
)

// The bounds of an upstream's patience. RFC 6298, section 2.4, has a second at least
// for TCP; the answer to a client is due in less than three.
const (
	minRetry = 300 * time.Millisecond
	maxRetry = 1400 * time.Millisecond
)

// slower is by how much an upstream must be slower than the fastest one before
// that is asked first.
const muchSlower = 400 * time.Millisecond

// rtt is the smoothed time that an upstream takes, and its variation. Its zero
// value knows nothing.
type rtt struct {
	mu        sync.Mutex
	known     bool
	srtt, dev time.Duration
}

// took adds a sample (RFC 6298, sections 2.2 and 2.3). It is counted from the first
// time that a question was sent: an answer cannot be told from one to a copy of
// the question, and the longer time is the safer guess.
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

// patience is for how long to wait before the question is sent again, or to
// another upstream as well: first where nothing is known.
func (t *rtt) retryAfter(first time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.known {
		return first
	}
	return min(max(t.srtt+4*t.dev, minRetry), maxRetry)
}

// usual is the smoothed time; 0: nothing is known.
func (t *rtt) smoothed() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.srtt
}
