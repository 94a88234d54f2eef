// Drops: what the packet filter swallowed, and what of it is not in the journal
// yet.

package nftables

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
)

// A Drop is what the packet filter counted of one client's packets.
type Drop struct {
	Counter string         `json:"counter"`         // of the ruleset
	Client  netip.Addr     `json:"client,omitzero"` // invalid: of clients that the filter had no room to tell apart
	Dest    netip.AddrPort `json:"dest,omitzero"`   // invalid: of several; port 0 where the protocol has none
	Proto   uint8          `json:"proto,omitempty"` // IANA's number; 0: of several
	Packets uint64         `json:"packets"`
}

// A TableID is one load of the ruleset: each makes the table anew, with
// counters that begin at 0, and with a handle that its network namespace uses
// once (nf_tables: NFTA_TABLE_HANDLE).
type TableID struct {
	Boot   string `json:"boot"`  // of the kernel: /proc/sys/kernel/random/boot_id
	Space  uint64 `json:"netns"` // inode of the network namespace
	Handle uint64 `json:"table"`
}

// A Reading is what one table had counted at some time. Totals are read
// before Drops: a packet that comes meanwhile may be in Drops alone.
type Reading struct {
	TableID
	Totals map[string]uint64 `json:"totals"`
	Drops  []Drop            `json:"drops"`
}

// tablesMax is how many loads of the ruleset are remembered: of more, while no
// reading is taken, the first ones are lost. A reading has 40,000 entries at most.
const tablesMax = 8

// A dropLedger knows what was taken from each table, so that every packet is
// taken once, whoever is started again in between.
type dropLedger struct {
	Tables []dropAccount `json:"tables"` // the latest is the last
}

// A dropAccount is what was taken from one table.
type dropAccount struct {
	Reading                   // as it was read last
	Taken   map[string]uint64 `json:"taken"` // by counter, those without a client included
}

// take returns what a reading has more than the one before of the same table.
func (l *dropLedger) take(r Reading) []Drop {
	i := slices.IndexFunc(l.Tables, func(a dropAccount) bool { return a.TableID == r.TableID })
	if i < 0 {
		l.Tables = append(l.Tables, dropAccount{Reading: Reading{TableID: r.TableID}, Taken: map[string]uint64{}})
		if over := len(l.Tables) - tablesMax; over > 0 {
			l.Tables = slices.Delete(l.Tables, 0, over)
		}
		i = len(l.Tables) - 1
	}
	return l.Tables[i].take(r)
}

// take returns what a reading has more than the last one, and remembers it.
// Packets that are in a total and in no entry, also because their entry has
// timed out, come without a client.
func (a *dropAccount) take(r Reading) []Drop {
	before := map[Drop]uint64{}
	for _, d := range a.Drops {
		before[d.key()] = d.Packets
	}
	var out []Drop
	for _, d := range r.Drops {
		more := d.Packets
		if was := before[d.key()]; was <= more { // else the entry timed out and began anew
			more -= was
		}
		if more > 0 {
			a.Taken[d.Counter] += more
			d.Packets = more
			out = append(out, d)
		}
	}
	for _, counter := range slices.Sorted(maps.Keys(r.Totals)) {
		if total := r.Totals[counter]; noted(counter) && total > a.Taken[counter] {
			out = append(out, Drop{Counter: counter, Packets: total - a.Taken[counter]})
			a.Taken[counter] = total
		}
	}
	a.Reading = r
	return out
}

// clone is a copy that taking from l does not change.
func (l *dropLedger) clone() dropLedger {
	out := dropLedger{slices.Clone(l.Tables)}
	for i := range out.Tables {
		out.Tables[i].Taken = maps.Clone(out.Tables[i].Taken)
	}
	return out
}

// key is a Drop without its count.
func (d Drop) key() Drop {
	d.Packets = 0
	return d
}

// noted tells whether the packets of a counter are journaled.
func noted(counter string) bool {
	return slices.ContainsFunc(notedCounters(Sidecar), func(c notedCounter) bool { return c.name == counter })
}

// keepReading puts a reading among earlier ones in the place of the one before
// of the same table.
func keepReading(list []Reading, r Reading) []Reading {
	list = slices.DeleteFunc(list, func(o Reading) bool { return o.TableID == r.TableID })
	list = append(list, r)
	return list[max(0, len(list)-tablesMax):]
}

// sortDrops puts drops into the order of the file.
func sortDrops(list []Drop) {
	slices.SortFunc(list, func(a, b Drop) int {
		return cmp.Or(cmp.Compare(a.Counter, b.Counter), a.Client.Compare(b.Client), a.Dest.Compare(b.Dest), cmp.Compare(a.Proto, b.Proto))
	})
}
