// Uniques: how many different names below wildcards a client may have looked up.
// The labels in front of a wildcard's suffix are the client's to choose, and
// reach whoever runs the name servers of that suffix: without a bound they are a
// way out for whatever fits into labels.

package dnsfilter

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"sallyport/rules"
)

const (
	// uniquePeriod is what the number of names is for. In five minutes a client
	// uses some 20 names below a domain; a tunnel through DNS takes hundreds.
	uniquePeriod = 5 * time.Minute
	// clientsAtUniques bounds the memory: the names of one client take some
	// 10 KB by default.
	clientsAtUniques = 2048
)

// uniques knows the names that each client has used in its present period.
// Those it may go on to use; new ones are counted.
type uniques struct {
	seed maphash.Seed

	mu      sync.Mutex
	most    int // names of one client in a period; 0 or less: no limit
	clients map[netip.Addr]*usedNames
}

// usedNames is one client's period.
type usedNames struct {
	since time.Duration
	names map[uint64]struct{} // hashes, which nobody outside can make collide
}

func newUniques() *uniques {
	return &uniques{seed: maphash.MakeSeed(), clients: map[netip.Addr]*usedNames{}}
}

// set changes the number of names.
func (u *uniques) set(most int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.most = most
}

// admit tells whether a client may use a name, and counts it where it is new.
func (u *uniques) admit(client netip.Addr, name rules.Name, now time.Duration) bool {
	client = rules.SourceOf(client)
	hash := maphash.String(u.seed, name.String())
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.most <= 0 {
		return true
	}
	used := u.clients[client]
	if used == nil || used.over(now) {
		if used == nil && len(u.clients) >= clientsAtUniques {
			u.evict(now)
		}
		used = &usedNames{since: now, names: map[uint64]struct{}{}}
		u.clients[client] = used
	}
	if _, known := used.names[hash]; known {
		return true
	}
	if len(used.names) >= u.most {
		return false
	}
	used.names[hash] = struct{}{}
	return true
}

// over tells whether a period has ended, or lies ahead of a clock that was set back.
func (n *usedNames) over(now time.Duration) bool {
	return now < n.since || now-n.since >= uniquePeriod
}

// evict makes room for a client: it forgets one whose period is over, or the one
// of a few that began first.
func (u *uniques) evict(now time.Duration) {
	delete(u.clients, victim(u.clients,
		func(n *usedNames) bool { return n.over(now) },
		func(a, b *usedNames) bool { return a.since < b.since }))
}

// overNames is why a client has to do with the names that it has.
const overNames = "limits.wildcard_names is reached: so many different names below wildcards in 5 minutes"

// AdmitName tells why a client may not have a name looked up for which it has
// the grant d; "" where it may. It may, unless only a wildcard permits the name,
// it is new, and the client has used up its number of those.
func (f *Filter) AdmitName(client netip.Addr, d rules.Decision, name rules.Name) string {
	if d.ByWildcard() && !f.uniques.admit(client, name, f.clock()) {
		return overNames
	}
	return ""
}
