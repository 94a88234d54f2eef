// Suffix trie: finds the rules that list a host name or a parent of it.
//
// The trie is one flat hash table. Its keys are whole suffixes, hashed from the right in
// words of eight octets. So one pass over the words of a name gives the hash of every
// suffix. The parents of each key, down to two labels, are in the table too. A look-up
// begins with these short parents and ends at the first suffix that has no key below it.
// So neither a long name nor a large list makes a look-up slower. A look-up compares
// keys octet by octet. The table has no pointers, and a look-up allocates nothing.

package rules

import "math/bits"

// suffixTrie maps suffixes to numbers. The zero suffixTrie is empty.
type suffixTrie struct {
	buckets []trieBucket // length a power of two; one to two keys in each, on average
	text    string       // every key, one after the other
	longest int          // octets of the longest key
	single  bool         // some key has one label
}

// A trieBucket has room for four keys.
type trieBucket struct {
	tags  uint64    // 16 bits of each key's hash; 0: no key
	start [4]uint32 // where each key begins in text
	value [4]uint32 // 0: only a parent of keys
	size  [4]uint8  // octets of each key
	below [4]bool   // there are keys below it
	over  bool      // a key of this bucket is in the next one
}

// trieKey is one entry before compilation. Its value is not 0.
type trieKey struct {
	name  Name
	value uint32
}

// compileTrie builds the table. Names must be distinct.
func compileTrie(keys []trieKey) (t suffixTrie) {
	if len(keys) == 0 {
		return t
	}
	values, parents := map[Name]uint32{}, map[Name]bool{}
	for _, k := range keys {
		values[k.name] = k.value
		t.longest = max(t.longest, len(k.name.s))
		t.single = t.single || k.name.Parent().IsZero()
		for p := k.name.Parent(); !p.Parent().IsZero() && !parents[p]; p = p.Parent() {
			parents[p] = true
		}
	}
	for p := range parents {
		if values[p] == 0 {
			keys = append(keys, trieKey{p, 0})
		}
	}
	t.buckets = make([]trieBucket, 1<<bits.Len(uint(len(keys)-1)/2))
	text := make([]byte, 0, 24*len(keys))
	for _, k := range keys {
		t.insert(hashName(k.name.s), uint32(len(text)), k, parents[k.name])
		text = append(text, k.name.s...)
	}
	t.text = string(text)
	return t
}

// insert puts a key into its bucket, or into the next one that has room.
func (t *suffixTrie) insert(h uint64, start uint32, k trieKey, below bool) {
	mask := uint64(len(t.buckets) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		b := &t.buckets[i]
		for lane := range b.size {
			if b.size[lane] == 0 {
				b.tags |= (h>>48 | 1) << (16 * lane)
				b.start[lane], b.value[lane], b.size[lane], b.below[lane] = start, k.value, uint8(len(k.name.s)), below
				return
			}
		}
		b.over = true
	}
}

// whole returns the value of the key that is the name itself; 0 if there is none.
func (t *suffixTrie) whole(n Name) uint32 {
	if len(n.s) > t.longest {
		return 0
	}
	value, _ := t.find(hashName(n.s), n.s)
	return value
}

// parents looks at the parents of n that are keys. It returns the value of the deepest
// parent whose value has a bit of one. It also returns the value of the deepest parent
// whose value has a bit of other, and where that parent begins in n. Values are 0 if
// there is none.
func (t *suffixTrie) parents(n Name, one, other uint32) (deepest, otherDeepest uint32, at int) {
	if len(t.buckets) == 0 {
		return 0, 0, 0
	}
	h, end, depth := uint64(hashSeed), len(n.s), 0
	for ; end > 0; end -= 8 {
		x := wordBefore(n.s, end)
		for dots := dotsIn(x); dots != 0; {
			behind := bits.LeadingZeros64(dots) // the position of the dot, in bits
			dots &^= 1 << 63 >> behind
			if depth++; depth == 1 && !t.single {
				continue
			}
			start := end - behind>>3
			value, below := t.find(mix(h^x>>(64-behind)), n.s[start:])
			if value&one != 0 {
				deepest = value
			}
			if value&other != 0 {
				otherDeepest, at = value, start
			}
			if !below && depth > 1 {
				return deepest, otherDeepest, at
			}
		}
		h = mix(h ^ x)
	}
	return deepest, otherDeepest, at
}

// find returns the value of a key, and whether there are keys below it.
func (t *suffixTrie) find(h uint64, suffix string) (value uint32, below bool) {
	if len(t.buckets) == 0 {
		return 0, false
	}
	mask, tag := uint64(len(t.buckets)-1), (h>>48|1)*lanes
	for i := h & mask; ; i = (i + 1) & mask {
		b := &t.buckets[i]
		y := b.tags ^ tag
		for m := (y - lanes) &^ y & (lanes << 15); m != 0; m &= m - 1 {
			lane := bits.TrailingZeros64(m) >> 4 & 3
			if start := int(b.start[lane]); int(b.size[lane]) == len(suffix) && t.text[start:start+len(suffix)] == suffix {
				return b.value[lane], b.below[lane]
			}
		}
		if !b.over {
			return 0, false
		}
	}
}

// labelStart returns where the label that ends before end begins.
func labelStart(s string, end int) int {
	for end > 0 && s[end-1] != '.' {
		end--
	}
	return end
}

const (
	hashSeed = 0x9e3779b97f4a7c15
	hashMul  = 0xa0761d6478bd642f
	lanes    = 0x0001000100010001 // a 1 in each 16 bits of a word
)

// dotsIn marks each dot of a word by the high bit of its octet. A borrow could make '/'
// look like a dot, but names have no '/'.
func dotsIn(x uint64) uint64 {
	d := x ^ ones*'.'
	return (d - ones) &^ d & highs
}

// hashName returns the hash of a whole suffix. It need not resist collisions: clients
// choose names but not keys, and keys are compared in full.
func hashName(s string) uint64 {
	h, end := uint64(hashSeed), len(s)
	for ; end >= 8; end -= 8 {
		h = mix(h ^ load8(s, end-8))
	}
	return mix(h ^ wordBefore(s, end)>>(64-8*end))
}

// wordBefore loads the eight octets before end. Octets before the start of s are 0.
func wordBefore(s string, end int) uint64 {
	switch {
	case end >= 8:
		return load8(s, end-8)
	case len(s) >= 8:
		return load8(s, 0) << (64 - 8*end)
	}
	x := uint64(0)
	for i := range end {
		x = x>>8 | uint64(s[i])<<56
	}
	return x
}

// wordFrom loads the eight octets from start on. Octets after the end of s are 0.
func wordFrom(s string, start int) uint64 {
	if start+8 <= len(s) {
		return load8(s, start)
	}
	x := uint64(0)
	for i := len(s) - 1; i >= start; i-- {
		x = x<<8 | uint64(s[i])
	}
	return x
}

func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x, hashMul)
	return hi ^ lo
}

func load8(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
