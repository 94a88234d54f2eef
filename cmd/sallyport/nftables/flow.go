// Flow: connection marks, by which the packet filter finds the rule that
// permitted an open flow, also after a reload.

package nftables

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"sallyport/rules"
)

// The bits of the connection mark that this filter uses. It leaves the other
// bits to other programs.
const (
	passedMark uint32 = 0x40000000 // the flow passes without sallyport
	ownMark    uint32 = 0x20000000 // sidecar: the flow is sallyport's own, or was opened from outside
	flowMask   uint32 = 0x0fffff00 // the rule that permits a flow to a name's address, see flowID
	flowShift         = 8
)

// flowID returns a number for the client, the rule and the rule's names. Every
// ruleset with the same client, rule and names has the same number; other names
// give another number. So an open flow whose address left the rule's set continues
// under this rule only. The flow ends when the rule or one of its names is removed.
// The number is never 0, because 0 is the number of flows to addresses in the
// configuration.
func flowID(g rules.Grant) uint32 {
	var names []string
	for _, d := range g.Names {
		names = append(names, d.String())
	}
	slices.Sort(names)
	h := fnv.New32a()
	fmt.Fprintf(h, "%q %q %q", g.Client.Name, g.Rule.String(), names)
	if g.List != nil {
		fmt.Fprintf(h, " %x", g.List.Digest())
	}
	const largest = flowMask >> flowShift
	return h.Sum32()%largest + 1
}

// setMark returns the statement that marks a flow as permitted by one rule. It
// keeps the bits of other programs.
func setMark(id uint32) string {
	return fmt.Sprintf("ct mark set ct mark and %#08x or %#08x", ^(flowMask | passedMark), passedMark|id<<flowShift)
}

// separate finds rules with the same number. It removes the passes that keep
// their open flows, so that no rule keeps the flows of another, and warns.
func (p *Plan) separate() {
	by := map[uint32][]string{}
	for _, c := range p.Clients {
		for _, one := range c.Passes {
			if one.flow != 0 {
				by[one.flow] = append(by[one.flow], c.Name+": "+one.Comment)
			}
		}
	}
	maps.DeleteFunc(by, func(_ uint32, rules []string) bool { return len(rules) < 2 })
	for i := range p.Clients {
		c := &p.Clients[i]
		c.Passes = slices.DeleteFunc(c.Passes, func(one pass) bool { return by[one.flow] != nil })
	}
	for _, id := range slices.Sorted(maps.Keys(by)) {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s have the same number in connection marks, so a flow of these rules ends when its address leaves the set: give one of the rules another id", strings.Join(by[id], " and ")))
	}
}
