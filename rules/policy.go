// Policy: the compiled, immutable form of a site's configuration.

package rules

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gaissmai/bart"
)

// Policy is the compiled configuration. A nil Policy denies everything.
type Policy struct {
	scopes    []*scope
	clients   *bart.Table[int] // source -> index of the first client that has it
	few       []source         // the same, in order, where there are few; else none
	zones     suffixTrie
	zonesOver suffixTrie // names above a zone
	keys      *Rule      // stand-in that is reported where a look-up of DNSSEC keys is permitted
	zoned     []*Rule    // by value of zones, less 1: a stand-in that is reported as the rule
	private   []netip.Prefix
	nat64     []netip.Prefix
	discover  bool // prefixes that upstreams tell are in nat64 or will be
	echDeny   bool
	strict    bool
	own       Own

	revision string
	expires  time.Time // when the next rule expires; zero: none does
}

// Own tells which addresses lead back to sallyport itself.
type Own struct {
	Listeners []netip.AddrPort           // as bound; an unspecified address means every local one
	Local     func(addr netip.Addr) bool // is addr one of this host's; nil: none but loopback
}

// Is tells whether a connection to dest would reach a listener of ours.
func (o Own) Is(dest netip.AddrPort) bool {
	a := dest.Addr().Unmap().WithZone("")
	for _, l := range o.Listeners {
		if l.Port() != dest.Port() {
			continue
		}
		if a == l.Addr() || a.IsUnspecified() {
			return true
		}
		if l.Addr().IsUnspecified() && (a.IsLoopback() || o.Local != nil && o.Local(a)) {
			return true
		}
	}
	return false
}

// Host tells whether addr is known to be one of the host's that sallyport runs
// on: of a listener, or as Local says.
func (o Own) Host(addr netip.Addr) bool {
	a := addr.Unmap().WithZone("")
	for _, l := range o.Listeners {
		if a == l.Addr() && !a.IsUnspecified() {
			return true
		}
	}
	return a.IsLoopback() || o.Local != nil && o.Local(a)
}

// A scope is what one client may do, compiled.
type scope struct {
	client  *Client
	rules   []scopeRule
	names   suffixTrie
	over    suffixTrie  // names above one that a rule in force names
	entries []nameEntry // by value of names
	refs    []uint32    // rule numbers
	near    []nearRef
	addrs   *bart.Table[[]uint32] // prefix -> numbers of every rule that covers it
	unbound []uint32              // rules whose party the site has not bound
	ruled   bool                  // some rule permits something; without, no internal zone is looked up
}

// A scopeRule is a rule as it stands for one client.
type scopeRule struct {
	rule     *Rule
	block    blockers // why it is not in force for this client; none: it is
	any      bool     // the rule's, where it costs no look at the rule
	tcp, udp Ports    // with the site's configurable ports
	names    []Destination
	prefixes []netip.Prefix
}

// nameEntry is what the rules of a scope say about one suffix.
type nameEntry struct {
	exact   span  // if a rule names it: those that do, and those of every wildcard above it
	wild    span  // if a rule names *.it: those that do, and those of every wildcard above it
	near    span  // of near: names below it, for explanations
	foreign *Rule // a profile that the client does not have names it
}

// A span is n numbers from off on. Of rules: in refs, but a single one is off
// itself.
type span struct{ off, n uint32 }

// A value of the trie is the number of a nameEntry, and what the entry says:
// most suffixes on the way to a name need no look at theirs.
const (
	saysExact = 1 << iota
	saysWild
	saysNear
	saysForeign
	saysBits = iota
)

// named returns the rules that name n. Where none does, near is the place to
// explain by.
func (s *scope) named(n Name, near *neighbour) span {
	value := s.names.whole(n)
	if value&saysExact != 0 {
		return s.entries[value>>saysBits].exact
	}
	wild, parent, at := s.names.parents(n, saysWild, saysExact|saysNear)
	if wild != 0 {
		return s.entries[wild>>saysBits].wild
	}
	if value != 0 {
		*near = neighbour{value: value, whole: true}
	} else {
		*near = neighbour{value: parent, head: at - 1}
	}
	return span{}
}

// ruleAt returns the i-th rule of a span.
func (s *scope) ruleAt(sp span, i uint32) *scopeRule {
	if sp.n == 1 {
		return &s.rules[sp.off]
	}
	return &s.rules[s.refs[sp.off+i]]
}

// Revision names the configuration that the policy was compiled from.
func (p *Policy) Revision() string { return p.revision }

// NextExpiry tells when the next rule expires, so that the policy can be
// compiled anew then; zero: no rule does.
func (p *Policy) NextExpiry() time.Time { return p.expires }

// Rules counts the rules in force over all clients.
func (p *Policy) Rules() int {
	n := 0
	for _, s := range p.scopes {
		for i := range s.rules {
			if s.rules[i].block == 0 {
				n++
			}
		}
	}
	return n
}

// ClientOf returns who asks from addr; nil: nobody that is known. A nil Policy
// knows nobody.
func (p *Policy) ClientOf(addr netip.Addr) *Client {
	if p == nil {
		return nil
	}
	if s := p.scopeOf(addr); s != nil {
		return s.client
	}
	return nil
}

// A source is one prefix of a client.
type source struct {
	from  netip.Prefix
	scope *scope
}

// fewSources is how many are faster looked through than looked up.
const fewSources = 4

func (p *Policy) scopeOf(addr netip.Addr) *scope {
	if len(p.few) > 0 {
		for i := range p.few {
			if p.few[i].from.Contains(addr) {
				return p.few[i].scope
			}
		}
		return nil
	}
	if i, ok := p.clients.Lookup(addr); ok {
		return p.scopes[i]
	}
	return nil
}

// Compile turns a Spec into its policy as of now. The policy is a
// function of the three arguments alone. The problems are warnings only:
// everything that is wrong was found when the configuration was read.
func Compile(c *Spec, own Own, now time.Time) (*Policy, Problems) {
	p := &Policy{
		clients: new(bart.Table[int]), private: c.Private, nat64: c.NAT64, discover: c.NAT64Discover, echDeny: c.ECHDeny, strict: c.StrictDestination,
		own: own, revision: c.Revision,
	}
	var problems Problems
	for _, cl := range c.Clients {
		b := scopeBuilder{s: &scope{client: cl, addrs: new(bart.Table[[]uint32])}, now: now, p: p}
		b.addProfiles()
		b.addSiteRules(c.Rules)
		problems = append(problems, b.coveredRules(c.File)...)
		problems = append(problems, b.unboundParties(c.File)...)
		b.addForeign(c.Profiles)
		p.scopes = append(p.scopes, b.finish())
	}
	p.keys = &Rule{Profile: SiteProfile, ID: "dns.keys", Reason: "DNSSEC keys of the names above a permitted one", File: c.File}
	p.addClients(c.Clients)
	p.addZones(c)
	return p, problems.Sorted()
}

// addClients makes the longest match answer what the first match would: each
// source is filed under the first client with a source that covers it.
func (p *Policy) addClients(clients []*Client) {
	for i, cl := range clients {
		for _, src := range cl.Sources {
			p.few = append(p.few, source{src, p.scopes[i]})
			first := slices.IndexFunc(clients, func(o *Client) bool {
				return slices.ContainsFunc(o.Sources, func(p netip.Prefix) bool { return Covers(p, src) })
			})
			p.clients.Insert(src, first)
		}
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

// zoneOf returns the stand-in rule of the deepest internal zone of n.
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
