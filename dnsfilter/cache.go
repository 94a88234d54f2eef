// Cache: validated answers by name and type, bounded, for as long as they hold.

package dnsfilter

import (
	"hash/maphash"
	"sync"
	"time"
)

// cacheShards spreads the locks; a power of two.
const cacheShards = 16

// answerRoom is how many octets an answer may take, on average; usual ones take
// about half. Whoever owns a permitted name can make its answers forty times
// that.
const bytesPerAnswer = 1 << 10

// cache is bounded: a shard with too many answers gives up the one that expires
// first among a few chosen at random, one with too many octets the largest.
type cache struct {
	seed       maphash.Seed
	perShard   int // answers per shard
	shardBytes int // octets per shard, about
	shards     [cacheShards]cacheShard
}

type cacheShard struct {
	mu   sync.RWMutex
	m    map[string]*entry
	size int // octets
}

func newCache(entries int) *cache {
	c := &cache{seed: maphash.MakeSeed(), perShard: max(1, entries/cacheShards)}
	c.shardBytes = c.perShard * bytesPerAnswer
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
	s.remove(key)
	if len(s.m) >= c.perShard {
		s.evict(now, (*entry).expiresBefore)
	}
	for s.size+e.size() > c.shardBytes && len(s.m) > 0 {
		s.evict(now, (*entry).largerThan)
	}
	s.m[key] = e
	s.size += e.size()
}

// evict makes room.
func (s *cacheShard) evict(now time.Duration, before func(a, b *entry) bool) {
	s.remove(pickVictim(s.m, func(e *entry) bool { return e.expires <= now }, before))
}

func (s *cacheShard) remove(key string) {
	if e := s.m[key]; e != nil {
		s.size -= e.size()
		delete(s.m, key)
	}
}

// sooner tells whether e expires before o.
func (e *entry) expiresBefore(o *entry) bool { return e.expires < o.expires }

// larger tells whether e takes more room than o.
func (e *entry) largerThan(o *entry) bool { return e.size() > o.size() }

// size is about how many octets e takes, with its place in the map.
func (e *entry) size() int {
	return 384 + len(e.wire) + 2*len(e.ttls) + 24*(len(e.addrs)+len(e.special))
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
