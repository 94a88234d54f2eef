// Plan: lists the destinations that a policy permits, and decides which of them
// can be tried.

package preflight

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sallyport/rules"
)

// maxPorts is how many ports of one range are tried. A longer range is a grant,
// not a list of services.
const maxPorts = 16

// A Plan lists the destinations that a run tries, and the destinations that
// cannot be tried.
type Plan struct {
	targets  []*target
	NotTried []Untried
}

// Len is the number of destinations to try.
func (p *Plan) Len() int { return len(p.targets) }

// A target is one destination, with all clients that may reach it.
type target struct {
	key
	asks  []ask // one of each client
	needs []Need
}

type key struct {
	name  rules.Name // zero: the target is addr
	addr  netip.Addr
	proto rules.Proto
	port  uint16
}

// host is the name or the address.
func (k key) host() string {
	if k.name.IsZero() {
		return k.addr.String()
	}
	return k.name.String()
}

// An ask is one client's question about a target.
type ask struct {
	client *rules.Client
	addr   netip.Addr
}

// NewPlan lists the rules in force. wanted reports whether to try a host for a
// client; source returns an address that a client connects from.
func NewPlan(policy *rules.Policy, wanted func(client, host string) bool, source func(*rules.Client) (netip.Addr, error)) *Plan {
	b := planner{plan: &Plan{}, seen: map[key]*target{}, wanted: wanted, source: source}
	for _, g := range policy.Grants() {
		b.grant(g)
	}
	slices.SortStableFunc(b.plan.targets, func(x, y *target) int { return cmp.Compare(x.proto, y.proto) })
	return b.plan
}

type planner struct {
	plan   *Plan
	seen   map[key]*target
	wanted func(client, host string) bool
	source func(*rules.Client) (netip.Addr, error)
}

// grant plans one rule of one client.
func (b *planner) grant(g rules.Grant) {
	if len(g.Names) == 0 && len(g.Prefixes) == 0 && g.List.Len() == 0 {
		if b.wanted(g.Client.Name, "") {
			b.unbound(g)
		}
		return
	}
	for _, d := range g.Names {
		b.destination(g, d)
	}
	for _, p := range g.Prefixes {
		b.destination(g, rules.Destination{Prefix: p})
	}
	b.list(g)
}

// mostListed is the number of entries of a list up to which they are tried like those of
// "to".
const mostListed = 100

// list plans the list of a rule. Of a long list it plans the entries that b.wanted accepts
// by name.
func (b *planner) list(g rules.Grant) {
	if n := g.List.Len(); n > mostListed && b.wanted(g.Client.Name, "") {
		b.cannot(g, strings.Join(g.List.Files(), ", "), fmt.Sprintf("a list of %d entries: try some of them with --host", n))
		return
	}
	for d := range g.List.All() {
		b.destination(g, d)
	}
}

// unbound records a role for which the site has given no address.
func (b *planner) unbound(g rules.Grant) {
	for _, d := range g.Rule.To {
		if d.Role != "" {
			b.cannot(g, d.String(), fmt.Sprintf("not bound: set [%s] %s = [...] if the site has such a host", g.BindingTable(d.Role), d.Role))
		}
	}
}

func (b *planner) cannot(g rules.Grant, what, why string) {
	b.plan.NotTried = append(b.plan.NotTried, Untried{Client: g.Client.Name, Rule: g.Rule.String(), What: what, Why: why})
}

// destination plans one destination of a rule.
func (b *planner) destination(g rules.Grant, d rules.Destination) {
	if !b.wanted(g.Client.Name, d.String()) {
		return
	}
	k := key{name: d.Name}
	switch {
	case d.Wildcard:
		b.cannot(g, d.String(), "a wildcard has no name to try")
		return
	case d.Prefix.IsValid() && !d.Prefix.IsSingleIP():
		b.cannot(g, d.String(), "a prefix has no address to try")
		return
	case d.Prefix.IsValid():
		k.addr = d.Prefix.Addr()
	}
	if g.Rule.Any {
		b.cannot(g, d.String(), "the rule permits every protocol and port, and names no port to try")
		return
	}
	from, err := b.source(g.Client)
	if err != nil {
		b.cannot(g, d.String(), err.Error())
		return
	}
	for _, side := range []struct {
		proto rules.Proto
		ports rules.Ports
	}{{rules.TCP, g.TCP}, {rules.UDP, g.UDP}} {
		k.proto = side.proto
		for _, r := range side.ports {
			if int(r.Last)-int(r.First) >= maxPorts {
				b.cannot(g, d.String(), fmt.Sprintf("%s ports %s: too many to try", side.proto, rules.Ports{r}))
				continue
			}
			for port := int(r.First); port <= int(r.Last); port++ {
				k.port = uint16(port)
				b.add(k, g, from)
			}
		}
	}
}

// add adds a destination to its target. All clients and rules that need the
// target share one try.
func (b *planner) add(k key, g rules.Grant, from netip.Addr) {
	t := b.seen[k]
	if t == nil {
		t = &target{key: k}
		b.seen[k] = t
		b.plan.targets = append(b.plan.targets, t)
	}
	if !slices.ContainsFunc(t.asks, func(a ask) bool { return a.client == g.Client }) {
		t.asks = append(t.asks, ask{g.Client, from})
	}
	t.needs = append(t.needs, Need{Client: g.Client.Name, Rule: g.Rule.String(), Source: g.Rule.Source(), Purpose: g.Rule.Purpose})
}
