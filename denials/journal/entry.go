// Entry: a decision on its way into the journal, and the rules for merging
// entries.

package journal

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

// An entry has all data of a record, not yet as text.
type entry struct {
	at       time.Time
	event    string
	listens  []string // Record.Own of a start
	detail   string   // the detail of a close or event; a decision has its detail in the attempt
	a        rules.Attempt
	d        rules.Decision
	known    *rules.Known // covers the denial; nil: nothing does
	dialed   netip.AddrPort
	in, out  uint64
	duration int64
	count    uint64 // decisions that this entry stands for, at least 1
	cut      bool   // Raw was cut
	omitted  Omitted
}

// denied reports whether e is a denial, or would be a denial outside of mode
// "audit".
func (e *entry) denied() bool {
	return e.event == EventDecision && (e.d.Verdict != rules.Allow || e.d.Would)
}

// decided reports whether e is about a flow, not about sallyport itself.
func (e *entry) decided() bool { return e.event == EventDecision || e.event == EventClose }

// own copies the values whose memory the front end will use again.
func (e *entry) own() {
	if len(e.a.Raw) > rawMax {
		e.a.Raw, e.cut = e.a.Raw[:rawMax], true
	}
	e.a.Raw = bytes.Clone(e.a.Raw)
	e.a.Resolved = slices.Clone(e.a.Resolved[:min(len(e.a.Resolved), capList+1)])
	e.a.Pinned = slices.Clone(e.a.Pinned[:min(len(e.a.Pinned), capList+1)])
}

// drop removes the references to memory that the front end will use again.
func (e *entry) drop() {
	e.omit(omitRaw, len(e.a.Raw) > 0)
	e.omit(omitResolved, len(e.a.Resolved) > 0)
	e.omit(omitPinned, len(e.a.Pinned) > 0)
	e.a.Raw, e.a.Resolved, e.a.Pinned, e.cut = nil, nil, nil, false
}

// omit adds a field to the set of omitted fields if its value is left out.
func (e *entry) omit(field Omitted, is bool) {
	if is {
		e.omitted |= field
	}
}

// A foldKey identifies the entries that are folded into one record.
type foldKey struct {
	event   string
	verdict rules.Verdict
	would   bool
	reason  rules.Reason
	via     rules.Via
	proto   rules.Proto
	port    uint16
	qtype   uint16
	name    rules.Name
	addr    netip.Addr
	client  string // the client's name: one network can have several
	cause   string // the cause of a close
	known   *rules.Known
}

func (e *entry) key() foldKey {
	k := foldKey{event: e.event, verdict: e.d.Verdict, would: e.d.Would, reason: e.d.Why(),
		via: e.a.Via, proto: e.a.Proto, port: e.a.Dest.Port(), qtype: e.a.QType, name: e.a.Target(), known: e.known}
	if e.d.Client != nil {
		k.client = e.d.Client.Name
	}
	if e.event == EventClose {
		k.cause = e.detail
	}
	if k.name.IsZero() {
		if k.addr = e.a.Dest.Addr(); !k.addr.IsValid() {
			k.name = e.a.Host
		}
	}
	return k
}

// class returns the key for entries whose destinations do not repeat: the
// configured client and the reason only.
func (k foldKey) class() foldKey {
	return foldKey{event: k.event, verdict: k.verdict, would: k.would, reason: k.reason, client: k.client, known: k.known}
}

func (k *foldKey) hash(seed maphash.Seed) uint64 {
	h := maphash.String(seed, k.name.String())
	if k.addr.IsValid() {
		h ^= maphash.Comparable(seed, k.addr)
	}
	return h ^ uint64(k.port)<<48 ^ uint64(k.via)<<40 ^ uint64(k.reason)<<32 ^ uint64(k.qtype)<<32 ^ uint64(k.proto)<<28 ^ uint64(len(k.event))<<24
}

// merge adds o to e. Counts and bytes add up, and the later time is kept.
// Fields with different values are left out and listed in omitted.
func (e *entry) merge(o *entry) {
	e.count += o.count
	e.in += o.in
	e.out += o.out
	e.duration += o.duration
	if o.at.After(e.at) {
		e.at = o.at
	}
	e.mergeAttempt(o)
	e.omitted |= o.omitted
	e.omit(omitDialed, !keep(&e.dialed, e.dialed == o.dialed))
	e.omit(omitDetail, !keep(&e.detail, e.detail == o.detail))
	e.omit(omitRule, !keep(&e.d.Rule, sameRule(e.d.Rule, o.d.Rule)))
	e.omit(omitNearest, !keep(&e.d.Nearest, sameRule(e.d.Nearest, o.d.Nearest)))
	keep(&e.d.Client, e.d.Client != nil && o.d.Client != nil && e.d.Client.Name == o.d.Client.Name)
}

