// Tally: groups denials by destination, client and reason.

package denials

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// groupsMax bounds the groups that a Tally keeps; what comes later is counted
// per client and reason.
const groupsMax = 100_000

// A Group is all denials of one destination, client and reason.
type Group struct {
	Host       string
	Port       uint16
	Proto      string
	Client     string
	ClientName string
	Reason     string
	Verdict    string

	Count       uint64
	First, Last time.Time
	Nearest     string // of the latest record
	Hint        string
	LastID      string // of the latest record
}

// A Tally adds records up. Its zero value is ready.
type Tally struct {
	groups map[groupKey]*Group
	Total  uint64 // denials added
}

type groupKey struct {
	host, proto, client, reason, verdict string
	port                                 uint16
}

// Others stands for the host of denials that were counted without one.
const Others = "(many)"

// Add counts a record of a denial; others are ignored.
func (t *Tally) Add(r *Record) {
	if !r.Denied() {
		return
	}
	t.Total += r.Times()
	k := groupKey{r.Host, r.Proto, r.Client, r.Reason, r.Verdict, r.Port}
	switch {
	case k.host == "" && r.HostRaw != "":
		k.host = r.HostRaw
	case k.host == "" && r.Times() > 1:
		k.host = Others
	}
	g := t.groups[k]
	if g == nil {
		if len(t.groups) >= groupsMax {
			k.host, k.port, k.proto = Others, 0, ""
			g = t.groups[k]
		}
		if g == nil {
			g = &Group{Host: k.host, Port: k.port, Proto: k.proto, Client: k.client, Reason: k.reason, Verdict: k.verdict, First: r.Time}
			if t.groups == nil {
				t.groups = make(map[groupKey]*Group)
			}
			t.groups[k] = g
		}
	}
	g.add(r)
}

func (g *Group) add(r *Record) {
	g.Count += r.Times()
	if r.Time.Before(g.First) {
		g.First = r.Time
	}
	if r.Time.Before(g.Last) {
		return
	}
	g.Last, g.LastID = r.Time, r.ID()
	g.ClientName, g.Nearest, g.Hint = r.ClientName, r.Nearest, r.Hint
}

// Groups returns all groups, the largest first.
func (t *Tally) Groups() []*Group {
	gs := make([]*Group, 0, len(t.groups))
	for _, g := range t.groups {
		gs = append(gs, g)
	}
	slices.SortFunc(gs, func(a, b *Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), b.Last.Compare(a.Last), strings.Compare(a.Host, b.Host),
			strings.Compare(a.Client, b.Client), strings.Compare(a.Reason, b.Reason), strings.Compare(a.Verdict, b.Verdict),
			cmp.Compare(a.Port, b.Port), strings.Compare(a.Proto, b.Proto))
	})
	return gs
}
