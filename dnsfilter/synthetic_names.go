// Synthetic names: the names that are not listed exactly, such as those below wildcards, with the
// synthetic addresses that clients got for them. The address alone does not say the name, so only
// a name that a client has asked for can be found.

package dnsfilter

import (
	"net/netip"
	"sync"
	"time"

	"sallyport/rules"
)

// The limits of what is stored. Above a limit, the name that was not used for the longest time is
// dropped, of a few that are looked at: its client asks again when the answer has expired.
const (
	maxLearned          = 1 << 16
	maxLearnedPerClient = 4096
	learnedHold         = time.Hour // how long a name keeps its address after its last use
)

// learnedNames is the table of these names.
type learnedNames struct {
	mu    sync.Mutex
	n     int
	by    map[rules.QuotaKey]map[netip.Addr]*learnedName
	found map[netip.Addr][]*learnedName // the same, by address
}

// A learnedName is a name that one client asked for.
type learnedName struct {
	name rules.Name
	by   rules.QuotaKey
	used time.Duration // the last query or connection, on the filter's clock
}

func newLearnedNames() *learnedNames {
	return &learnedNames{by: map[rules.QuotaKey]map[netip.Addr]*learnedName{}, found: map[netip.Addr][]*learnedName{}}
}

// holds reports whether the name still has its address.
func (l *learnedName) holds(now time.Duration) bool { return now-l.used < learnedHold }

// learn remembers that a client got addr for a name. If the client uses another name at that
// address, learn remembers nothing and returns the other name.
func (t *learnedNames) learn(by rules.QuotaKey, name rules.Name, addr netip.Addr, now time.Duration) (other rules.Name) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.by[by][addr]; l != nil {
		if l.name != name && l.holds(now) {
			return l.name
		}
		l.name, l.used = name, max(l.used, now)
		return rules.Name{}
	}
	for len(t.by[by]) >= maxLearnedPerClient {
		t.drop(by)
	}
	for t.n >= maxLearned {
		t.drop(t.largest())
	}
	if t.by[by] == nil {
		t.by[by] = map[netip.Addr]*learnedName{}
	}
	l := &learnedName{name, by, now}
	t.by[by][addr] = l
	t.found[addr] = append(t.found[addr], l)
	t.n++
	return rules.Name{}
}

// find returns the name that a client means by addr: the name that this source asked for; otherwise
// the name that all sources of the same [[client]] asked for; otherwise, for an IPv6 address, the
// name that anyone asked for, because two names never have the same one. It is zero if there is
// none. The name keeps its address for another hold.
func (t *learnedNames) find(by rules.QuotaKey, addr netip.Addr, now time.Duration) rules.Name {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.by[by][addr]; l != nil && l.holds(now) {
		l.used = max(l.used, now)
		return l.name
	}
	var one *learnedName
	for _, l := range t.found[addr] {
		if !l.holds(now) || l.by.Client != by.Client && addr.Is4() {
			continue
		}
		if one != nil && one.name != l.name {
			return rules.Name{}
		}
		one = l
	}
	if one == nil {
		return rules.Name{}
	}
	one.used = max(one.used, now)
	return one.name
}

// len returns the number of names in the table.
func (t *learnedNames) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}

// drop looks at a few names of a client and drops the one that was not used for the longest time.
// The choice of the few is Go's map order.
func (t *learnedNames) drop(by rules.QuotaKey) {
	var addr netip.Addr
	var oldest *learnedName
	looked := 0
	for at, l := range t.by[by] {
		if oldest == nil || l.used < oldest.used {
			addr, oldest = at, l
		}
		if looked++; looked == 8 {
			break
		}
	}
	if oldest == nil {
		return
	}
	if delete(t.by[by], addr); len(t.by[by]) == 0 {
		delete(t.by, by)
	}
	list := t.found[addr]
	for i, l := range list {
		if l == oldest {
			list = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	if t.found[addr] = list; len(list) == 0 {
		delete(t.found, addr)
	}
	t.n--
}

// largest looks at a few clients and returns the one with the most names.
func (t *learnedNames) largest() (by rules.QuotaKey) {
	looked, most := 0, 0
	for key, names := range t.by {
		if len(names) > most {
			by, most = key, len(names)
		}
		if looked++; looked == 8 {
			break
		}
	}
	return by
}
