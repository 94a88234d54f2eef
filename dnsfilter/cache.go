// Cache: a bounded cache of validated answers by name and type.

package dnsfilter

import (
	"hash/maphash"
	"sync"
	"time"
)

// cacheShards is the number of locks; a power of two.
const cacheShards = 16

// bytesPerAnswer is the room for an answer, on average. Usual answers take
// about half of it. The owner of a permitted name can make its answers forty
// times as large.
const bytesPerAnswer = 1 << 10

// cache is a bounded map of answers. A shard with too many answers drops the
// answer that expires first among a few random answers. A shard with too many
// bytes drops the largest of a few random answers.
type cache struct {
	seed       maphash.Seed
	perShard   int // answers per shard
	shardBytes int // approximate bytes per shard
	shards     [cacheShards]cacheShard
}

type cacheShard struct {
	mu   sync.RWMutex
	m    map[string]*entry
	size int // bytes
}

func newCache(entries int) *cache {
	c := &cache{seed: maphash.MakeSeed(), perShard: max(1, entries/cacheShards)}
	c.shardBytes = c.perShard * bytesPerAnswer
	for i := range c.shards {
		c.shards[i].m = map[string]*entry{}
	}
	return c
}

// get returns the answer under key if it has not expired at now, else nil.
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

// put stores e under key.
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

// evict drops one entry: an expired entry, or else the entry that before puts
// first.
func (s *cacheShard) evict(now time.Duration, before func(a, b *entry) bool) {
	s.remove(pickVictim(s.m, func(e *entry) bool { return e.expires <= now }, before))
}

func (s *cacheShard) remove(key string) {
	if e := s.m[key]; e != nil {
		s.size -= e.size()
		delete(s.m, key)
	}
}

// expiresBefore reports whether e expires before o.
func (e *entry) expiresBefore(o *entry) bool { return e.expires < o.expires }

// largerThan reports whether e takes more memory than o.
func (e *entry) largerThan(o *entry) bool { return e.size() > o.size() }

// size returns roughly how many bytes e takes, including its place in the map.
func (e *entry) size() int {
	return 384 + len(e.wire) + 2*len(e.ttls) + 24*(len(e.addrs)+len(e.special))
}

// len returns the number of stored answers, expired answers included.
func (c *cache) len() int {
	n := 0
	for i := range c.shards {
		c.shards[i].mu.RLock()
		n += len(c.shards[i].m)
		c.shards[i].mu.RUnlock()
	}
	return n
}
