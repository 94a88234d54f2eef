// Resolver: the upstreams, zones, fixed answers and cache of one generation.

package dnsfilter

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"sallyport/rules"
)

// A ResolverConfig configures how the permitted names of one generation are
// resolved.
type ResolverConfig struct {
	Upstreams []rules.Upstream            // for all names outside of Zones
	Zones     []Zone                      // internal zones; the longest suffix wins
	Hosts     map[rules.Name][]netip.Addr // fixed answers; queries for them are decided like all others
	Denied    Denied                      // the form of replies to denied queries
	DNSSEC    DNSSEC                      // what the answers of Upstreams must prove; not those of Zones and Hosts
	NAT64     []netip.Prefix              // [resolve] nat64: the Decision must reach addresses below these prefixes, even public addresses

	Roots *x509.CertPool // sign the certificates of upstreams with a name; nil: there is no such upstream

	// Alone means that Upstreams may be empty: only Hosts and Zones are answered. A site whose parent
	// proxies resolve names needs no more.
	Alone bool

	Cache    int // size of the cache in answers; 0: 10 000
	InFlight int // queries in flight to upstreams; 0: 1024
}

// A Zone is an internal zone. Its own servers answer for its names.
type Zone struct {
	Suffix    rules.Name
	Upstreams []rules.Upstream
}

// A Resolver is the part of a generation that resolves names. Its upstreams
// never change. Its cache is its own, so a new Resolver has no answers from the
// upstreams of an earlier generation.
type Resolver struct {
	root    *upstreamSet
	zones   map[rules.Name]*upstreamSet
	fixed   map[string]*entry   // answers of Hosts, by key
	parents map[rules.Name]bool // names above a name of Hosts or above a zone
	denied  Denied
	nat64   []netip.Prefix
	cache   *cache

	maxInFlight int                  // exchanges in flight
	inflight    map[string]*inflight // guarded by the Filter's mu
}

// NewResolver makes a Resolver. A Filter uses it through a rules.Generation.
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

// check returns an error if the configuration is unusable.
func (c *ResolverConfig) check() error {
	var errs []error
	if len(c.Upstreams) == 0 && !c.Alone {
		errs = append(errs, errors.New("dns: no upstream is configured"))
	}
	errs = append(errs, c.checkProofs(c.Upstreams), c.checkDNSSEC())
	for _, z := range c.Zones {
		errs = append(errs, c.checkProofs(z.Upstreams))
		if z.Suffix.IsZero() {
			errs = append(errs, errors.New("dns: a zone has no suffix"))
		}
		if len(z.Upstreams) == 0 {
			errs = append(errs, fmt.Errorf("dns: zone %s has no upstream", z.Suffix))
		}
	}
	return errors.Join(errs...)
}

// checkProofs returns an error if an upstream that must prove who it is could not.
func (c *ResolverConfig) checkProofs(ups []rules.Upstream) error {
	for _, u := range ups {
		switch {
		case u.Over == rules.OverHTTPS && u.Path == "", u.Over.Proven() && u.Name == "" && u.Pins == "":
			return fmt.Errorf("dns: upstream %s lacks its path, or what it must prove", u)
		case u.Over.Proven() && u.Name != "" && c.Roots == nil:
			return fmt.Errorf("dns: there is no authority to check the certificate of upstream %s with", u)
		}
	}
	return nil
}

// newResolver is NewResolver for a checked configuration, without the fixed
// answers.
func newResolver(c ResolverConfig) *Resolver {
	r := &Resolver{
		root:        newUpstreamSet(rules.Name{}, c.Upstreams, c.Roots),
		zones:       map[rules.Name]*upstreamSet{},
		denied:      c.Denied,
		nat64:       c.NAT64,
		parents:     parentsOf(c.Zones, c.Hosts),
		cache:       newCache(orDefault(c.Cache, defaultCache)),
		maxInFlight: 3 * orDefault(c.InFlight, defaultInFlight), // proven queries, unproven queries, and two questions for each Lookup
		inflight:    map[string]*inflight{},
	}
	r.root.demand(c.DNSSEC)
	for _, z := range c.Zones {
		r.zones[z.Suffix] = newUpstreamSet(z.Suffix, z.Upstreams, c.Roots)
	}
	return r
}

// sets returns all sets of upstreams.
func (r *Resolver) sets() []*upstreamSet {
	sets := []*upstreamSet{r.root}
	for _, z := range r.zones {
		sets = append(sets, z)
	}
	return sets
}

// upstreams returns the upstreams for a name: the upstreams of the zone with
// the longest suffix that matches, or else the upstreams for public names.
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

// find returns the fixed or cached answer, or nil. key holds only the name and
// the type.
func (r *Resolver) find(key []byte, w want, now time.Duration) *entry {
	if len(r.fixed) > 0 {
		if e := r.fixed[string(key)]; e != nil {
			return e
		}
	}
	return r.cache.get(w.appendTo(key), now)
}
