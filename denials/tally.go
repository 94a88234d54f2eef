// Tally: groups denials by destination, client and reason, and gives each group an ID, a
// hash of these.

package denials

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/denials/journal"
)

// The limits of a Tally. Denials beyond them are counted per client and reason.
// If there are too many clients for that, denials are counted per reason.
const (
	groupsMax = 100_000
	textMax   = 64 << 20 // bytes of the groups and their texts, roughly
	restMax   = 8 << 20  // bytes of the groups that are counted per client and reason, beyond groupBytes
	groupSize = 640      // bytes of a group without its texts, roughly
	hostMax   = 512      // only this many bytes of a host distinguish groups
)

// A Group is all denials of one destination, client and reason.
type Group struct {
	Host       string
	Port       uint16
	proven     bool // at least one denial has a proven source, or a source that may be proven
	raw        bool // Host is not a name
	Proto      string
	Client     string
	ClientName string
	Reason     string
	Verdict    string
	QType      string // the type of a look-up for which no rule is proposed; else ""

	Count       uint64
	First, Last time.Time
	Via         string // from the latest record, like all fields below
	Profile     string
	SNI         string
	Resolved    string // one of the addresses
	Detail      string
	Source      string
	Nearest     string
	Hint        string
	LastID      string
	Known       string // why the site knows and means these denials; "": it does not

	Cure Cure // set by Review and Suggest

	size int
	last asked
}

// asked holds the other values of the latest record. They are needed to ask the
// policy about it again.
type asked struct {
	schema                   int
	host, original, detail   string
	mismatch, ech, truncated bool
	journal.Question
}

// set copies the values of r.
func (k *asked) set(r *journal.Record) {
	pinned := append(k.Pinned[:0], r.Pinned...)
	*k = asked{schema: r.Schema, host: r.Host, original: r.OriginalDst, detail: r.Detail, mismatch: r.Mismatch, ech: r.ECH, truncated: r.Truncated, Question: r.Question}
	k.Pinned = pinned
}

