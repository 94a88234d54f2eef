// Drops: records the packets that the packet filter dropped, like any other
// attempt.

package gateway

import (
	"sallyport/cmd/sallyport/nftables"
	"sallyport/rules"
)

// A PacketFilter describes how a gateway works with the packet filter.
type PacketFilter struct {
	LiveSets bool   // keep the filter's sets of addresses current
	Counters string // a file with the filter's counters; "": none
}

// dropSource returns the source of the filter's counters; nil if there is none. A
// gateway to which nothing is redirected has no packet filter.
func (g *Gateway) dropSource() (nftables.DropSource, error) {
	switch {
	case !g.booted.Listen.Redirected():
		return nil, nil
	case g.packets.Counters != "":
		return nftables.DropsFromFile(g.packets.Counters, ownGroup(), g.now), nil
	case g.packets.LiveSets:
		return nftables.DropsFromKernel()
	}
	return nil, nil
}

// recordDrop records and counts attempts that the packet filter dropped. If the
// policy denies the attempt too, recordDrop removes the fault: the record then has
// the policy's own reason, and a changed policy can be tried on it.
func (g *Gateway) recordDrop(a rules.Attempt, times uint64) rules.Decision {
	a.Generation = g.live.Load()
	if plain := a; a.Fault == rules.NotListed {
		plain.Fault = rules.ReasonNone
		if d := g.recorder.Preview(plain); !d.Allowed() && d.Why() != rules.JournalUnavailable {
			a = plain
		}
	}
	d := g.recorder.DecideTimes(a, times)
	g.metrics.decidedTimes(a, d, a.Generation.Known(&a, &d, g.now()) != nil, times)
	return d
}

// describeDrops reports whether the drops of the packet filter are journaled. It
// returns "" for a gateway without a packet filter.
func (g *Gateway) describeDrops() string {
	if !g.booted.Listen.Redirected() {
		return ""
	}
	if why := g.drops.Problem(); why != "" {
		return "drops of the packet filter are not journaled: " + why
	}
	return "drops are journaled"
}
