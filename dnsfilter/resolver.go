// Resolver: whom one generation asks about which names, and what they said.

package dnsfilter

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"sallyport/rules"
)

// A ResolverConfig says how the names that one generation permits are resolved.
type ResolverConfig struct {
	Upstreams []Upstream                  // for every name outside of Zones
	Zones     []Zone                      // internal zones; the longest suffix wins
	Hosts     map[rules.Name][]netip.Addr // fixed answers, decided like any other
	Denied    Denied                      // the form of a denial
	NAT64     []netip.Prefix              // [resolve] nat64: their addresses need the Decision's leave, public ones too

	Cache    int // answers kept; 0: 10 000
	InFlight int // queries that wait for an upstream; 0: 1024
}

// A Zone is an internal zone: its names are asked of its own servers.
type Zone struct {
	Suffix    rules.Name
	Upstreams []Upstream
}

// A Resolver is the part of a generation that resolves names. Whom it asks never
// changes; what it remembers is its own, so a new one has no answer that an
// earlier generation got elsewhere.
type Resolver struct {
	root    *upstreamSet
	zones   map[rules.Name]*upstreamSet
	fixed   map[string]*entry   // Hosts, by key
	parents map[rules.Name]bool // names above one of Hosts or above a zone
	denied  Denied
	nat64   []netip.Prefix
	cache   *cache

	maxInFlight int                  // flights
	inflight    map[string]*inflight // guarded by the Filter's mu
}

// NewResolver makes a Resolver; a Filter uses it through a rules.Generation.
func NewResolver(c ResolverConfig) (*Resolver, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	r := newResolver(c)
	var err error
	r.fixed, err = fixedEntries(c.Hosts)
	for _, e := range r.fixed {
		e.markTranslated(r.nat64)
	}
	return r, err
}

// check tells what makes the configuration unusable.
func (c *ResolverConfig) check() error {
	var errs []error
	if len(c.Upstreams) == 0 {
		errs = append(errs, errors.New("dns: no upstream is configured"))
	}
	for _, z := range c.Zones {
		if z.Suffix.IsZero() {
			errs = append(errs, errors.New("dns: a zone has no suffix"))
		}
		if len(z.Upstreams) == 0 {
			errs = append(errs, fmt.Errorf("dns: zone %s has no upstream", z.Suffix))
		}
	}
	return errors.Join(errs...)
}

// newResolver is NewResolver for a configuration that was checked, without its
// fixed answers.
func newResolver(c ResolverConfig) *Resolver {
	r := &Resolver{
		root:        newUpstreamSet(rules.Name{}, c.Upstreams),
		zones:       map[rules.Name]*upstreamSet{},
		denied:      c.Denied,
		nat64:       c.NAT64,
		parents:     parentsOf(c.Zones, c.Hosts),
		cache:       newCache(orDefault(c.Cache, defaultCache)),
		maxInFlight: 3 * orDefault(c.InFlight, defaultInFlight), // of proven queries and of others, and a Lookup makes two
		inflight:    map[string]*inflight{},
	}
	for _, z := range c.Zones {
		r.zones[z.Suffix] = newUpstreamSet(z.Suffix, z.Upstreams)
	}
	return r
}

// sets lists every set of upstreams.
func (r *Resolver) sets() []*upstreamSet {
	sets := []*upstreamSet{r.root}
	for _, z := range r.zones {
		sets = append(sets, z)
	}
	return sets
}

// upstreams returns who is asked about a name: the zone with the longest
// suffix that the name is, or is below.
func (r *Resolver) upstreams(name rules.Name) *upstreamSet {
	if len(r.zones) > 0 {
		for n := name; !n.IsZero(); n = n.Parent() {
			if set := r.zones[n]; set != nil {
				return set
			}
		}
	}
	return r.root
}

// find returns the answer that is at hand, nil for none. key is of the name and
// the type alone.
func (r *Resolver) find(key []byte, w want, now time.Duration) *entry {
	if len(r.fixed) > 0 {
		if e := r.fixed[string(key)]; e != nil {
			return e
		}
	}
	return r.cache.get(w.appendTo(key), now)
}