// Key identifies the group in addresses and on command lines. The same group
// has the same key in every query.
func (g *Group) Key() string {
	h := sha256.New()
	for _, s := range [...]string{g.Host, g.Proto, g.Client, g.Reason, g.Verdict} {
		_, _ = io.WriteString(h, s)
		_, _ = h.Write([]byte{0})
	}
	_, _ = io.WriteString(h, strconv.Itoa(int(g.Port))+g.QType)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Record returns the latest record of the group, with the values that the group
// keeps.
func (g *Group) Record() journal.Record {
	k := &g.last
	r := journal.Record{Schema: k.schema, Event: journal.EventDecision, Verdict: g.Verdict, Via: g.Via, Client: g.Client, ClientName: g.ClientName, Host: k.host,
		Port: g.Port, Proto: g.Proto, Reason: g.Reason, SNI: g.SNI, OriginalDst: k.original, Mismatch: k.mismatch, ECH: k.ech,
		Nearest: g.Nearest, Hint: g.Hint, Detail: k.detail, Truncated: k.truncated, Question: k.Question}
	if g.raw {
		r.HostRaw = g.Host
	}
	if g.Host == Others {
		r.Host = ""
		r.Omitted |= journal.OmitAuthority
	}
	if g.Resolved != "" {
		r.Resolved = []string{g.Resolved}
	}
	return r
}

// A Tally groups records and counts them. Its zero value is ready.
type Tally struct {
	groups map[groupKey]*Group
	size   int    // bytes, roughly
	Total  uint64 // denials added
	Rest   uint64 // how many of these denials were counted without their host
}

type groupKey struct {
	host, proto, client, reason, verdict string
	qtype                                string // a look-up for which no rule is proposed
	port                                 uint16
}

// Others is the text for the host and client of denials that were counted
// without them.
const Others = "(many)"

// keyOf returns the key of a record's group.
func keyOf(r *journal.Record) (k groupKey, raw bool) {
	k = groupKey{r.Host, r.Proto, r.Client, r.Reason, r.Verdict, "", r.Port}
	if t, ok := journal.ParseType(r.QType); ok && ruleless(t) {
		k.qtype = r.QType
	}
	switch {
	case k.host == "" && r.HostRaw != "":
		k.host, raw = r.HostRaw, true
		if len(k.host) > hostMax {
			k.host = strings.Clone(k.host[:hostMax])
		}
	case k.host == "" && r.Times() > 1:
		k.host = Others
	}
	return k, raw
}

// KeyOf returns the Key of the group that a record belongs to.
func KeyOf(r *journal.Record) string {
	k, raw := keyOf(r)
	return newGroup(k, raw, r).Key()
}

// Add counts a record of a denial. It ignores other records.
func (t *Tally) Add(r *journal.Record) {
	if !r.Denied() {
		return
	}
	t.Total += r.Times()
	k, raw := keyOf(r)
	g := t.groups[k]
	if g == nil {
		g = t.begin(k, raw, r)
	}
	before := g.size
	g.add(r)
	t.size += g.size - before
}

// begin makes a new group if there is room. If not, it returns the group that
// counts the rest.
func (t *Tally) begin(k groupKey, raw bool, r *journal.Record) *Group {
	if t.groups == nil {
		t.groups = make(map[groupKey]*Group)
	}
	if len(t.groups) >= groupsMax || t.size >= textMax {
		t.Rest += r.Times()
		k.host, k.port, k.proto, k.qtype, raw = Others, 0, "", "", false
		if len(t.groups) >= 2*groupsMax || t.size >= textMax+restMax {
			k.client = Others
		}
		if g := t.groups[k]; g != nil {
			return g
		}
	}
	g := newGroup(k, raw, r)
	t.groups[k] = g
	return g
}

func newGroup(k groupKey, raw bool, r *journal.Record) *Group {
	return &Group{Host: k.host, Port: k.port, Proto: k.proto, Client: k.client, Reason: k.reason, Verdict: k.verdict, QType: k.qtype, First: r.Time, raw: raw}
}

func (g *Group) add(r *journal.Record) {
	g.Count += r.Times()
	g.proven = g.proven || r.SourceProven || r.Schema < 2 || r.Omitted&journal.OmitProven != 0
	if r.Time.Before(g.First) {
		g.First = r.Time
	}
	if r.Time.Before(g.Last) {
		return
	}
	g.Last, g.LastID = r.Time, r.ID()
	g.ClientName, g.Profile, g.Via = r.ClientName, r.Profile, r.Via
	g.SNI, g.Resolved, g.Detail = r.SNI, "", r.FullDetail()
	switch {
	case r.Dest != "":
		g.Resolved = r.Dest // the address that was judged
	case len(r.Resolved) > 0:
		g.Resolved = r.Resolved[0]
	}
	g.Source, g.Nearest, g.Hint, g.Known = r.Source, r.Nearest, r.Hint, r.Known
	g.last.set(r)
	g.size = groupSize + len(g.Host) + len(g.SNI) + len(g.Detail) + len(g.Hint) + len(g.LastID) + len(g.Known)
}

// Groups returns all groups, the largest first.
func (t *Tally) Groups() []*Group {
	gs := make([]*Group, 0, len(t.groups))
	for _, g := range t.groups {
		gs = append(gs, g)
	}
	slices.SortFunc(gs, byCount)
	return gs
}

func byCount(a, b *Group) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), b.Last.Compare(a.Last), byHost(a, b))
}

func byLast(a, b *Group) int { return cmp.Or(b.Last.Compare(a.Last), byCount(a, b)) }

func byFirst(a, b *Group) int { return cmp.Or(b.First.Compare(a.First), byCount(a, b)) }

func byHost(a, b *Group) int {
	return cmp.Or(strings.Compare(a.Host, b.Host), strings.Compare(a.Client, b.Client), strings.Compare(a.Reason, b.Reason),
		strings.Compare(a.Verdict, b.Verdict), cmp.Compare(a.Port, b.Port), strings.Compare(a.Proto, b.Proto), strings.Compare(a.QType, b.QType))
}
