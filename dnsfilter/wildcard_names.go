// Uniques: how many new names a client may have looked up where the labels are
// its own choice: below a wildcard or an internal zone. Those labels reach
// whoever runs the name servers of that suffix: without a bound they are a way
// out for whatever fits into labels.

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
	namePeriod = 5 * time.Minute
	// lookUpsEach is how many look-ups by DNS a client has in a minute for each of
	// those names: which of them it asks for, in what order, tells something, too.
	// Four are A and AAAA twice. By queries whose source is not proven it has
	// a quarter as many beside them (unprovenPart).
	lookUpsPerName = 4
	lookUpsPeriod  = time.Minute
	// What is kept at once, some 40 octets a name. Nothing is forgotten before
	// its time to make room: where there is none, no new name is admitted.
	maxNameClients = 1 << 16
	maxNames       = 1 << 20
	// sweepEvery is how often at most a full table is looked through.
	sweepEvery = time.Second
)

// uniques knows the names that each client was admitted in the last period. It
// may go on to use them. The period slides: each name counts for as long from
// its own admission, so that no stretch of that length has more new names than
// one client may have.
type nameQuota struct {
	seed maphash.Seed

	mu      sync.Mutex
	limit   int // names of one client in a period; 0 or less: no limit
	total   int // names kept, of all clients
	swept   time.Duration
	clients map[rules.Party]*clientNames
}

// usedNames is one client's names.
type clientNames struct {
	names map[uint64]struct{} // hashes, which nobody outside can make collide
	order []admittedName      // those, the oldest at first
	first int

	// The token buckets of look-ups: of queries whose source is proven, and of others.
	proven, unproven time.Duration
}

type admittedName struct {
	hash uint64
	at   time.Duration
}

func newNameQuota() *nameQuota {
	return &nameQuota{seed: maphash.MakeSeed(), clients: map[rules.Party]*clientNames{}}
}

// set changes the number of names.
func (u *nameQuota) set(limit int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.limit = limit
}

// has tells whether a client may use a name without being admitted a new one. It
// changes nothing of what the client may do.
func (u *nameQuota) has(client rules.Party, name rules.Name, now time.Duration) bool {
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

// lookUp takes a look-up of a client that was admitted a name, if it has one left.
func (u *nameQuota) lookUp(client rules.Party, proven bool, now time.Duration) bool {
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

// admit tells whether a client may use a name, and counts it where it is new.
func (u *nameQuota) admit(client rules.Party, name rules.Name, now time.Duration) bool {
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
	u.clients[client] = used // the search for room may have dropped it
	used.names[hash] = struct{}{}
	used.order = append(used.order, admittedName{hash, now})
	u.total++
	return true
}

// room tells whether one more name can be kept, and one more client where it is
// another's. It drops clients whose names have all expired.
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

// expire forgets the names whose time is over, and those of a time to come: the
// clock was set back. It returns how many.
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
	if 2*n.first > len(n.order) { // so that moving the rest costs no more than it frees
		n.order = append(n.order[:0], n.order[n.first:]...)
		n.first = 0
	}
	return had - len(n.names)
}

// overNames is why a client has to do with the names that it has.
const overNewNames = "limits.wildcard_names is reached: so many new names below wildcards and internal zones in 5 minutes"

// overLookUps is why a client has to do with the answers that it has.
const overLookUps = "limits.wildcard_names is reached: four times as many look-ups of names below wildcards and internal zones in a minute"

// AdmitName tells why a client whose address is proven may not have a name
// looked up for which it has the grant d; "" where it may. It may, unless only a
// wildcard or an internal zone permits the name, it is new, and the client has
// used up its number of those.
func (f *Filter) AdmitName(client netip.Addr, d rules.Decision, name rules.Name) string {
	if d.FreeLabels() && !f.nameQuota.admit(rules.PartyOf(client, d.Client), name, f.clock()) {
		return overNewNames
	}
	return ""
}
