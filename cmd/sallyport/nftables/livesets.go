// Live sets: keeps the packet filter's sets of addresses current, so that
// documented datagrams to names go where the names lead now.

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

// An AddressSet is the packet filter's side of a set of addresses.
type AddressSet interface {
	// Holds lists the addresses that a set has now.
	Holds(set string) ([]netip.Addr, error)
	// Put adds addresses, each for a time; for those that are there it begins anew.
	Put(set string, addrs map[netip.Addr]time.Duration) error
	// Drop takes addresses away; those that are not there are no error.
	Drop(set string, addrs []netip.Addr) error
}

// An address stays in its set for as long as the answer holds and a grace,
// so that a client may go on using what it was told.
const (
	setGrace   = 5 * time.Minute
	setLeast   = time.Minute // an answer that holds for less
	setMost    = 24 * time.Hour
	setRefresh = 2 * time.Second // how soon a reloaded ruleset has its addresses back
)

// LiveSets fills the sets of the policy in force with what the DNS filter
// learns. Fresh never waits; run does the work.
type LiveSets struct {
	sets   AddressSet
	policy func() *rules.Policy
	now    func() time.Time
	log    *slog.Logger
	wake   chan struct{}
	plan   atomic.Pointer[setPlan]

	mu      sync.Mutex
	kept    map[string]map[netip.Addr]lead // by set
	changed map[string]bool                // sets with addresses that are not put yet
	said    string                         // the failure that was logged last
}

// A lead is why an address is kept: the last name that led there, until when.
type lead struct {
	name  rules.Name
	until time.Time
}

// A setPlan is which grants of a policy have sets, and how these are called.
type setPlan struct {
	policy *rules.Policy
	grants []rules.Grant
	of     map[string]rules.Grant // by set
}

// permits tells whether the policy lets an address stay in a set.
func (p *setPlan) permits(set string, a netip.Addr, k lead) bool {
	g, ok := p.of[set]
	return ok && g.NamesHost(k.name) && passedTo(g, k.name, a)
}

func NewLiveSets(sets AddressSet, policy func() *rules.Policy, now func() time.Time, log *slog.Logger) *LiveSets {
	return &LiveSets{
		sets: sets, policy: policy, now: now, log: log, wake: make(chan struct{}, 1),
		kept: map[string]map[netip.Addr]lead{}, changed: map[string]bool{},
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
			if there, _ := passedPorts(g); there != "" && len(g.Names) > 0 {
				plan.grants = append(plan.grants, g)
				plan.of[setName(false, g)], plan.of[setName(true, g)] = g, g
			}
		}
	}
	l.plan.Store(plan)
	return plan
}

// Fresh takes the addresses that a name has for ttl. Only addresses that the
// policy lets datagrams to that name go to are put into a set.
func (l *LiveSets) Fresh(name rules.Name, addrs []netip.Addr, ttl time.Duration) {
	l.learn(nil, name, addrs, ttl)
}

// Answered takes the addresses that one client was told: the only way to know
// those of a name below a wildcard.
func (l *LiveSets) Answered(client netip.Addr, name rules.Name, addrs []netip.Addr, ttl time.Duration) {
	plan := l.current()
	if len(plan.grants) == 0 {
		return // as for every query of most sites
	}
	if c := plan.policy.ClientOf(client); c != nil {
		l.learn(c, name, addrs, ttl)
	}
}

// learn notes addresses in the sets of one client, or with nil of all.
func (l *LiveSets) learn(client *rules.Client, name rules.Name, addrs []netip.Addr, ttl time.Duration) {
	until := l.now().Add(min(max(ttl, setLeast), setMost) + setGrace)
	for _, g := range l.current().grants {
		if client != nil && g.Client != client || !g.NamesHost(name) {
			continue
		}
		for _, a := range addrs {
			if a = a.Unmap(); passedTo(g, name, a) {
				l.keep(setName(a.Is6(), g), a, lead{name, until})
			}
		}
	}
}

// keep notes one address. A full set takes no more, rather than push out what
// is in use.
func (l *LiveSets) keep(set string, a netip.Addr, k lead) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept[set] == nil {
		l.kept[set] = map[netip.Addr]lead{}
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

// Run puts what is fresh into the sets, and what a reload of the ruleset took
// away back again, until ctx ends. What is in the sets then times out.
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

// pass brings every set up to date; with look it also looks whether the sets
// still have what was put there.
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
			if plan.permits(set, a, k) { // else forget could not take it away
				left[a] = k.until.Sub(l.now())
			}
		}
		if len(left) == 0 {
			continue
		}
		if e := l.sets.Put(set, left); e != nil {
			err = e // and stays changed: the next pass tries again
			continue
		}
		delete(l.changed, set)
	}
	l.report(err)
}

// forget removes what has timed out, and takes away at once what the policy in
// force does not permit. What cannot be taken away it tries again next time.
func (l *LiveSets) forget(plan *setPlan) (err error) {
	for set, addrs := range l.kept {
		var gone []netip.Addr
		for a, k := range addrs {
			if !plan.permits(set, a, k) {
				gone = append(gone, a)
			} else if !l.now().Before(k.until) {
				delete(addrs, a) // the packet filter has its own clock
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

// lost tells whether a set lacks an address that it should have.
func (l *LiveSets) lost(set string, addrs map[netip.Addr]lead) bool {
	holds, err := l.sets.Holds(set)
	if err != nil {
		return true // putting it says why
	}
	for a := range addrs {
		if !slices.Contains(holds, a) {
			return true
		}
	}
	return false
}

// report logs a failure once, and its end.
func (l *LiveSets) report(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == l.said {
		return
	}
	if l.said = text; text == "" {
		l.log.Info("the packet filter's sets are current again")
		return
	}
	l.log.Error("cannot keep the packet filter's sets current; load the ruleset that sallyport nft prints", "error", text)
}
