// Pass: what the documents leave to no proxy, and so to the packet filter:
// datagrams, and "every protocol and port".

package main

import (
	"net/netip"
	"strings"

	"sallyport/rules"
)

// A pass is one kind of packet that is let through.
type pass struct {
	Match   string // the nft expressions
	Comment string // profile/id
	Source  string // the document, for people
	Kept    bool   // Match sees flows that were let through before only
}

// An addressSetPlan is one set that sallyport fills while it runs.
type addressSetPlan struct {
	Name, Type string
	Names      string // whose addresses, for people
}

// setSize bounds a set; a name has a handful of addresses.
const setSize = 4096

// add writes the passes of one rule in force.
func (c *clientFilter) add(g rules.Grant) {
	what := passedPorts(g)
	if what == "" {
		return
	}
	base := pass{Comment: oneLine(g.Rule.String()), Source: oneLine(g.Rule.Source())}
	if !g.Rule.Expires.IsZero() {
		// nft reads a bare number as seconds, and a date in whatever time zone it runs in.
		what += ` meta time < "` + formatUnix(g.Rule.Expires) + `"`
	}
	add := func(match string) {
		one := base
		one.Match = match
		c.Passes = append(c.Passes, one)
		base.Source = "" // said once
	}
	v4, v6 := byFamily(g.Prefixes)
	for _, f := range []struct {
		word string
		list []string
	}{{"ip", v4}, {"ip6", v6}} {
		if len(f.list) > 0 {
			add(f.word + " daddr " + nftList(f.list) + " " + what)
		}
	}
	if len(g.Names) == 0 {
		return
	}
	var names []string
	for _, d := range g.Names {
		names = append(names, d.String())
	}
	for _, f := range []struct{ word, kind string }{{"ip", "ipv4_addr"}, {"ip6", "ipv6_addr"}} {
		set := addressSetPlan{Name: setName(f.word == "ip6", g), Type: f.kind, Names: oneLine(strings.Join(names, ", "))}
		c.Sets = append(c.Sets, set)
		add(f.word + " daddr @" + set.Name + " " + what)
	}
	base.Kept = true
	add(what)
}

// passedPorts is what a rule lets past the gateway; "": nothing. TCP is always
// redirected, and DNS always answered by the filter, whatever a rule lists.
func passedPorts(g rules.Grant) string {
	if g.Rule.Any {
		return "meta l4proto != tcp"
	}
	ports := withoutDNS(g.UDP)
	if len(ports) == 0 {
		return ""
	}
	return "udp dport { " + ports.String() + " }"
}

// withoutDNS takes port 53 out.
func withoutDNS(ports rules.Ports) rules.Ports {
	var out rules.Ports
	for _, r := range ports {
		if !(rules.Ports{r}).Has(53) {
			out = append(out, r)
			continue
		}
		if r.First < 53 {
			out = append(out, rules.PortRange{First: r.First, Last: 52})
		}
		if r.Last > 53 {
			out = append(out, rules.PortRange{First: 54, Last: r.Last})
		}
	}
	return out
}

// setName names the set of a rule's addresses, in the ruleset and for the
// process that fills it. Names of clients, profiles and rules have no "/".
func setName(v6 bool, g rules.Grant) string {
	family := "names4"
	if v6 {
		family = "names6"
	}
	return strings.Join([]string{family, g.Client.Name, g.Rule.Profile, g.Rule.ID}, "/")
}

// passedTo tells whether a grant lets datagrams to n go to addr.
func passedTo(g rules.Grant, n rules.Name, addr netip.Addr) bool {
	port := uint16(0)
	if ports := withoutDNS(g.UDP); len(ports) > 0 {
		port = ports[0].First
	}
	return g.Reach(n, netip.AddrPortFrom(addr, port)) == rules.ReasonNone
}
