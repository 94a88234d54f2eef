// Found: the addresses that the names of parents and sinks have led to, which no client may reach.

package rules

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// foundFor is how long an address counts after the last look-up that had it. Names of proxies
	// rotate among several addresses.
	foundFor = time.Hour
	// foundAgain is how old the time of an address may be before it is written anew.
	foundAgain = time.Minute
	// foundMost bounds the addresses of one name. The latest stay.
	foundMost = 256
)

// Found holds the addresses of names that stand in the url of a parent or a sink. Every policy of
// a process shares it. To read it takes no lock. A nil Found is empty.
type Found struct {
	mu   sync.Mutex // held by writers
	list atomic.Pointer[[]foundAddr]
	grew atomic.Uint64
}

// A foundAddr is an address of a name, and when a look-up last had it.
type foundAddr struct {
	name Name
	addr netip.Addr
	seen time.Time
}

// Remember keeps the addresses that name resolved to now.
func (f *Found) Remember(name Name, addrs []netip.Addr, now time.Time) {
	if f == nil || name.IsZero() || f.fresh(name, addrs, now) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []foundAddr
	for _, one := range f.all() {
		if now.Sub(one.seen) < foundFor {
			list = append(list, one)
		}
	}
	for _, addr := range addrs {
		one := foundAddr{name, unzoned(addr), now}
		if i := slices.IndexFunc(list, func(o foundAddr) bool { return o.name == name && o.addr == one.addr }); i >= 0 {
			list = slices.Delete(list, i, i+1)
		} else {
			f.grew.Add(1)
		}
		list = append(list, one)
	}
	list = newest(list, name)
	f.list.Store(&list)
}

// fresh reports whether all of addrs were remembered a short time ago, so that nothing is to be
// written.
func (f *Found) fresh(name Name, addrs []netip.Addr, now time.Time) bool {
	return !slices.ContainsFunc(addrs, func(addr netip.Addr) bool {
		addr = unzoned(addr)
		return !slices.ContainsFunc(f.all(), func(o foundAddr) bool {
			return o.name == name && o.addr == addr && now.Sub(o.seen) < foundAgain
		})
	})
}

// newest removes the oldest addresses of a name that has too many. The newest stand last.
func newest(list []foundAddr, name Name) []foundAddr {
	over := -foundMost
	for _, one := range list {
		if one.name == name {
			over++
		}
	}
	return slices.DeleteFunc(list, func(o foundAddr) bool {
		if o.name != name || over <= 0 {
			return false
		}
		over--
		return true
	})
}

// all returns the addresses, the latest last.
func (f *Found) all() []foundAddr {
	if f == nil {
		return nil
	}
	if list := f.list.Load(); list != nil {
		return *list
	}
	return nil
}

// Growth counts the addresses that were added. When it changes, an open flow may lead to a parent or a
// sink whose address was not known before.
func (f *Found) Growth() uint64 {
	if f == nil {
		return 0
	}
	return f.grew.Load()
}

// unzoned returns an address as it is compared: an IPv4 address in its own form, and no zone.
func unzoned(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }
