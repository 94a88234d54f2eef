// Rates: how many queries a second clients may send.

package dnsfilter

import (
	"sync"
	"sync/atomic"
	"time"

	"sallyport/rules"
)

// bucket is a token bucket in one number: the time at which it is full again.
type bucket struct {
	every time.Duration // time for one token
	depth time.Duration // time for all tokens

	mu   sync.Mutex
	full time.Duration
}

func newBucket(perSecond int) *bucket {
	if perSecond <= 0 {
		return &bucket{}
	}
	return &bucket{every: time.Second / time.Duration(perSecond), depth: time.Second}
}

// allow takes a token and reports whether there was one. A bucket without a
// rate always has one.
func (b *bucket) allow(now time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ok bool
	b.full, ok = spend(b.full, now, b.every, b.depth)
	return ok
}

// spend takes a token from a bucket that will be full at the time full. It
// returns the new time and whether there was a token. full is at most depth
// later than now, unless the clock was set back.
func spend(full, now, every, depth time.Duration) (time.Duration, bool) {
	if full < now || full > now+depth {
		full = now
	}
	full += every
	if full-now > depth {
		return full - every, false
	}
	return full, true
}

// rates is one token bucket per client, which holds the tokens of one second.
// The addresses of one IPv6 /64 are one client, because one host can choose
// among them at will.
type rates struct {
	every  atomic.Int64 // nanoseconds; 0: no limit
	shards [rateShards]rateShard
}

const (
	rateShards      = 16
	clientsPerShard = 1024 // per shard
)

type rateShard struct {
	mu   sync.Mutex
	full map[rules.QuotaKey]time.Duration
}

func newRates() *rates {
	r := &rates{}
	for i := range r.shards {
		r.shards[i].full = map[rules.QuotaKey]time.Duration{}
	}
	return r
}

// set changes the rate; 0 or less: no limit.
func (r *rates) set(perSecond int) {
	every := time.Duration(0)
	if perSecond > 0 {
		every = time.Second / time.Duration(perSecond)
	}
	r.every.Store(int64(every))
}

// allow takes a token of the client and reports whether there was one.
func (r *rates) allow(client rules.QuotaKey, now time.Duration) bool {
	every := time.Duration(r.every.Load())
	if every == 0 {
		return true
	}
	b := client.Source.As16()
	s := &r.shards[(b[15]^b[7])&(rateShards-1)]
	s.mu.Lock()
	defer s.mu.Unlock()
	full, known := s.full[client]
	if !known && len(s.full) >= clientsPerShard {
		s.evict(now)
	}
	full, ok := spend(full, now, every, time.Second)
	s.full[client] = full
	return ok
}

// evict drops a full bucket, or the fullest of a few.
func (s *rateShard) evict(now time.Duration) {
	delete(s.full, pickVictim(s.full,
		func(full time.Duration) bool { return full <= now },
		func(a, b time.Duration) bool { return a < b }))
}
