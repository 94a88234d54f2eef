// Shard: a part of the clients behind one lock, so that callers rarely meet.

package denials

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
)

const (
	shards       = 32
	shardClients = 256  // sources that a shard tells apart
	shardUnknown = 128  // of these, addresses that the configuration does not know
	unknownRate  = 2000 // records a second, one by one, of all unknown clients together
)

// A shard holds the clients whose addresses hash to it.
type shard struct {
	mu      sync.Mutex
	clients map[netip.Addr]*client
	unknown int    // clients in the table that the configuration does not know
	crowd   client // every client that found no place: counted together
	counted uint64 // denials that were recorded
	pending uint64 // denials that are folded and not yet written
	folded  uint64 // decisions that were ever folded
}

// client returns the state of a source. An address is cheap to forge, so
// those that the configuration does not know get at most half of the table.
func (s *shard) client(addr netip.Addr, known bool, window int64) *client {
	if c := s.clients[addr]; c != nil {
		return c
	}
	if len(s.clients) >= shardClients || !known && s.unknown >= shardUnknown {
		return &s.crowd
	}
	if s.clients == nil {
		s.clients = make(map[netip.Addr]*client)
	}
	c := &client{known: known, window: window, denials: perSecond, answers: perSecond, raw: rawPerSecond}
	s.clients[addr] = c
	if !known {
		s.unknown++
	}
	return c
}

// A budget is what all unknown clients may spend together in a second: the
// number of the second above, what is spent of it below.
type budget struct{ state atomic.Uint64 }

func (b *budget) spend(window int64) bool {
	s := b.state.Load()
	if uint32(s>>32) != uint32(window) {
		b.state.CompareAndSwap(s, uint64(uint32(window))<<32)
	}
	return uint32(b.state.Add(1)) <= unknownRate
}

// fold counts e with its client.
func (s *shard) fold(c *client, e *entry, seed maphash.Seed) {
	s.folded += e.count
	if e.denied() {
		s.pending += e.count
	}
	c.fold(e, seed)
}

// drain moves what was folded to the end of to and forgets clients that went
// quiet.
func (s *shard) drain(to []entry, window int64) []entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	to = s.crowd.take(to)
	for addr, c := range s.clients {
		if !c.empty() {
			to = c.take(to)
		} else if c.idle(window) {
			delete(s.clients, addr)
			if !c.known {
				s.unknown--
			}
		}
	}
	s.pending = 0
	return to
}
