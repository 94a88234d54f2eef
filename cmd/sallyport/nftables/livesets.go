// Live sets: keeps the packet filter's sets of addresses current, so that datagrams
// to documented names pass to the current addresses of these names.

package nftables

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/rules"
)

// An AddressSet changes the packet filter's sets of addresses.
type AddressSet interface {
	// Holds returns the addresses in a set.
	Holds(set string) ([]netip.Addr, error)
	// Put adds addresses, each with a timeout. It renews the timeout of addresses in
	// the set.
	Put(set string, addrs map[netip.Addr]time.Duration) error
	// Drop removes addresses. An address that is not there is no error.
	Drop(set string, addrs []netip.Addr) error
}

// An address stays in its set for the lifetime of the answer and a grace period,
// because clients go on using an answer for a while.
const (
	setGrace   = 5 * time.Minute
	setLeast   = time.Minute // the shortest lifetime that is used
	setMost    = 24 * time.Hour
	setRefresh = 2 * time.Second // how often the sets are checked, because a reloaded ruleset has empty sets
)

// LiveSets puts the addresses that the DNS filter resolves into the sets of the
// policy in force. Fresh never waits; Run does the work.
type LiveSets struct {
	sets   AddressSet
	policy func() *rules.Policy
	now    func() time.Time
	log    *slog.Logger
	wake   chan struct{}
	plan   atomic.Pointer[setPlan]

	mu      sync.Mutex
	kept    map[string]map[netip.Addr]entry // by set
	changed map[string]bool                 // sets with addresses that are not in the kernel yet
	logged  string                          // the last failure in the log
}

// An entry is the reason to keep an address in a set: the last name that has the address,
// and the time until which the set keeps it.
type entry struct {
	name  rules.Name
	until time.Time
}

// A setPlan lists the grants of a policy that have sets, and the names of these sets.
type setPlan struct {
	policy *rules.Policy
	grants []rules.Grant
	of     map[string]rules.Grant // by set
}

// permits reports whether the policy permits an address in a set.
func (p *setPlan) permits(set string, a netip.Addr, k entry) bool {
	g, ok := p.of[set]
	return ok && g.NamesHost(k.name) && permitsDatagrams(g, k.name, a)
}

// NewLiveSets returns live sets that take the policy from policy.
func NewLiveSets(sets AddressSet, policy func() *rules.Policy, now func() time.Time, log *slog.Logger) *LiveSets {
	return &LiveSets{
		sets: sets, policy: policy, now: now, log: log, wake: make(chan struct{}, 1),
		kept: map[string]map[netip.Addr]entry{}, changed: map[string]bool{},
	}
}

// current returns the plan of the policy in force.
func (l *LiveSets) current() *setPlan {
	policy, plan := l.policy(), l.plan.Load()
	if plan != nil && plan.policy == policy {
		return plan
	}
	plan = &setPlan{policy: policy, of: map[string]rules.Grant{}}
	if policy != nil {
		for _, g := range policy.Grants() {
			if there, _ := passedPorts(g); there != "" && g.HasNames() && !g.Client.Demands() {
				plan.grants = append(plan.grants, g)
				plan.of[setName(false, g)], plan.of[setName(true, g)] = g, g
			}
		}
	}
	l.plan.Store(plan)
	return plan
}

// Fresh adds the addresses that a name has for ttl. An address goes into a set only
// if the policy permits datagrams to that name at that address.
func (l *LiveSets) Fresh(name rules.Name, addrs []netip.Addr, ttl time.Duration) {
	l.learn(nil, name, addrs, ttl)
}

// Answered adds the addresses in an answer to one client. A name below a wildcard
// becomes known only by an answer.
func (l *LiveSets) Answered(client netip.Addr, name rules.Name, addrs []netip.Addr, ttl time.Duration) {
	plan := l.current()
	if len(plan.grants) == 0 {
		return // most sites have no such rule
	}
	if c := plan.policy.ClientOf(client); c != nil {
		l.learn(c, name, addrs, ttl)
	}
}

// learn adds addresses to the sets of one client; nil: of all clients.
func (l *LiveSets) learn(client *rules.Client, name rules.Name, addrs []netip.Addr, ttl time.Duration) {
	until := l.now().Add(min(max(ttl, setLeast), setMost) + setGrace)
	for _, g := range l.current().grants {
		if client != nil && g.Client != client || !g.NamesHost(name) {
			continue
		}
		for _, a := range addrs {
			if a = a.Unmap(); permitsDatagrams(g, name, a) {
				l.keep(setName(a.Is6(), g), a, entry{name, until})
			}
		}
	}
}

// keep adds one address. A full set accepts no new address, so that the
// addresses in use stay.
func (l *LiveSets) keep(set string, a netip.Addr, k entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept[set] == nil {
		l.kept[set] = map[netip.Addr]entry{}
	}
	if _, known := l.kept[set][a]; known || len(l.kept[set]) < setSize {
		l.kept[set][a] = k
		l.changed[set] = true
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run puts new addresses into the sets, and puts back the addresses that a
// reload of the ruleset removed, until ctx ends. Then the addresses in the sets
// time out.
func (l *LiveSets) Run(ctx context.Context) {
	tick := time.NewTicker(setRefresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
			l.pass(false)
		case <-tick.C:
			l.pass(true)
		}
	}
}

// pass updates every set. With look it also checks that the sets still have their
// addresses.
func (l *LiveSets) pass(look bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	plan := l.current()
	err := l.forget(plan)
	for set, addrs := range l.kept {
		if look && !l.changed[set] && l.lost(set, addrs) {
			l.changed[set] = true
		}
		if !l.changed[set] {
			continue
		}
		left := map[netip.Addr]time.Duration{}
		for a, k := range addrs {
			if plan.permits(set, a, k) { // forget could not remove an address that is no longer permitted
				left[a] = k.until.Sub(l.now())
			}
		}
		if len(left) == 0 {
			continue
		}
		if e := l.sets.Put(set, left); e != nil {
			err = e // the set stays changed, so the next pass tries again
			continue
		}
		delete(l.changed, set)
	}
	l.report(err)
}

// forget removes addresses that have timed out, and at once the addresses that
// the policy in force does not permit. If it cannot remove an address, it tries
// again later.
func (l *LiveSets) forget(plan *setPlan) (err error) {
	for set, addrs := range l.kept {
		var gone []netip.Addr
		for a, k := range addrs {
			if !plan.permits(set, a, k) {
				gone = append(gone, a)
			} else if !l.now().Before(k.until) {
				delete(addrs, a) // the packet filter removes it by its own timeout
			}
		}
		if len(gone) > 0 {
			if e := l.sets.Drop(set, gone); e != nil {
				err = e
				continue
			}
			for _, a := range gone {
				delete(addrs, a)
			}
		}
		if len(addrs) == 0 {
			delete(l.kept, set)
			delete(l.changed, set)
		}
	}
	return err
}

// lost reports whether a set lacks an address that it should have.
func (l *LiveSets) lost(set string, addrs map[netip.Addr]entry) bool {
	holds, err := l.sets.Holds(set)
	if err != nil {
		return true // Put returns the error again
	}
	for a := range addrs {
		if !slices.Contains(holds, a) {
			return true
		}
	}
	return false
}

// report logs the begin and the end of a failure.
func (l *LiveSets) report(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == l.logged {
		return
	}
	if l.logged = text; text == "" {
		l.log.Info("the packet filter's sets are current again")
		return
	}
	l.log.Error("cannot keep the packet filter's sets current; load the ruleset that sallyport nft prints", "error", text)
}
