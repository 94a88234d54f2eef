// Wildcard names: how many new names a client may have looked up below a
// wildcard or an internal zone. There the client chooses the labels, and they
// reach the operator of the suffix's name servers. Without a limit, labels
// could carry any data out.

package dnsfilter

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"sallyport/rules"
)

const (
	// namePeriod is the period of the quota. In five minutes a client uses
	// about 20 names below a domain; a tunnel through DNS needs hundreds.
	namePeriod = 5 * time.Minute
	// lookUpsPerName is how many look-ups by DNS a client has in a minute for
	// each name of its quota. They are limited because the choice and order of
	// names can carry data too. Four look-ups are A and AAAA twice. Queries
	// without a proven source have a separate limit, a quarter of this one
	// (unprovenFraction).
	lookUpsPerName = 4
	lookUpsPeriod  = time.Minute
	// The limits of what is stored, about 40 bytes a name. No name is dropped
	// early to make room: if the table is full, no new name is admitted.
	maxNameClients = 1 << 16
	maxNames       = 1 << 20
	// sweepEvery is the least time between two searches for expired names in a
	// full table.
	sweepEvery = time.Second
)

// nameQuota holds the names that were admitted for each client in the last
// period. The client may use them again. The period slides: a name counts for
// one period from its admission. So no interval of that length has more new
// names than the quota.
type nameQuota struct {
	seed maphash.Seed

	mu      sync.Mutex
	limit   int // names of one client in a period; 0 or less: no limit
	total   int // names of all clients
	swept   time.Duration
	clients map[rules.QuotaKey]*clientNames
}

// clientNames holds one client's names.
type clientNames struct {
	names map[uint64]struct{} // hashes with a secret seed: clients cannot make them collide
	order []admittedName      // the same hashes, oldest first
	first int

	// The token buckets of look-ups, for queries with and without a proven
	// source.
	proven, unproven time.Duration
}

type admittedName struct {
	hash uint64
	at   time.Duration
}

func newNameQuota() *nameQuota {
	return &nameQuota{seed: maphash.MakeSeed(), clients: map[rules.QuotaKey]*clientNames{}}
}

// set changes the limit of names.
func (u *nameQuota) set(limit int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.limit = limit
}

// has reports whether a client may use a name without a new admission. The
// check uses up nothing.
func (u *nameQuota) has(client rules.QuotaKey, name rules.Name, now time.Duration) bool {
	hash := maphash.String(u.seed, name.String())
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.limit <= 0 {
		return true
	}
	used := u.clients[client]
	if used == nil {
		return false
	}
	u.total -= used.expire(now)
	_, known := used.names[hash]
	return known
}

// lookUp takes one look-up from the quota of a client with admitted names, and
// reports whether a look-up was left.
func (u *nameQuota) lookUp(client rules.QuotaKey, proven bool, now time.Duration) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	used := u.clients[client]
	if u.limit <= 0 || used == nil {
		return u.limit <= 0
	}
	full, limit := &used.unproven, max(1, lookUpsPerName*u.limit/unprovenFraction)
	if proven {
		full, limit = &used.proven, lookUpsPerName*u.limit
	}
	var ok bool
	*full, ok = spend(*full, now, lookUpsPeriod/time.Duration(limit), lookUpsPeriod)
	return ok
}

// admit reports whether a client may use a name. It counts a new name.
func (u *nameQuota) admit(client rules.QuotaKey, name rules.Name, now time.Duration) bool {
	hash := maphash.String(u.seed, name.String())
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.limit <= 0 {
		return true
	}
	used := u.clients[client]
	if used != nil {
		u.total -= used.expire(now)
		if _, known := used.names[hash]; known {
			return true
		}
		if len(used.names) >= u.limit {
			return false
		}
	}
	if !u.room(used == nil, now) {
		return false
	}
	if used == nil {
		used = &clientNames{names: map[uint64]struct{}{}}
	}
	u.clients[client] = used // room may have removed it
	used.names[hash] = struct{}{}
	used.order = append(used.order, admittedName{hash, now})
	u.total++
	return true
}

// room reports whether there is room for one more name. If another is true,
// there must also be room for one more client. room drops clients whose names
// have all expired.
func (u *nameQuota) room(another bool, now time.Duration) bool {
	full := func() bool { return u.total >= maxNames || another && len(u.clients) >= maxNameClients }
	if since := now - u.swept; full() && (since >= sweepEvery || since < 0) {
		u.swept = now
		for client, used := range u.clients {
			if u.total -= used.expire(now); len(used.names) == 0 {
				delete(u.clients, client)
			}
		}
	}
	return !full()
}

// expire drops the names whose time is over. It also drops names from the
// future, which exist only if the clock was set back. It returns how many it
// dropped.
func (n *clientNames) expire(now time.Duration) int {
	had := len(n.names)
	for n.first < len(n.order) {
		at := n.order[n.first].at
		if at <= now && now-at < namePeriod {
			break
		}
		delete(n.names, n.order[n.first].hash)
		n.first++
	}
	if 2*n.first > len(n.order) { // moving the rest costs no more than it frees
		n.order = append(n.order[:0], n.order[n.first:]...)
		n.first = 0
	}
	return had - len(n.names)
}

// overNewNames is the detail of a denial because the quota of new names is used
// up.
const overNewNames = "limits.wildcard_names is reached: the client asked for that many new names below wildcards and internal zones in 5 minutes"

// overLookUps is the detail of a denial because the quota of look-ups is used
// up.
const overLookUps = "limits.wildcard_names is reached: the client had four times that many look-ups below wildcards and internal zones in a minute"

// AdmitName returns the reason why the filter may not look up a name that d
// permits for a client with a proven address, or "" if it may. It refuses a
// name only if three conditions hold: only a wildcard or an internal zone
// permits the name, the name is new, and the client's quota of new names is
// used up.
func (f *Filter) AdmitName(client netip.Addr, d rules.Decision, name rules.Name) string {
	if d.FreeLabels() && !f.nameQuota.admit(rules.QuotaKeyOf(client, d.Client), name, f.clock()) {
		return overNewNames
	}
	return ""
}
