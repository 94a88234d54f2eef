// Shard: a part of the clients behind one lock, so that callers rarely meet.

package journal

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"sallyport/rules"
)

const (
	shards         = 32
	shardClients   = 256 // parties that a shard tells apart
	shardUnproven  = 128 // of these, parties that only datagrams name
	unprovenDenied = 500 // denials a second, one by one, of all datagrams together
)

// A shard holds the clients whose addresses hash to it. All are clients that the
// configuration knows; the others are in unknownClients.
type shard struct {
	mu       sync.Mutex
	clients  map[rules.QuotaKey]*client
	unproven int    // clients in the table that only datagrams name
	crowd    client // every client that found no place: counted together
	counted  uint64 // denials that were recorded
	pending  uint64 // denials that are folded and not yet written
	permits  uint64 // permitted decisions and closes that are
	folded   uint64 // decisions that were ever folded
}

// client returns the state of a party. An address is cheap to forge in a
// datagram, so sources that only datagrams name get at most half of the table.
func (s *shard) client(by rules.QuotaKey, proven bool) *client {
	c := s.clients[by]
	if c != nil {
		if proven && !c.proven {
			c.proven = true
			s.unproven--
		}
		return c
	}
	if len(s.clients) >= shardClients || !proven && s.unproven >= shardUnproven {
		return &s.crowd
	}
	if s.clients == nil {
		s.clients = make(map[rules.QuotaKey]*client)
	}
	c = &client{proven: proven}
	s.clients[by] = c
	if !proven {
		s.unproven++
	}
	return c
}

// A budget is what several sources may spend together in a second: the number
// of the second above, what is spent of it below.
type budget struct{ state atomic.Uint64 }

func (b *budget) spend(window int64, most uint32) bool {
	s := b.state.Load()
	if uint32(s>>32) != uint32(window) {
		b.state.CompareAndSwap(s, uint64(uint32(window))<<32)
	}
	return uint32(b.state.Add(1)) <= most
}

// foldCrowd counts e by its configured client and reason only.
func (s *shard) foldCrowd(e *entry) {
	s.count(e)
	s.crowd.foldRest(e, e.key().class())
}

// fold counts e with its client.
func (s *shard) fold(c *client, e *entry, seed maphash.Seed) {
	s.count(e)
	c.fold(e, seed)
}

func (s *shard) count(e *entry) {
	s.folded += e.count
	if e.denied() {
		s.pending += e.count
	} else {
		s.permits += e.count
	}
}

// drain moves what was folded to the end of to and forgets clients that went
// quiet.
func (s *shard) drain(to []entry, window int64) []entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	to = s.crowd.unload(to)
	for by, c := range s.clients {
		if !c.empty() {
			to = c.unload(to)
		} else if c.idle(window) {
			delete(s.clients, by)
			if !c.proven {
				s.unproven--
			}
		}
	}
	s.pending, s.permits = 0, 0
	return to
}
