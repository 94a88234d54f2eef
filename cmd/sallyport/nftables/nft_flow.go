// Flow: how the packet filter knows, of a flow that it let through, by which
// rule that was, also after a reload.

package nftables

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"sallyport/rules"
)

// The bits of the connection mark that this filter uses; the others are left
// alone for whoever else uses marks.
const (
	passedMark uint32 = 0x40000000 // let through past sallyport
	ownMark    uint32 = 0x20000000 // sidecar: sallyport's own, or opened from outside
	flowMask   uint32 = 0x0fffff00 // let through to a name's address: by which rule, see flowID
	flowShift         = 8
)

// flowID is a number for a rule of a client and its names: the same in every
// ruleset that has them, another one when the rule has other names. So a flow
// to an address that has left the rule's set goes on under this rule and under
// no other, and ends when the rule or one of its names goes. It is never 0,
// which is for flows to addresses of the configuration.
func flowID(g rules.Grant) uint32 {
	var names []string
	for _, d := range g.Names {
		names = append(names, d.String())
	}
	slices.Sort(names)
	h := fnv.New32a()
	fmt.Fprintf(h, "%q %q %q", g.Client.Name, g.Rule.String(), names)
	const largest = flowMask >> flowShift
	return h.Sum32()%largest + 1
}

// setMark is the statement that marks a flow as let through by a rule, by no
// other than that one, and leaves what others marked.
func setMark(id uint32) string {
	return fmt.Sprintf("ct mark set ct mark and %#08x or %#08x", ^(flowMask | passedMark), passedMark|id<<flowShift)
}

// separate takes away the line for kept flows from rules that have the same
// number, so that none keeps the flows of another, and says whose.
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
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s have the same number in connection marks, so their flows end when an address leaves its set: give one of the rules another id", strings.Join(by[id], " and ")))
	}
}
