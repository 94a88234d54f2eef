// Cache: validated answers by name and type, bounded, for as long as they hold.

package dnsfilter

import (
	"hash/maphash"
	"sync"
	"time"
)

// cacheShards spreads the locks; a power of two.
const cacheShards = 16

// cache is bounded: a full shard gives up the answer that expires first among
// a few chosen at random.
type cache struct {
	seed   maphash.Seed
	most   int // per shard
	shards [cacheShards]cacheShard
}

type cacheShard struct {
	mu sync.RWMutex
	m  map[string]*entry
}

func newCache(entries int) *cache {
	c := &cache{seed: maphash.MakeSeed(), most: max(1, entries/cacheShards)}
	for i := range c.shards {
		c.shards[i].m = map[string]*entry{}
	}
	return c
}

// get returns the answer under key that still holds at now, nil for none.
func (c *cache) get(key []byte, now time.Duration) *entry {
	s := &c.shards[maphash.Bytes(c.seed, key)&(cacheShards-1)]
	s.mu.RLock()
	e := s.m[string(key)]
	s.mu.RUnlock()
	if e == nil || now >= e.expires {
		return nil
	}
	return e
}

// put keeps e under key.
func (c *cache) put(key string, e *entry, now time.Duration) {
	s := &c.shards[maphash.String(c.seed, key)&(cacheShards-1)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.m[key]; !there && len(s.m) >= c.most {
		s.evict(now)
	}
	s.m[key] = e
}

// evict makes room for one: Go's map order is the random choice.
func (s *cacheShard) evict(now time.Duration) {
	victim, soonest, looked := "", time.Duration(0), 0
	for k, e := range s.m {
		if looked == 0 || e.expires < soonest {
			victim, soonest = k, e.expires
		}
		if looked++; looked == 8 || soonest <= now {
			break
		}
	}
	delete(s.m, victim)
}

// len returns how many answers are kept, expired ones included.
func (c *cache) len() int {
	n := 0
	for i := range c.shards {
		c.shards[i].mu.RLock()
		n += len(c.shards[i].m)
		c.shards[i].mu.RUnlock()
	}
	return n
}
