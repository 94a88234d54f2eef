// Pins: which names a client got an address for. A flow without a name is
// judged by the rules about those names.

package dnsfilter

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/rules"
)

// The lifetime of a pin: as long as the client may use the answer, and some
// time after that, because many clients keep an address longer.
const (
	minPinTTL = time.Minute // the least lifetime of an answer
	pinGrace  = 5 * time.Minute
	// pinSlack is added to the lifetime of a stored pin. If a client soon gets
	// the same answer again, the pin still lasts long enough and is only read.
	pinSlack = 10 * time.Second
)

// Limits of pins that the site cannot change.
const (
	maxPrefetched     = 1 << 16 // pins of prefetched names
	maxPinsPerAddress = 256     // names for one address
)

// Pinned returns the names for which the client got addr, and the prefetched
// names with that address, each once. It permits nothing: the caller decides
// about the client and the name.
func (f *Filter) Pinned(client, addr netip.Addr) []rules.Name {
	return f.pins.names(client.Unmap().WithZone(""), addr.Unmap().WithZone(""), f.clock())
}

// pins holds the pins of each client and the pins of prefetched names. Both
// kinds outlive a reload.
type pins struct {
	latest atomic.Int64 // the latest time seen, so that a clock set back revives no pin

	mu                    sync.RWMutex
	limit, perClientLimit int
	total                 int                      // number of pins of clients
	clients               map[netip.Addr]*pinTable // by network: more addresses do not give a client more pins
	prefetched            *pinTable
}

// pinTable holds the pins of one client network, or the pins of prefetched
// names.
type pinTable struct {
	n     int
	byKey map[pinKey][]pin
}

// pinKey is a client and an address. The client of a prefetched pin is zero:
// such a pin holds for all clients.
type pinKey struct{ client, addr netip.Addr }

// A pin is one name of an address.
type pin struct {
	name  rules.Name
	until time.Duration // on the filter's clock
}

func newPins() *pins {
	return &pins{clients: map[netip.Addr]*pinTable{}, prefetched: newPinTable()}
}

func newPinTable() *pinTable { return &pinTable{byKey: map[pinKey][]pin{}} }

// set changes the limits.
func (p *pins) set(limit, perClientLimit int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit, p.perClientLimit = max(1, limit), max(1, perClientLimit)
}

// monotonic returns now, or the latest time seen if the clock was set back.
func (p *pins) monotonic(now time.Duration) time.Duration {
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

// remember stores an answer to a client: the name in the question and the
// addresses that were not refused. The name is the start of any chain of
// aliases. If all these addresses are pinned for long enough, remember writes
// and allocates nothing.
func (p *pins) remember(client netip.Addr, name rules.Name, addrs, refused []netip.Addr, hold, now time.Duration) {
	now = p.monotonic(now)
	until := now + max(hold, minPinTTL) + pinGrace
	network := rules.SourceOf(client)
	p.mu.RLock()
	known := p.clients[network].covers(client, name, addrs, refused, until)
	p.mu.RUnlock()
	if known {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, addr := range addrs {
		if !slices.Contains(refused, addr) {
			p.put(network, pinKey{client, addr}, pin{name, until + pinSlack}, now)
		}
	}
}

// put adds or extends a client's pin. It drops other pins if there are too
// many.
func (p *pins) put(network netip.Addr, key pinKey, x pin, now time.Duration) {
	t := p.clients[network]
	if t == nil {
		t = newPinTable()
		p.clients[network] = t
	}
	before := t.n
	t.put(key, x, now)
	for t.n > p.perClientLimit {
		t.evict()
	}
	p.total += t.n - before
	for p.total > p.limit {
		p.evict()
	}
}

// evict looks at a few networks and drops a pin of the network with the most
// pins.
func (p *pins) evict() {
	var from netip.Addr
	var largest *pinTable
	looked := 0
	for network, t := range p.clients {
		if largest == nil || t.n > largest.n {
			from, largest = network, t
		}
		if looked++; looked == 8 {
			break
		}
	}
	p.total--
	if largest.evict(); largest.n == 0 {
		delete(p.clients, from)
	}
}

// rememberPrefetched stores a prefetched answer.
func (p *pins) rememberPrefetched(name rules.Name, addrs []netip.Addr, hold, now time.Duration) {
	now = p.monotonic(now)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, addr := range addrs {
		p.prefetched.put(pinKey{addr: addr}, pin{name, now + max(hold, minPinTTL) + pinGrace}, now)
	}
	for p.prefetched.n > maxPrefetched {
		p.prefetched.evict()
	}
}

// retain drops the pins of prefetched names that keep does not accept.
func (p *pins) retain(keep func(rules.Name) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, list := range p.prefetched.byKey {
		p.prefetched.store(key, slices.DeleteFunc(list, func(x pin) bool { return !keep(x.name) }), len(list))
	}
}

// names returns the names pinned to a client and an address.
func (p *pins) names(client, addr netip.Addr, now time.Duration) []rules.Name {
	now = p.monotonic(now)
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
		add(t.byKey[pinKey{client, addr}])
	}
	add(p.prefetched.byKey[pinKey{addr: addr}])
	return names
}

// covers reports whether every address that is not refused is pinned to the
// name until then or longer.
func (t *pinTable) covers(client netip.Addr, name rules.Name, addrs, refused []netip.Addr, until time.Duration) bool {
	if t == nil {
		return false
	}
	for _, addr := range addrs {
		list := t.byKey[pinKey{client, addr}]
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

// put adds or extends a pin. The number of names for one address is limited;
// expired names are dropped first.
func (t *pinTable) put(key pinKey, x pin, now time.Duration) {
	list := t.byKey[key]
	if i := indexOf(list, x.name); i >= 0 {
		list[i].until = max(list[i].until, x.until)
		return
	}
	had := len(list)
	list = slices.DeleteFunc(list, func(old pin) bool { return old.until <= now })
	if len(list) >= maxPinsPerAddress {
		list = withoutSoonest(list)
	}
	t.store(key, append(list, x), had)
}

// evict looks at the pins of a few random addresses and drops the pin that
// expires first. The random choice is Go's map order.
func (t *pinTable) evict() {
	var next pinKey
	var soonest time.Duration
	looked := 0
	for key, list := range t.byKey {
		if until := list[soonestOf(list)].until; looked == 0 || until < soonest {
			next, soonest = key, until
		}
		if looked++; looked == 8 {
			break
		}
	}
	list := t.byKey[next]
	t.store(next, withoutSoonest(list), len(list))
}

// store replaces the list under key. had is the length of the old list.
func (t *pinTable) store(key pinKey, list []pin, had int) {
	t.n += len(list) - had
	if len(list) == 0 {
		delete(t.byKey, key)
		return
	}
	t.byKey[key] = list
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
