// Drops: what the packet filter dropped is asked about and recorded like any
// other attempt.

package main

import (
	"time"

	"sallyport/cmd/sallyport/nftables"
	"sallyport/rules"
	"sallyport/rules/site"
)

// drops is where the filter's counters come from; nil: from nowhere, as for a
// proxy, which has no packet filter.
func (f filterFlags) drops(cfg *site.Config) (nftables.DropSource, error) {
	switch {
	case len(cfg.Listen.Transparent) == 0:
		return nil, nil
	case f.counters != "":
		return nftables.DropsFromFile(f.counters, ownGroup(), time.Now), nil
	case f.live:
		return nftables.DropsFromKernel()
	}
	return nil, nil
}

// swallowed records attempts that the packet filter ended, and counts them. What
// the policy denies by itself needs no fault, so that the record is of what was
// tried and a change of the policy can be tried on it.
func (g *Gateway) swallowed(a rules.Attempt, times uint64) rules.Decision {
	a.Generation = g.live.Load()
	if plain := a; a.Fault == rules.NotListed {
		plain.Fault = rules.ReasonNone
		if d := g.recorder.Preview(plain); !d.Allowed() && d.Why() != rules.JournalUnavailable {
			a = plain
		}
	}
	d := g.recorder.DecideTimes(a, times)
	g.metrics.decidedTimes(a, d, times)
	return d
}

// describeDrops says whether what the packet filter drops is in the journal;
// "": no packet filter is known to belong to this gateway.
func (g *Gateway) describeDrops() string {
	if g.drops == nil || len(g.booted.Listen.Transparent) == 0 {
		return ""
	}
	if why := g.drops.Problem(); why != "" {
		return "drops of the packet filter are not journaled: " + why
	}
	return "its drops are journaled"
}
