// Ledger: finds the packets that the packet filter has dropped since the last
// reading of its counters.

package nftables

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
)

// A Drop is the count of one client's dropped packets to one destination.
type Drop struct {
	Counter string         `json:"counter"`         // its name in the ruleset
	Client  netip.Addr     `json:"client,omitzero"` // invalid: several clients, for which the sets had no room
	Dest    netip.AddrPort `json:"dest,omitzero"`   // invalid: several destinations; port 0: the protocol has no ports
	Proto   uint8          `json:"proto,omitempty"` // IANA's number; 0: several protocols
	Packets uint64         `json:"packets"`
}

// A TableID identifies one load of the ruleset. Each load makes a new table, with
// counters that begin at 0, and with a handle that its network namespace never
// uses again (nf_tables: NFTA_TABLE_HANDLE).
type TableID struct {
	Boot   string `json:"boot"`  // /proc/sys/kernel/random/boot_id
	Space  uint64 `json:"netns"` // inode of the network namespace
	Handle uint64 `json:"table"`
}

// A Reading holds the counters of one table at one time. Totals are read before
// Drops, so a packet that arrives in between may be in Drops only.
type Reading struct {
	TableID
	Totals map[string]uint64 `json:"totals"`
	Drops  []Drop            `json:"drops"`
}

// tablesMax is the number of loads of the ruleset that are remembered. If there
// are more loads between two readings, the oldest are lost. A reading has at most
// 40,000 entries.
const tablesMax = 8

// A ledger remembers the reported drops of each table, so that every packet is
// reported once, also across restarts.
type ledger struct {
	Tables []account `json:"tables"` // the newest is the last
}

// An account has the reported drops of one table.
type account struct {
	Reading                   // the last reading
	Taken   map[string]uint64 `json:"taken"` // packets reported, by counter, with the packets that have no client
}

// newDrops returns the drops since the last reading of the same table.
func (l *ledger) newDrops(r Reading) []Drop {
	i := slices.IndexFunc(l.Tables, func(a account) bool { return a.TableID == r.TableID })
	if i < 0 {
		l.Tables = append(l.Tables, account{Reading: Reading{TableID: r.TableID}, Taken: map[string]uint64{}})
		if over := len(l.Tables) - tablesMax; over > 0 {
			l.Tables = slices.Delete(l.Tables, 0, over)
		}
		i = len(l.Tables) - 1
	}
	return l.Tables[i].newDrops(r)
}

// newDrops returns the drops since the last reading, and remembers r as the
// last one. Packets that only a total counts are returned without a client;
// their entry may have timed out.
func (a *account) newDrops(r Reading) []Drop {
	before := map[Drop]uint64{}
	for _, d := range a.Drops {
		before[d.key()] = d.Packets
	}
	var out []Drop
	for _, d := range r.Drops {
		more := d.Packets
		if was := before[d.key()]; was <= more { // a smaller count: the entry timed out and a new one began
			more -= was
		}
		if more > 0 {
			a.Taken[d.Counter] += more
			d.Packets = more
			out = append(out, d)
		}
	}
	for _, counter := range slices.Sorted(maps.Keys(r.Totals)) {
		if total := r.Totals[counter]; isRecorded(counter) && total > a.Taken[counter] {
			out = append(out, Drop{Counter: counter, Packets: total - a.Taken[counter]})
			a.Taken[counter] = total
		}
	}
	a.Reading = r
	return out
}

// clone returns a copy that later readings do not change.
func (l *ledger) clone() ledger {
	out := ledger{slices.Clone(l.Tables)}
	for i := range out.Tables {
		out.Tables[i].Taken = maps.Clone(out.Tables[i].Taken)
	}
	return out
}

// key returns a drop without its count.
func (d Drop) key() Drop {
	d.Packets = 0
	return d
}

// isRecorded reports whether the packets of a counter are journaled.
func isRecorded(counter string) bool {
	return slices.ContainsFunc(recordedCounters(Sidecar), func(c recordedCounter) bool { return c.name == counter })
}

// replaceReading appends a reading to a list, instead of the earlier reading of the
// same table.
func replaceReading(list []Reading, r Reading) []Reading {
	list = slices.DeleteFunc(list, func(o Reading) bool { return o.TableID == r.TableID })
	list = append(list, r)
	return list[max(0, len(list)-tablesMax):]
}

// sortDrops sorts drops as the file has them.
func sortDrops(list []Drop) {
	slices.SortFunc(list, func(a, b Drop) int {
		return cmp.Or(cmp.Compare(a.Counter, b.Counter), a.Client.Compare(b.Client), a.Dest.Compare(b.Dest), cmp.Compare(a.Proto, b.Proto))
	})
}
