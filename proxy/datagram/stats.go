// Stats: what a Table counts.

package datagram

import "sync/atomic"

// A Drop is why a datagram was not sent on.
type Drop uint8

// The drops. Front ends report the first two with Table.Drop.
const (
	Malformed   Drop = iota // the header of the client's protocol is not readable or not accepted
	OtherClient             // it comes from an address that may not use the association
	Denied                  // the Gate denied it
	Waiting                 // too many wait until the flow is connected
	Unreachable             // the destination of the flow could not be connected
	Unsent                  // the kernel refused to send it to the destination
	Unreplied               // the kernel refused to send the reply to the client, for example because it is too long

	dropCount
)

var dropTexts = [dropCount]string{"malformed", "other_client", "denied", "waiting", "unreachable", "unsent", "unreplied"}

// String returns the text of the metric's label.
func (d Drop) String() string {
	if d < dropCount {
		return dropTexts[d]
	}
	return ""
}

// Stats is a snapshot of a Table.
type Stats struct {
	Flows        int64 // that exist now
	DatagramsIn  uint64
	DatagramsOut uint64
	BytesIn      uint64 // content from clients to destinations
	BytesOut     uint64 // content from destinations to clients
	Dropped      map[Drop]uint64
}

// traffic counts the datagrams of one flow, and their content.
type traffic struct{ in, out, bytesIn, bytesOut atomic.Uint64 }

func (t *traffic) add(o *traffic) {
	t.in.Add(o.in.Load())
	t.out.Add(o.out.Load())
	t.bytesIn.Add(o.bytesIn.Load())
	t.bytesOut.Add(o.bytesOut.Load())
}

// Drop counts a datagram that a front end did not send on.
func (t *Table) Drop(why Drop) { t.drops[why].Add(1) }

// Stats returns what exists now and what was counted since the start.
func (t *Table) Stats() Stats {
	s := Stats{Dropped: make(map[Drop]uint64, dropCount)}
	for d := range dropCount {
		s.Dropped[d] = t.drops[d].Load()
	}
	t.mu.Lock() // so that a flow that ends now is counted once
	var all traffic
	all.add(&t.total)
	for f := range t.open {
		all.add(&f.traffic)
	}
	s.Flows = int64(len(t.open))
	t.mu.Unlock()
	s.DatagramsIn, s.DatagramsOut, s.BytesIn, s.BytesOut = all.in.Load(), all.out.Load(), all.bytesIn.Load(), all.bytesOut.Load()
	return s
}
