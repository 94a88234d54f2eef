// Pass: the traffic that the filter passes without sallyport, because no proxy
// can carry it: datagrams, and rules for every protocol and port.

package nftables

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sallyport/rules"
)

// A pass is one kind of packet that the filter accepts, with its answers.
type pass struct {
	Match   string // the nft expressions for a packet of the client
	Answer  string // the expressions for an answer
	Error   string // the expressions for an ICMP error about it
	Mark    string // the statement that marks the flow; "": an earlier pass has marked it
	Comment string // profile/id
	Source  string // the document that lists it

	flow uint32 // flowID of the rule whose open flows this pass keeps after their address left the set; 0: it keeps none
}

// Kept reports whether the pass matches only flows that another pass accepted before.
func (p pass) Kept() bool { return p.Mark == "" }

// An addressSet is one set that a running sallyport fills.
type addressSet struct {
	Name, Type string
	Names      string // the names whose addresses it holds, for its comment
}

// setSize limits the addresses in one set. A name has few addresses.
const setSize = 4096

// add appends the passes and sets of one rule in force. With TPROXY, sallyport carries
// the datagrams too.
func (c *clientFilter) add(g rules.Grant, tproxy bool) {
	if tproxy && !g.Rule.Any {
		return
	}
	what, back := passedPorts(g)
	if tproxy {
		what, back = "meta l4proto != { tcp, udp }", "meta l4proto != { tcp, udp }"
	}
	if what == "" {
		return
	}
	base := pass{Comment: oneLine(g.Rule.String()), Source: oneLine(g.Rule.Source())}
	until := ""
	if !g.Rule.Expires.IsZero() {
		// nft reads a plain number as Unix time, and a date in its own time zone.
		until = ` meta time < "` + formatUnix(g.Rule.Expires) + `"`
	}
	add := func(word, to, mark string) {
		one := base
		one.Match, one.Answer = word+" daddr "+to+" "+what+until, word+" saddr "+to+" "+back+until
		one.Error, one.Mark = "ct reply "+word+" saddr "+to+until, mark
		c.Passes = append(c.Passes, one)
		base.Source = "" // only the first pass of a rule names its document
	}
	v4, v6 := byFamily(slices.AppendSeq(slices.Clone(g.Prefixes), g.List.Prefixes()))
	for _, f := range []struct {
		word string
		list []string
	}{{"ip", v4}, {"ip6", v6}} {
		if len(f.list) > 0 {
			add(f.word, elementList(f.list), setMark(0))
		}
	}
	if !g.HasNames() {
		return
	}
	id := flowID(g)
	for _, f := range []struct{ word, kind string }{{"ip", "ipv4_addr"}, {"ip6", "ipv6_addr"}} {
		set := addressSet{Name: setName(f.word == "ip6", g), Type: f.kind, Names: namesOf(g)}
		c.Sets = append(c.Sets, set)
		add(f.word, "@"+set.Name, setMark(id))
	}
	same := fmt.Sprintf("ct mark and %#08x == %#08x", passedMark|flowMask, passedMark|id<<flowShift)
	base.Match, base.Answer, base.Error = what+until+" "+same, back+until+" "+same, same+until
	base.flow = id
	c.Passes = append(c.Passes, base)
}

// passedPorts returns the expressions for the packets that a rule lets pass and
// for their answers; "": it lets none pass. TCP is always redirected, and the DNS
// filter always answers DNS, even if a rule lists their ports.
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

// withoutDNS returns the ports without port 53.
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

// setName returns the name of the set of a rule's addresses. The ruleset and the
// process that fills the set both use it. Clients, profiles and rules have no "/"
// in their names.
func setName(v6 bool, g rules.Grant) string {
	family := "names4"
	if v6 {
		family = "names6"
	}
	return strings.Join([]string{family, g.Client.Name, g.Rule.Profile, g.Rule.ID}, "/")
}

// permitsDatagrams reports whether a grant permits datagrams to n at addr.
func permitsDatagrams(g rules.Grant, n rules.Name, addr netip.Addr) bool {
	port := uint16(0)
	if ports := withoutDNS(g.UDP); len(ports) > 0 {
		port = ports[0].First
	}
	return g.Reach(n, netip.AddrPortFrom(addr, port)) == rules.ReasonNone
}