// sameRule reports whether two rules have the same name. After a reload, the
// same rule is another value.
func sameRule(a, b *rules.Rule) bool {
	return a == b || a != nil && b != nil && a.Profile == b.Profile && a.ID == b.ID
}

// sameParent reports whether two parents have the same name. After a reload, the same parent is
// another value.
func sameParent(a, b *rules.Parent) bool {
	return a == b || a != nil && b != nil && a.Name == b.Name
}

// mergeAttempt leaves out the fields of e's attempt that differ from o's.
func (e *entry) mergeAttempt(o *entry) {
	a, b := &e.a, &o.a
	a.Flow = 0
	addr, port := a.Client.Addr(), a.Client.Port()
	keep(&port, port == b.Client.Port())
	e.omit(OmitClient, !keep(&addr, addr == b.Client.Addr()))
	a.Client = netip.AddrPortFrom(addr, port)
	e.omit(omitVia, !keep(&a.Via, a.Via == b.Via))
	e.omit(omitProto, !keep(&a.Proto, a.Proto == b.Proto))
	e.omit(omitShown, !keep(&a.Shown, a.Shown == b.Shown))
	e.omit(omitFault, !keep(&a.Fault, a.Fault == b.Fault))
	e.omit(omitFault, !keep(&a.Unproven, a.Unproven == b.Unproven)) // the record has one field for both
	e.omit(omitECH, !keep(&a.ECH, a.ECH == b.ECH))
	e.omit(omitProvisional, !keep(&a.Provisional, a.Provisional == b.Provisional))
	e.omit(omitByAddress, !keep(&a.ByAddress, a.ByAddress == b.ByAddress))
	e.omit(omitHostIgnored, !keep(&a.HostIgnored, a.HostIgnored == b.HostIgnored))
	e.omit(omitParent, !keep(&a.Parent, sameParent(a.Parent, b.Parent)))
	e.omit(omitMismatch, !keep(&a.Mismatch, a.Mismatch == b.Mismatch))
	e.omit(OmitProven, !keep(&a.SourceProven, a.SourceProven == b.SourceProven))
	e.omit(omitIdentity, !keep(&a.Identity, a.Identity.Equal(b.Identity)))
	e.omit(omitQType, !keep(&a.QType, a.QType == b.QType))
	e.omit(omitSNI, !keep(&a.SNI, a.SNI == b.SNI))
	e.omit(omitOriginal, !keep(&a.Original, a.Original == b.Original))
	e.omit(omitDetail, !keep(&a.Detail, a.Detail == b.Detail))
	if a.Host != b.Host || a.HostAddr != b.HostAddr || a.HostPort != b.HostPort {
		a.Host, a.HostAddr, a.HostPort = rules.Name{}, netip.Addr{}, 0
		e.omit(omitHTTPHost, true)
	}
	addr, port = a.Dest.Addr(), a.Dest.Port()
	e.omit(omitPort, !keep(&port, port == b.Dest.Port()))
	named := keep(&a.Authority, a.Authority == b.Authority)
	e.omit(OmitAuthority, !named)
	e.omit(omitDest, !keep(&addr, addr == b.Dest.Addr() && (named || !addr.IsValid()))) // the addresses of different names would be misleading
	a.Dest = netip.AddrPortFrom(addr, port)
	e.omit(omitRaw, !keep(&a.Raw, bytes.Equal(a.Raw, b.Raw)))
	e.omit(omitResolved, !keep(&a.Resolved, slices.Equal(a.Resolved, b.Resolved)))
	e.omit(omitPinned, !keep(&a.Pinned, slices.Equal(a.Pinned, b.Pinned)))
	e.cut = e.cut && a.Raw != nil || o.cut && a.Raw != nil
}

// keep sets *v to its zero value unless same is true, and returns same.
func keep[T any](v *T, same bool) bool {
	if !same {
		var zero T
		*v = zero
	}
	return same
}
