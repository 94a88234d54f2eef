// Suffix trie: which rules name a host name, or a parent of it.
//
// The trie is compiled into one flat hash table whose keys are whole suffixes,
// hashed label by label from the right. A look-up visits the suffixes of a
// name from the shortest to the deepest that any rule has, and only at depths
// that some rule has, so that neither a long name nor a large list makes it
// slower; what it finds is compared octet by octet. The table's entries hold
// no pointers, and a look-up allocates nothing.

package rules

import "math/bits"

// suffixTrie maps suffixes to numbers. The zero suffixTrie is empty.
type suffixTrie struct {
	slots   []trieSlot // length a power of two, at most half full
	text    string     // every key, one after the other
	deepest int        // labels of the deepest key
	depths  [2]uint64  // bit n: some key has n labels
}

// trieSlot is 16 octets: four to a cache line.
type trieSlot struct {
	hash  uint32 // 0: empty
	start uint32 // of the key in text
	value uint32
	size  uint8 // of the key
}

// trieKey is one entry before compilation.
type trieKey struct {
	name  Name
	value uint32
}

// compileTrie builds the table. Names must be distinct.
func compileTrie(keys []trieKey) suffixTrie {
	if len(keys) == 0 {
		return suffixTrie{}
	}
	size := 1 << bits.Len(uint(2*len(keys)-1))
	t := suffixTrie{slots: make([]trieSlot, size)}
	text := make([]byte, 0, 24*len(keys))
	for _, k := range keys {
		depth, h := 0, uint64(hashSeed)
		for end := len(k.name.s); end > 0; depth++ {
			var start int
			h, start = hashLabel(h, k.name.s, end)
			end = start - 1
		}
		t.deepest = max(t.deepest, depth)
		t.depths[depth>>6&1] |= 1 << (depth & 63)
		i := h & uint64(size-1)
		for t.slots[i].hash != 0 {
			i = (i + 1) & uint64(size-1)
		}
		t.slots[i] = trieSlot{hash: fingerprint(h), start: uint32(len(text)), value: k.value, size: uint8(len(k.name.s))}
		text = append(text, k.name.s...)
	}
	t.text = string(text)
	return t
}

// trieWalk visits the suffixes of one name that are keys, shortest first.
type trieWalk struct {
	t     *suffixTrie
	name  string
	end   int // just behind the next label
	depth int
	hash  uint64
	value uint32 // of the key found
	whole bool   // the key is the name itself
}

// begin starts a walk. It sets the fields where they are: a walk that was
// returned would be copied on the way of every decision.
func (w *trieWalk) begin(t *suffixTrie, n Name) {
	w.t, w.name, w.end, w.hash = t, n.s, len(n.s), hashSeed
}

func (t *suffixTrie) walk(n Name) (w trieWalk) {
	w.begin(t, n)
	return w
}

// next goes to the next key; false when there is none. Most labels are
// shorter than eight octets: those are hashed here, in one step.
func (w *trieWalk) next() bool {
	t, s, end, h, depth := w.t, w.name, w.end, w.hash, w.depth
	for end > 0 && depth < t.deepest {
		n := 8
		if end >= 8 {
			x := load8(s, end-8)
			if n = labelIn(x); n < 8 {
				h = mix(h ^ x>>8>>(56-8*n))
				end -= n
			}
		}
		if n == 8 {
			h, end = hashLabel(h, s, end)
		}
		depth++
		if t.depths[depth>>6&1]>>(depth&63)&1 != 0 {
			if v, ok := t.find(h, s[end:]); ok {
				w.end, w.hash, w.depth, w.value, w.whole = end-1, h, depth, v, end == 0
				return true
			}
		}
		end--
	}
	w.end = 0
	return false
}

func (t *suffixTrie) find(h uint64, suffix string) (uint32, bool) {
	mask := uint64(len(t.slots) - 1)
	fp := fingerprint(h)
	for i := h & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.hash == 0 {
			return 0, false
		}
		if s.hash == fp && int(s.size) == len(suffix) && t.text[s.start:int(s.start)+len(suffix)] == suffix {
			return s.value, true
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
)

// fingerprint is the part of a hash that a slot keeps; never 0.
func fingerprint(h uint64) uint32 { return uint32(h>>32) | 1 }

// labelIn counts the octets behind the last dot of a word; 8: it has no dot.
// Names have no '/', the one byte that a borrow could mistake for a dot.
func labelIn(x uint64) int {
	d := x ^ ones*'.'
	return bits.LeadingZeros64((d-ones)&^d&highs) >> 3
}

// hashLabel continues the hash of a suffix by the label in front of it, which
// ends before end, and returns where the label begins. It looks for the dot
// and hashes in the same steps of eight octets. Who chooses names cannot
// choose keys, so it need not resist collisions: keys are compared in full.
func hashLabel(h uint64, s string, end int) (uint64, int) {
	for {
		x := wordBefore(s, end)
		n := labelIn(x)
		if n == 8 && end >= 8 {
			h = mix(h ^ x)
			end -= 8
			continue
		}
		n = min(n, end)
		return mix(h ^ x>>(64-8*n)), end - n
	}
}

// wordBefore loads the eight octets that end before end; those before the
// start are 0.
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

func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x, hashMul)
	return hi ^ lo
}

func load8(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
