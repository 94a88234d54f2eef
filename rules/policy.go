// Policy: the compiled, immutable form of a site's configuration.

package rules

import (
	"net/netip"
	"time"
)

// Policy is the compiled configuration. A nil Policy denies everything.
type Policy struct {
	scopes    []*scope
	clients   hiddenTable // source -> index of the first client that has it
	few       []source    // the same in order, if there are few; otherwise empty
	demanding []*scope    // the clients that demand an identity, in order; clients has the others
	zones     suffixTrie
	zonesOver suffixTrie // names that have a zone below them
	keys      *Rule      // reported as the rule when a look-up of DNSSEC keys is permitted
	zoned     []*Rule    // by value of zones, less 1: reported as the rule of the zone
	private   []netip.Prefix
	nat64     []netip.Prefix
	discover  bool // nat64 has, or will have, the prefixes that upstreams report
	echDeny   bool
	strict    bool
	unproven  Unproven
	own       Own
	synthetic *syntheticTable // the addresses that stand for names; nil: none
	parents   []*Parent
	routes    []*Route
	services  []service  // the parents and sinks, which are no destinations
	profiles  []*Profile // every profile that a client could have: for hints
	known     *KnownTable
	shipped   *KnownTable // of all shipped sets: for hints

	revision string
	expires  time.Time // the time when the next rule expires; zero: no rule expires
}

// Own holds the addresses that lead back to sallyport itself.
type Own struct {
	Listeners []netip.AddrPort           // as bound; an unspecified address means every local one
	Local     func(addr netip.Addr) bool // reports whether this host has addr; nil: only loopback
	Routed    func(addr netip.Addr) bool // reports whether packets to addr stay on this host, or reach it too, though no interface has addr; nil: none do
	Datagrams func(port uint16) bool     // reports whether sallyport has a socket for a client's datagrams at a port; nil: it has none
	Found     *Found                     // where the names of parents and sinks led; nil: only [hosts] tells
}

// Is reports whether a connection to dest would reach one of our listeners, or a datagram one of our
// sockets for the datagrams of clients.
func (o Own) Is(dest netip.AddrPort) bool {
	a := dest.Addr().Unmap().WithZone("")
	for _, l := range o.Listeners {
		if l.Port() != dest.Port() {
			continue
		}
		if a == l.Addr() || a.IsUnspecified() || l.Addr().IsUnspecified() && o.reaches(a) {
			return true
		}
	}
	return o.Datagrams != nil && o.Datagrams(dest.Port()) && o.reaches(a)
}

// reaches reports whether a packet to a reaches this host: its own address, one that a route leads back
// here, or one that several hosts have.
func (o Own) reaches(a netip.Addr) bool {
	return a.IsUnspecified() || a.IsMulticast() || o.Host(a) || o.Routed != nil && o.Routed(a)
}

// Host reports whether addr belongs to the host that sallyport runs on: a listener
// has it, or Local reports it.
func (o Own) Host(addr netip.Addr) bool {
	a := addr.Unmap().WithZone("")
	for _, l := range o.Listeners {
		if a == l.Addr() && !a.IsUnspecified() {
			return true
		}
	}
	return a.IsLoopback() || o.Local != nil && o.Local(a)
}

// OffLimits returns why no rule should permit a client an address, which only sallyport's own host
// can reach; "" if a rule may permit it. A client on that host reaches the host's other addresses
// without sallyport.
func (o Own) OffLimits(client, addr netip.Addr) string {
	switch addr = addr.Unmap(); {
	case o.Host(addr):
		if o.Host(client) {
			return ""
		}
		return "the address belongs to sallyport's own host; a rule would let the client in there"
	case addr.IsLinkLocalUnicast():
		return "the address exists on the link of sallyport's host only, like a cloud's metadata service; a rule would let the client in there"
	case addr.IsMulticast(), addr.IsUnspecified(), addr.Is4() && (addr.As4()[0] == 0 || addr.As4()[0] >= 240):
		return "it is no address of a single host"
	}
	return ""
}

// A scope is the compiled policy of one client.
type scope struct {
	client      *Client
	number      int    // the place of the client in the configuration
	route       *Route // of the client
	rules       []scopeRule
	names       suffixTrie
	over        suffixTrie  // names that have a name of a rule in force below them
	entries     []nameEntry // by value of names
	refs        []uint32    // rule numbers
	near        []nearRef
	addrs       hiddenTable // prefix -> numbers of every rule that covers it
	lists       []listRule  // the rules with list files; rules with the same list stand side by side
	datagrams   bool        // datagrams to synthetic addresses come to sallyport too
	synthesized bool        // the client gets synthetic addresses for names
	unbound     []uint32    // rules to a role that the site gives no addresses for
	ruled       bool        // some rule permits something; otherwise no internal zone is looked up
}

// A scopeRule is one rule with the choices of one client.
type scopeRule struct {
	rule     *Rule
	route    *Route
	block    blockers // why it is not in force for this client; zero: it is in force
	any      bool     // copied from the rule, to save a memory access
	tcp, udp Ports    // with the site's configurable ports
	number   uint32   // in the scope
	names    []Destination
	prefixes []netip.Prefix
	list     *List // further names and prefixes; nil: none
}

// A listRule is a rule with a list.
type listRule struct {
	list *List
	rule uint32
}

// A nameEntry holds what the rules of a scope list for one suffix.
type nameEntry struct {
	exact span  // if a rule lists the suffix: those rules, and the rules of every wildcard above it
	wild  span  // if a rule lists *.suffix: those rules, and the rules of every wildcard above it
	near  span  // entries of near: the names below it, for explanations
	other *Rule // a rule of a profile that the client does not have lists it
}

// A span is n consecutive numbers from off on. A span of rules points into refs;
// if it has one rule, off is the number of that rule.
type span struct{ off, n uint32 }

// A value of the trie is the number of a nameEntry, with bits for what the entry
// has. So most suffixes of a name need no access to their entry.
const (
	saysExact = 1 << iota
	saysWild
	saysNear
	saysOther
	saysBits = iota
)

// named returns the rules that list n. If there is none, it sets near to the entry
// that explains the denial.
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

// Revision returns the name of the configuration that the policy comes from.
func (p *Policy) Revision() string { return p.revision }

// NextExpiry returns when the next rule expires, so that the policy can be compiled
// again then. It is zero if no rule expires.
func (p *Policy) NextExpiry() time.Time { return p.expires }

// Rules returns the number of rules in force, summed over all clients.
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

// ClientOf returns the client at addr that demands no identity, or nil if there is none.
// A nil Policy has no clients.
func (p *Policy) ClientOf(addr netip.Addr) *Client {
	if p == nil {
		return nil
	}
	if s := p.scopeOf(addr); s != nil {
		return s.client
	}
	return nil
}

// ClientAs returns the client at addr with an identity, or nil for an unknown client.
func (p *Policy) ClientAs(addr netip.Addr, i *Identity) *Client {
	if p == nil {
		return nil
	}
	if s := p.identify(new(Decision), &Attempt{Client: netip.AddrPortFrom(addr, 0), Identity: i}); s != nil {
		return s.client
	}
	return nil
}

// A source is one prefix of a client.
type source struct {
	from  netip.Prefix
	scope *scope
}

// fewSources is the number of sources up to which a linear search is the fastest.
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
	if i, ok := sourceTable(p).Lookup(addr); ok {
		return p.scopes[i]
	}
	return nil
}
