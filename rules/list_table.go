// List table: finds the entries of a List that have a host name, by the name itself or by a
// wildcard above it.
//
// The table hashes whole suffixes as the suffix trie does. It is denser: it holds no value
// for a key, and a parent of a name shares the name's text. So a million names need about
// 35 octets each.

package rules

import "math/bits"

// What the table knows of a key.
const (
	hasExact = 1 << iota // the list has the name
	hasWild              // the list has *.name
	hasBelow             // the list has names below it
	hasNear              // the key is no public suffix, so the names below it count as similar
	isPast   = 1 << 7    // no property of a key: see listBucket
)

// A listTable holds the names of a List. The zero listTable is empty.
type listTable struct {
	buckets []listBucket
	text    string // every name once, in the order of reversed octets, see nameText
	longest int    // octets of the longest key
}

// A listBucket has room for eight keys, and the size of a cache line. A key that finds its
// bucket full is in the next bucket that has room. It marks each bucket that it passes with
// isPast, in the octet of has that three bits of its hash choose. So most look-ups of other
// keys end at a full bucket, too.
type listBucket struct {
	tags  [2]uint64 // 16 bits of each key's hash; 0: no key
	start [8]uint32 // where each key begins in text
	size  [8]uint8  // octets of each key
	has   [8]uint8
}

// keysPerBucket is the mean number of keys in a bucket. With more, look-ups often continue
// in the next bucket.
const keysPerBucket = 5.6

// makeBuckets makes room for n keys.
func (t *listTable) makeBuckets(n int) {
	t.buckets = make([]listBucket, int(float64(n)/keysPerBucket)+1)
}

// home returns the number of the bucket that a hash belongs to. It uses other bits of the
// hash than the tags.
func (t *listTable) home(h uint64) uint64 { return uint64(uint32(h)) * uint64(len(t.buckets)) >> 32 }

// insert adds a key and returns a pointer to what the table knows of it, for later changes.
func (t *listTable) insert(key string, start uint32, has uint8) *uint8 {
	h := hashName(key)
	for i := t.home(h); ; i = t.next(i) {
		b := &t.buckets[i]
		for lane := range b.size {
			if b.size[lane] == 0 {
				b.tags[lane>>2] |= (h>>48 | 1) << (16 * (lane & 3))
				b.start[lane], b.size[lane] = start, uint8(len(key))
				b.has[lane] |= has
				t.longest = max(t.longest, len(key))
				return &b.has[lane]
			}
		}
		b.has[h>>32&7] |= isPast
	}
}

func (t *listTable) next(i uint64) uint64 {
	if i++; i == uint64(len(t.buckets)) {
		return 0
	}
	return i
}

// find returns what the table knows of a key, and where its text is. Both are 0 if there is
// no such key.
func (t *listTable) find(h uint64, key string) (has uint8, start uint32) {
	if len(t.buckets) == 0 {
		return 0, 0
	}
	tag := (h>>48 | 1) * lanes
	for i := t.home(h); ; i = t.next(i) {
		b := &t.buckets[i]
		// Both halves at once: the processor cannot predict in which of them a key is.
		y, z := b.tags[0]^tag, b.tags[1]^tag
		for m := (y-lanes)&^y&(lanes<<15)>>1 | (z-lanes)&^z&(lanes<<15); m != 0; m &= m - 1 {
			bit := bits.TrailingZeros64(m)
			lane := bit>>4&3 | bit&1<<2
			if at := int(b.start[lane]); int(b.size[lane]) == len(key) && t.text[at:at+len(key)] == key {
				return b.has[lane] &^ isPast, b.start[lane]
			}
		}
		if b.has[h>>32&7]&isPast == 0 {
			return 0, 0
		}
	}
}

// whole returns what the table knows of a name itself.
func (t *listTable) whole(n Name) (has uint8, start uint32) {
	if len(n.s) > t.longest {
		return 0, 0
	}
	return t.find(hashName(n.s), n.s)
}

// above walks the parents of n that are keys, from two labels on. It returns where the text
// of the widest wildcard above n is, or whether some parent has hasNear. No wildcard has one
// label, because every single label counts as a public suffix.
func (t *listTable) above(n Name) (wild bool, start uint32, near bool) {
	h, end, depth := uint64(hashSeed), len(n.s), 0
	for ; end > 0; end -= 8 {
		x := wordBefore(n.s, end)
		for dots := dotsIn(x); dots != 0; {
			behind := bits.LeadingZeros64(dots) // the position of the dot, in bits
			dots &^= 1 << 63 >> behind
			if depth++; depth == 1 {
				continue
			}
			has, at := t.find(mix(h^x>>(64-behind)), n.s[end-behind>>3:])
			near = near || has&hasNear != 0
			if has&hasWild != 0 {
				return true, at, near
			}
			if has&hasBelow == 0 {
				return false, 0, near
			}
		}
		h = mix(h ^ x)
	}
	return false, 0, near
}
