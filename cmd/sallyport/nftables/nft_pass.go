// Pass: what the documents leave to no proxy, and so to the packet filter:
// datagrams, and "every protocol and port".

package nftables

import (
	"fmt"
	"net/netip"
	"strings"

	"sallyport/rules"
)

// A pass is one kind of packet that is let through, and its answers.
type pass struct {
	Match   string // the nft expressions
	Answer  string // those of a packet back
	Error   string // those of an ICMP error about it
	Mark    string // the statement that marks the flow; "": it is marked already
	Comment string // profile/id
	Source  string // the document, for people

	flow uint32 // flowID of a rule whose flows stay after their address has left its set; 0: of none
}

// Kept tells whether the pass sees only flows that were let through before.
func (p pass) Kept() bool { return p.Mark == "" }

// An addressSetPlan is one set that sallyport fills while it runs.
type addressSetPlan struct {
	Name, Type string
	Names      string // whose addresses, for people
}

// setSize bounds a set; a name has a handful of addresses.
const setSize = 4096

// add writes the passes of one rule in force.
func (c *clientFilter) add(g rules.Grant) {
	what, back := passedPorts(g)
	if what == "" {
		return
	}
	base := pass{Comment: oneLine(g.Rule.String()), Source: oneLine(g.Rule.Source())}
	until := ""
	if !g.Rule.Expires.IsZero() {
		// nft reads a bare number as seconds, and a date in whatever time zone it runs in.
		until = ` meta time < "` + formatUnix(g.Rule.Expires) + `"`
	}
	add := func(word, to, mark string) {
		one := base
		one.Match, one.Answer = word+" daddr "+to+" "+what+until, word+" saddr "+to+" "+back+until
		one.Error, one.Mark = "ct reply "+word+" saddr "+to+until, mark
		c.Passes = append(c.Passes, one)
		base.Source = "" // said once
	}
	v4, v6 := byFamily(g.Prefixes)
	for _, f := range []struct {
		word string
		list []string
	}{{"ip", v4}, {"ip6", v6}} {
		if len(f.list) > 0 {
			add(f.word, nftList(f.list), setMark(0))
		}
	}
	if len(g.Names) == 0 {
		return
	}
	var names []string
	for _, d := range g.Names {
		names = append(names, d.String())
	}
	id := flowID(g)
	for _, f := range []struct{ word, kind string }{{"ip", "ipv4_addr"}, {"ip6", "ipv6_addr"}} {
		set := addressSetPlan{Name: setName(f.word == "ip6", g), Type: f.kind, Names: oneLine(strings.Join(names, ", "))}
		c.Sets = append(c.Sets, set)
		add(f.word, "@"+set.Name, setMark(id))
	}
	same := fmt.Sprintf("ct mark and %#08x == %#08x", passedMark|flowMask, passedMark|id<<flowShift)
	base.Match, base.Answer, base.Error = what+until+" "+same, back+until+" "+same, same+until
	base.flow = id
	c.Passes = append(c.Passes, base)
}

// passedPorts is what a rule lets past the gateway, and what answers to it look
// like; "": nothing. TCP is always redirected, and DNS always answered by the
// filter, whatever a rule lists.
func passedPorts(g rules.Grant) (there, back string) {
	if g.Rule.Any {
		return "meta l4proto != tcp", "meta l4proto != tcp"
	}
	ports := withoutDNS(g.UDP)
	if len(ports) == 0 {
		return "", ""
	}
	return "udp dport { " + ports.String() + " }", "udp sport { " + ports.String() + " }"
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
