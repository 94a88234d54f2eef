// Compile: turns a Spec into its policy, one scope for all clients that are alike.

package rules

import (
	"time"

	"github.com/gaissmai/bart"
)

// Compile turns a Spec into its policy as of now. The policy depends on the three
// arguments only. The problems are warnings: the errors were found when the Spec
// was read.
func Compile(c *Spec, own Own, now time.Time) (*Policy, Problems) {
	p := &Policy{
		clients: newSourceTable(), private: c.Private, nat64: c.NAT64, discover: c.NAT64Discover, echDeny: c.ECHDeny, strict: c.StrictDestination, unproven: c.Unproven,
		own: own, parents: c.Parents, services: servicesOf(c), profiles: c.Profiles, revision: c.Revision,
	}
	var problems Problems
	rules := map[string][]*Rule{}
	for _, r := range c.Rules {
		rules[r.Client] = append(rules[r.Client], r)
	}
	shared, routes := alikes{}, newRoutes(c.Parents)
	for _, cl := range c.Clients {
		s := shared.find(cl, len(rules[cl.Name]) > 0)
		if s == nil {
			b := scopeBuilder{s: &scope{client: cl, addrs: newAddressTable()}, now: now, p: p, routes: routes}
			b.s.route = routes.of(cl.Parents, routes.usual, false)
			b.addProfiles()
			b.addSiteRules(rules[cl.Name])
			b.addOtherProfiles(c.Profiles)
			s = b.finish()
			problems = append(problems, s.coveredRules(c.File, now)...)
			shared.add(s, len(rules[cl.Name]) > 0)
		}
		problems = append(problems, s.unboundRoles(c.File)...)
		s.number = len(p.scopes)
		p.scopes = append(p.scopes, s)
		if cl.Demands() {
			p.demanding = append(p.demanding, s)
		}
	}
	p.routes = routes.all
	p.known, p.shipped = CompileKnown(c.Known, now), compileSets(c.KnownSets, now)
	problems = append(problems, expiredKnown(c, now)...)
	p.keys = &Rule{Profile: SiteProfile, ID: "dns.keys", Reason: "DNSSEC keys of the names above a permitted one", File: c.File}
	p.addClients(c.Clients)
	p.addZones(c)
	p.synthetic = newSyntheticTable(c.Synthetic, p.exactNames(c.Synthetic))
	for _, s := range p.scopes {
		s.synthesized, s.datagrams = s.client.Synthetic && p.synthetic != nil, c.Synthetic.Datagrams
	}
	return p, problems.Sorted()
}

// addClients files each source under the first client that has a source covering
// it. So a longest-prefix match gives the same answer as the first match.
func (p *Policy) addClients(clients []*Client) {
	own := new(bart.Table[int]) // source -> index of the first client that lists it
	for i, cl := range clients {
		if cl.Demands() {
			continue // see identify
		}
		for _, src := range cl.Sources {
			p.few = append(p.few, source{src, p.scopes[i]})
			own.Modify(src, func(first int, there bool) (int, bool) {
				if there {
					return first, false
				}
				return i, false
			})
		}
	}
	for src, first := range own.All() {
		for _, i := range own.Supernets(src) {
			first = min(first, i)
		}
		sourceTable(p).Insert(src, first)
	}
	if len(p.few) > fewSources {
		p.few = nil
	}
}

func (p *Policy) addZones(c *Spec) {
	var keys []trieKey
	var suffixes []Destination
	for i, z := range c.Zones {
		suffixes = append(suffixes, Destination{Name: z})
		keys = append(keys, trieKey{z, uint32(i + 1)})
		p.zoned = append(p.zoned, &Rule{
			Profile: SiteProfile, ID: "dns.zone:" + z.s, Reason: "internal zone " + z.s, File: c.File,
			To: []Destination{{Name: z}, {Name: z, Wildcard: true}},
		})
	}
	p.zones, p.zonesOver = compileTrie(keys), compileOver(suffixes)
}

// zoneOf returns the rule that stands for the deepest internal zone of n.
func (p *Policy) zoneOf(n Name) *Rule {
	v := p.zones.whole(n)
	if v == 0 {
		v, _, _ = p.zones.parents(n, ^uint32(0), 0)
	}
	if v == 0 {
		return nil
	}
	return p.zoned[v-1]
}
