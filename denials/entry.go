// Entry: a decision on its way into the journal, and how entries merge.

package denials

import (
	"bytes"
	"hash/maphash"
	"net/netip"
	"slices"
	"time"

	"sallyport/rules"
)

// rawMax bounds the octets of unreadable text that an entry keeps.
const rawMax = 2048

// An entry is what the caller hands over: everything that a record needs, not
// yet spelled out.
type entry struct {
	at       time.Time
	event    string
	detail   string
	a        rules.Attempt
	d        rules.Decision
	dialed   netip.AddrPort
	in, out  uint64
	duration int64
	count    uint64 // decisions that this entry stands for, at least 1
	cut      bool   // Raw was longer
}

// denied tells whether e is a denial, or in mode "audit" would be one.
func (e *entry) denied() bool {
	return e.event == EventDecision && (e.d.Verdict != rules.Allow || e.d.Would)
}

// decided tells whether e is about a flow, and not about sallyport itself.
func (e *entry) decided() bool { return e.event == EventDecision || e.event == EventClose }

// own makes e independent of memory that its front end uses again.
func (e *entry) own() {
	if len(e.a.Raw) > rawMax {
		e.a.Raw, e.cut = e.a.Raw[:rawMax], true
	}
	e.a.Raw = bytes.Clone(e.a.Raw)
	e.a.Resolved = slices.Clone(e.a.Resolved[:min(len(e.a.Resolved), capResolved+1)])
}

// showAddress makes the refused address of a permitted name part of the evidence.
func (e *entry) showAddress() {
	if addr := e.a.Dest.Addr(); addr.IsValid() && len(e.a.Resolved) == 0 && !e.a.Target().IsZero() {
		e.a.Resolved = []netip.Addr{addr}
	}
}

// A foldKey tells which entries are folded into one record.
type foldKey struct {
	event   string
	verdict rules.Verdict
	would   bool
	reason  rules.Reason
	via     rules.Via
	proto   rules.Proto
	port    uint16
	name    rules.Name
	addr    netip.Addr
	client  string // its name: one network can have several
}

func (e *entry) key() foldKey {
	k := foldKey{event: e.event, verdict: e.d.Verdict, would: e.d.Would, reason: e.d.Why(),
		via: e.a.Via, proto: e.a.Proto, port: e.a.Dest.Port(), name: e.a.Target()}
	if e.d.Client != nil {
		k.client = e.d.Client.Name
	}
	if k.name.IsZero() {
		if k.addr = e.a.Dest.Addr(); !k.addr.IsValid() {
			k.name = e.a.Host
		}
	}
	return k
}

// class is the key of entries whose names never repeat: the reason only.
func (k foldKey) class() foldKey {
	return foldKey{event: k.event, verdict: k.verdict, would: k.would, reason: k.reason}
}

func (k *foldKey) hash(seed maphash.Seed) uint64 {
	h := maphash.String(seed, k.name.String())
	if k.addr.IsValid() {
		h ^= maphash.Comparable(seed, k.addr)
	}
	return h ^ uint64(k.port)<<48 ^ uint64(k.via)<<40 ^ uint64(k.reason)<<32 ^ uint64(k.proto)<<28 ^ uint64(len(k.event))<<24
}

// merge adds o to e: counts and bytes add up, the time is the later one, and
// what the two do not share is left out.
func (e *entry) merge(o *entry) {
	e.count += o.count
	e.in += o.in
	e.out += o.out
	e.duration += o.duration
	if o.at.After(e.at) {
		e.at = o.at
	}
	a, b := &e.a, &o.a
	a.Flow, a.Raw, a.Resolved, e.cut = 0, nil, nil, false
	keep(&a.Client, b.Client.Addr() == a.Client.Addr())
	keep(&a.Via, a.Via == b.Via)
	keep(&a.Proto, a.Proto == b.Proto)
	keep(&a.Authority, a.Authority == b.Authority)
	keep(&a.Host, a.Host == b.Host)
	keep(&a.SNI, a.SNI == b.SNI)
	keep(&a.Dest, a.Dest == b.Dest)
	keep(&a.Original, a.Original == b.Original)
	keep(&a.Mismatch, a.Mismatch == b.Mismatch)
	keep(&a.ECH, a.ECH == b.ECH)
	keep(&a.QType, a.QType == b.QType)
	keep(&e.dialed, e.dialed == o.dialed)
	keep(&e.detail, e.detail == o.detail)
	keep(&e.d.Rule, e.d.Rule == o.d.Rule)
	keep(&e.d.Nearest, e.d.Nearest == o.d.Nearest)
	keep(&e.d.Client, e.d.Client == o.d.Client)
}

// keep leaves *v as it is, or sets it to its zero value.
func keep[T any](v *T, same bool) {
	if !same {
		var zero T
		*v = zero
	}
}
