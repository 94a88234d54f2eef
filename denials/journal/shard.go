// Shard: a part of the clients with a lock of its own, so that callers rarely
// wait for each other.

package journal

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"sallyport/rules"
)

const (
	shards         = 32
	shardClients   = 256 // clients with a state of their own in one shard
	shardUnproven  = 128 // clients of one shard that are known only from datagrams
	unprovenDenied = 500 // records of single denied datagrams in a second, for all clients together
)

// A shard holds the clients whose addresses hash to it. All have the address of a
// [[client]]; unknownClients has the others.
type shard struct {
	mu       sync.Mutex
	clients  map[rules.QuotaKey]*client
	unproven int    // clients in the table that are known only from datagrams
	crowd    client // counts all clients that did not fit into the table
	counted  uint64 // denials that were recorded
	pending  uint64 // denials that are folded and not yet written
	permits  uint64 // permitted decisions and closes that are folded and not yet written
	folded   uint64 // all decisions that were folded
}

// client returns the state of a client. A forged address in a datagram costs
// its sender nothing, so clients that are known only from datagrams get at
// most half of the table.
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

// A budget limits what several sources together may use in a second. The upper
// half is the number of the second, the lower half is the used part.
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

// drain appends the folded entries to the end of to, and forgets idle clients.
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
