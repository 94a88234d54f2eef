// Pins: which names a client was told an address for. A flow that shows no
// name is held against the rules about those.

package dnsfilter

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/rules"
)

// How long a pin lives: as long as the client may use the answer, and then
// for a while, as many a client keeps an address for longer than that.
const (
	pinLeast = time.Minute // what any TTL counts at least
	pinGrace = 5 * time.Minute
	// pinSlack is added to what is written, so that the same answer given
	// again finds its pins good enough and only reads.
	pinSlack = 10 * time.Second
)

// The most that is remembered beside Limits.
const (
	maxAhead     = 1 << 16 // pins of names looked up ahead
	maxPinsAlike = 256     // names for one address
)

// Pinned returns the names that the client was told addr for, and those that
// were looked up ahead and have that address, each once. It permits nothing:
// the caller decides about the client and the name.
func (f *Filter) Pinned(client, addr netip.Addr) []rules.Name {
	return f.pins.names(client.Unmap().WithZone(""), addr.Unmap().WithZone(""), f.clock())
}

// pins remembers, for every client by itself, and for names looked up ahead.
// Both outlive a reload.
type pins struct {
	latest atomic.Int64 // the latest time seen; a clock set back revives nothing

	mu             sync.RWMutex
	most, mostEach int
	all            int                      // pins of clients
	clients        map[netip.Addr]*pinTable // by network, so that no client multiplies its share
	ahead          *pinTable
}

// pinTable is the pins of one client network, or those made ahead.
type pinTable struct {
	n  int
	at map[flowEnds][]pin
}

// flowEnds is between whom a pin counts. Made ahead it counts for any client:
// that address is then the zero one.
type flowEnds struct{ client, addr netip.Addr }

// A pin is one name of an address.
type pin struct {
	name  rules.Name
	until time.Duration // on the filter's clock
}

func newPins() *pins {
	return &pins{clients: map[netip.Addr]*pinTable{}, ahead: newPinTable()}
}

func newPinTable() *pinTable { return &pinTable{at: map[flowEnds][]pin{}} }

// set changes the bounds.
func (p *pins) set(most, mostEach int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most, p.mostEach = max(1, most), max(1, mostEach)
}

// steady is now, or the latest time seen where the clock was set back.
func (p *pins) steady(now time.Duration) time.Duration {
	for {
		latest := p.latest.Load()
		if int64(now) <= latest {
			return time.Duration(latest)
		}
		if p.latest.CompareAndSwap(latest, int64(now)) {
			return now
		}
	}
}

// told remembers an answer that a client is given: the name that it asked
// for, whatever aliases led on from there, with the addresses less those
// refused. Where all of it is known already nothing is written or allocated.
func (p *pins) told(client netip.Addr, name rules.Name, addrs, refused []netip.Addr, hold, now time.Duration) {
	now = p.steady(now)
	until := now + max(hold, pinLeast) + pinGrace
	home := rules.SourceOf(client)
	p.mu.RLock()
	known := p.clients[home].covers(client, name, addrs, refused, until)
	p.mu.RUnlock()
	if known {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, addr := range addrs {
		if !slices.Contains(refused, addr) {
			p.put(home, flowEnds{client, addr}, pin{name, until + pinSlack}, now)
		}
	}
}

// put adds a client's pin, or prolongs it, and makes room for it.
func (p *pins) put(home netip.Addr, ends flowEnds, x pin, now time.Duration) {
	t := p.clients[home]
	if t == nil {
		t = newPinTable()
		p.clients[home] = t
	}
	before := t.n
	t.put(ends, x, now)
	for t.n > p.mostEach {
		t.evict()
	}
	p.all += t.n - before
	for p.all > p.most {
		p.evict()
	}
}

// evict takes a pin from the network that has most of them, among a few.
func (p *pins) evict() {
	var from netip.Addr
	var most *pinTable
	looked := 0
	for home, t := range p.clients {
		if most == nil || t.n > most.n {
			from, most = home, t
		}
		if looked++; looked == 8 {
			break
		}
	}
	p.all--
	if most.evict(); most.n == 0 {
		delete(p.clients, from)
	}
}

// found remembers an answer that was looked up ahead.
func (p *pins) found(name rules.Name, addrs []netip.Addr, hold, now time.Duration) {
	now = p.steady(now)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, addr := range addrs {
		p.ahead.put(flowEnds{addr: addr}, pin{name, now + max(hold, pinLeast) + pinGrace}, now)
	}
	for p.ahead.n > maxAhead {
		p.ahead.evict()
	}
}

// retain forgets the names made ahead that are not to be kept.
func (p *pins) retain(keep func(rules.Name) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ends, list := range p.ahead.at {
		p.ahead.store(ends, slices.DeleteFunc(list, func(x pin) bool { return !keep(x.name) }), len(list))
	}
}

// names lists what is pinned between a client and an address.
func (p *pins) names(client, addr netip.Addr, now time.Duration) []rules.Name {
	now = p.steady(now)
	p.mu.RLock()
	defer p.mu.RUnlock()
	var names []rules.Name
	add := func(list []pin) {
		for _, x := range list {
			if now < x.until && !slices.Contains(names, x.name) {
				names = append(names, x.name)
			}
		}
	}
	if t := p.clients[rules.SourceOf(client)]; t != nil {
		add(t.at[flowEnds{client, addr}])
	}
	add(p.ahead.at[flowEnds{addr: addr}])
	return names
}

// covers tells whether every address is pinned to the name for long enough.
func (t *pinTable) covers(client netip.Addr, name rules.Name, addrs, refused []netip.Addr, until time.Duration) bool {
	if t == nil {
		return false
	}
	for _, addr := range addrs {
		list := t.at[flowEnds{client, addr}]
		if i := indexOf(list, name); (i < 0 || list[i].until < until) && !slices.Contains(refused, addr) {
			return false
		}
	}
	return true
}

func indexOf(list []pin, name rules.Name) int {
	for i := range list {
		if list[i].name == name {
			return i
		}
	}
	return -1
}

// put adds a pin or prolongs it. One address has so many names only; those
// that have expired go first.
func (t *pinTable) put(ends flowEnds, x pin, now time.Duration) {
	list := t.at[ends]
	if i := indexOf(list, x.name); i >= 0 {
		list[i].until = max(list[i].until, x.until)
		return
	}
	had := len(list)
	list = slices.DeleteFunc(list, func(old pin) bool { return old.until <= now })
	if len(list) >= maxPinsAlike {
		list = withoutSoonest(list)
	}
	t.store(ends, append(list, x), had)
}

// evict forgets the pin that expires first among those of a few addresses:
// Go's map order is the random choice.
func (t *pinTable) evict() {
	var at flowEnds
	var soonest time.Duration
	looked := 0
	for ends, list := range t.at {
		if until := list[soonestOf(list)].until; looked == 0 || until < soonest {
			at, soonest = ends, until
		}
		if looked++; looked == 8 {
			break
		}
	}
	list := t.at[at]
	t.store(at, withoutSoonest(list), len(list))
}

// store keeps a list that had so many pins before.
func (t *pinTable) store(ends flowEnds, list []pin, had int) {
	t.n += len(list) - had
	if len(list) == 0 {
		delete(t.at, ends)
		return
	}
	t.at[ends] = list
}

func withoutSoonest(list []pin) []pin {
	i := soonestOf(list)
	return slices.Delete(list, i, i+1)
}

func soonestOf(list []pin) int {
	first := 0
	for i := range list {
		if list[i].until < list[first].until {
			first = i
		}
	}
	return first
}
