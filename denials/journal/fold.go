// Fold: one client's part of the journal: its budget for this second, and the
// table of the entries beyond it.

package journal

import (
	"hash/maphash"
	"math/bits"
	"time"

	"sallyport/rules"
)

const (
	perSecond = 100 // records of one kind and client that are written singly in a second
	foldHosts = 32  // destinations with a cell of their own, for one client

	// rawPerSecond limits the octets of unreadable text that are kept for one
	// client in a second. Beyond it, each text is cut to rawLeast. Without the
	// limit, one client could fill about 40 GB of disk in a day.
	rawPerSecond = 16 << 10
	rawLeast     = 64
)

// A client is one recently seen client: all addresses that one host can use
// share its budget.
type client struct {
	until  int64 // the end of the second of the budgets; 0: no budgets yet
	proven bool  // a recent handshake proved its source
	quotas [2]quota
	hosts  []cell
	rest   []cell // per reason, for destinations without a cell

	// The fields that fold reads for every cell of hosts are stored together: a
	// cell is large, and reading each one would cost a cache miss.
	hashes [foldHosts]uint64
	once   uint32 // bit i: hosts[i] counts one entry
}

// A quota holds the rest of this second's budgets. A client has two quotas: one
// for datagrams, whose source address can be forged, and one for attempts whose
// source a handshake proved. So forged datagrams cannot use up the budgets of the
// client's connections.
type quota struct {
	records [kinds]int
	raw     int // octets of unreadable text that may be kept
}

// The kinds of records with budgets of their own.
const (
	kindDenial = iota
	kindAnswer // a permitted DNS query
	kindPermit // another permitted decision
	kindClose  // the end of a permitted flow
	kinds
)

func (e *entry) kind() int {
	switch {
	case e.denied():
		return kindDenial
	case e.event == EventClose:
		return kindClose
	case e.a.Via == rules.ViaDNS:
		return kindAnswer
	}
	return kindPermit
}

// A cell counts entries of one key.
type cell struct {
	key foldKey
	e   entry
}

// spend charges e to this second's budget. It returns false if the budget is used
// up.
func (c *client) spend(e *entry, window int64) bool {
	if c.until != window+1 {
		c.until = window + 1
		for i := range c.quotas {
			c.quotas[i] = quota{[kinds]int{perSecond, perSecond, perSecond, perSecond}, rawPerSecond}
		}
	}
	left := &c.quotas[b2i(e.a.SourceProven)]
	if e.denied() {
		left.trim(e)
	}
	left.records[e.kind()]--
	return left.records[e.kind()] >= 0
}

// trim cuts the unreadable text of e if this second's budget for it is used up.
func (q *quota) trim(e *entry) {
	switch n := min(len(e.a.Raw), rawMax); {
	case n <= rawLeast:
	case n <= q.raw:
		q.raw -= n
	default:
		e.a.Raw, e.cut = e.a.Raw[:rawLeast], true
	}
}

// fold counts e. A destination that repeats keeps a cell of its own. If the
// table is full, a destination seen only once gives up its cell and is counted
// under its reason.
func (c *client) fold(e *entry, seed maphash.Seed) {
	k := e.key()
	h := k.hash(seed)
	for i := range c.hosts {
		if c.hashes[i] == h && c.hosts[i].key == k {
			c.hosts[i].e.merge(e)
			c.once &^= 1 << i
			return
		}
	}
	switch {
	case len(c.hosts) < foldHosts:
		c.hosts = append(c.hosts, cell{k, *e})
		c.place(len(c.hosts)-1, h).own()
	case c.once != 0:
		i := int(h % foldHosts)
		if c.once>>i&1 == 0 {
			i = bits.TrailingZeros32(c.once)
		}
		c.foldRest(&c.hosts[i].e, c.hosts[i].key.class())
		c.hosts[i] = cell{k, *e}
		c.place(i, h).drop()
	default:
		c.foldRest(e, k.class())
	}
}

// place stores the values that fold reads for the new cell, and returns the
// cell's entry.
func (c *client) place(i int, hash uint64) *entry {
	e := &c.hosts[i].e
	c.hashes[i] = hash
	if c.once &^= 1 << i; e.count == 1 {
		c.once |= 1 << i
	}
	return e
}

// foldRest counts e under its reason alone.
func (c *client) foldRest(e *entry, class foldKey) {
	for i := range c.rest {
		if c.rest[i].key == class {
			c.rest[i].e.merge(e)
			return
		}
	}
	c.rest = append(c.rest, cell{key: class, e: *e})
	r := &c.rest[len(c.rest)-1].e
	r.drop()
}

// empty reports whether nothing is folded.
func (c *client) empty() bool { return len(c.hosts) == 0 && len(c.rest) == 0 }

// unload appends the folded entries to the end of to. A destination seen once
// joins the count of its reason, if there is one, because its name does not
// repeat.
func (c *client) unload(to []entry) []entry {
	for i := range c.hosts {
		h := &c.hosts[i]
		if h.e.count > 1 || !c.crowded(h.key.class()) {
			to = append(to, h.e)
		} else {
			c.foldRest(&h.e, h.key.class())
		}
	}
	for i := range c.rest {
		to = append(to, c.rest[i].e)
	}
	clear(c.hosts)
	clear(c.rest)
	c.hosts, c.rest, c.once = c.hosts[:0], c.rest[:0], 0
	return to
}

// crowded reports whether entries of this reason did not fit.
func (c *client) crowded(class foldKey) bool {
	for i := range c.rest {
		if c.rest[i].key == class {
			return true
		}
	}
	return false
}

// idle reports whether the client can be forgotten.
func (c *client) idle(window int64) bool { return c.empty() && window-c.until >= idleSeconds }

// idleSeconds is how long a quiet client is remembered.
const idleSeconds = int64(10 * time.Second / time.Second)
