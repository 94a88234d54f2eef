// Show: one record with all other records of its flow.

package denials

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"sallyport/denials/journal"
)

// ErrNoRecord means that no record has the given ID.
var ErrNoRecord = errors.New("no record has this ID")

// relatedMax bounds the records of one flow that Find returns.
const relatedMax = 100

// Find returns the record with the given ID and the other records of its flow,
// the oldest first.
func Find(ctx context.Context, files []string, id string, p journal.Progress) (*journal.Record, []journal.Record, journal.Report, error) {
	boot, number, ok := strings.Cut(id, "-")
	seq, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || boot == "" {
		return nil, nil, journal.Report{}, errors.New("an ID is BOOT-SEQ, like vhk3pzqd7a-42: sallyport denials list shows them")
	}
	var found *journal.Record
	flows := map[uint64][]journal.Record{} // flow -> records of this boot; the record asked for may come last
	rep, err := journal.Scan(ctx, files, time.Time{}, p, func(r *journal.Record) error {
		switch {
		case r.Boot != boot:
		case r.Seq == seq:
			c := r.Clone()
			found = &c
			for flow := range flows {
				if flow != r.Flow {
					delete(flows, flow)
				}
			}
		case r.Flow != 0 && (found == nil || r.Flow == found.Flow) && len(flows[r.Flow]) < relatedMax:
			if len(flows) >= 4096 && flows[r.Flow] == nil {
				clear(flows) // the other records of the flow are near in time
			}
			flows[r.Flow] = append(flows[r.Flow], r.Clone())
		}
		return nil
	})
	if found == nil {
		if err == nil {
			err = ErrNoRecord
		}
		return nil, nil, rep, err
	}
	return found, flows[found.Flow], rep, err
}

// A Value is one value of a record, as text for people.
type Value struct{ Name, Text string }

// Values lists the values of a record, in the order of the journal. The texts are
// as recorded: escape them before you show them.
func Values(r *journal.Record) []Value {
	var out []Value
	add := func(name, text string) {
		if text != "" {
			out = append(out, Value{name, text})
		}
	}
	number := func(name string, n uint64) {
		if n != 0 {
			add(name, strconv.FormatUint(n, 10))
		}
	}
	flag := func(name string, v bool) {
		if v {
			add(name, "yes")
		}
	}
	add("id", r.ID())
	add("time", r.Time.UTC().Format(journal.TimeLayout))
	add("event", r.Event)
	add("own", strings.Join(r.Own, ", "))
	add("verdict", r.Verdict)
	add("reason", r.Reason)
	add("mode", r.Mode)
	add("via", r.Via)
	add("client", Who(r.ClientName, r.Client))
	number("client_port", uint64(r.ClientPort))
	add("identity", r.Identity)
	flag("source_proven", r.SourceProven)
	add("profile", r.Profile)
	add("host", r.Host)
	add("host_raw", r.HostRaw)
	add("authority", r.Authority)
	add("dest", r.Dest)
	number("port", uint64(r.Port))
	add("proto", r.Proto)
	add("qtype", r.QType)
	add("http_host", r.HTTPHost)
	flag("host_ignored", r.HostIgnored)
	add("sni", r.SNI)
	add("shown", r.Shown)
	add("original_dst", r.OriginalDst)
	flag("by_address", r.ByAddress)
	add("pinned", strings.Join(r.Pinned, ", "))
	flag("mismatch", r.Mismatch)
	add("resolved", strings.Join(r.Resolved, ", "))
	add("dialed", r.Dialed)
	add("parent", r.Parent)
	add("dialed_by", r.DialedBy)
	flag("ech", r.ECH)
	flag("provisional", r.Provisional)
	add("fault", r.Fault)
	add("detail", r.Detail)
	add("rule", r.Rule)
	add("nearest", r.Nearest)
	add("source", r.Source)
	add("hint", r.Hint)
	add("known", r.Known)
	number("count", r.Count)
	add("omitted", strings.Join(r.Omitted.Fields(), ", "))
	if r.Event == journal.EventClose {
		add("bytes_in", strconv.FormatUint(r.BytesIn, 10))
		add("bytes_out", strconv.FormatUint(r.BytesOut, 10))
		add("duration", strconv.FormatInt(r.DurationMS, 10)+" ms")
	}
	number("flow", r.Flow)
	flag("truncated", r.Truncated)
	return out
}
