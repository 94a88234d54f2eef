// Compares the suffix trie with a list that is searched from one end to the
// other.

package rules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// slowSuffixes is the slow twin of the trie. It returns every key that is the name
// or a parent of it, shortest first.
func slowSuffixes(keys []trieKey, n Name) (found []trieKey) {
	for _, k := range keys {
		if k.name == n || strings.HasSuffix(n.s, "."+k.name.s) {
			found = append(found, k)
		}
	}
	slices.SortFunc(found, func(a, b trieKey) int { return len(a.name.s) - len(b.name.s) })
	return found
}

func checkTrie(t *testing.T, trie *suffixTrie, keys []trieKey, n Name) {
	t.Helper()
	var whole, one, other uint32
	at := 0
	for _, k := range slowSuffixes(keys, n) {
		if k.name == n {
			whole = k.value
			break
		}
		if k.value&bitOne != 0 {
			one = k.value
		}
		if k.value&bitOther != 0 {
			other, at = k.value, len(n.s)-len(k.name.s)
		}
	}
	if got := trie.whole(n); got != whole {
		t.Fatalf("%d keys, %q: the whole name is found as %d, want %d", len(keys), n.s, got, whole)
	}
	if gotOne, gotOther, gotAt := trie.parents(n, bitOne, bitOther); gotOne != one || gotOther != other || gotAt != at {
		t.Fatalf("%d keys, %q: found parents %d and, at %d, %d, want %d and, at %d, %d", len(keys), n.s, gotOne, gotAt, gotOther, one, at, other)
	}
}

// The values in these tests consist of bits. A look-up asks for these bits.
const (
	bitOne   = 1
	bitOther = 6
)

// sharing makes names that share labels at either end: few labels, reused.
func sharing(r *rand.Rand, depth int) string {
	labels := []string{"a", "b", "ab", "a-b", "www", "update", "update1", "sangfor", "com", "cn", "net", "sevenoc", "eightoct", "nineoctet",
		strings.Repeat("l", 16), strings.Repeat("l", 17), strings.Repeat("l", 63)}
	var parts []string
	for range 1 + r.IntN(depth) {
		parts = append(parts, labels[r.IntN(len(labels))])
	}
	return strings.Join(parts, ".")
}

func TestTrieAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, size := range []int{0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 80, 300, 1000} {
		var keys []trieKey
		seen := map[string]bool{}
		for len(keys) < size {
			s := sharing(r, 2+len(keys)%4)
			if size > 50 && r.IntN(2) == 0 {
				s = fmt.Sprintf("n%d.%s", r.IntN(size), s)
			}
			if len(s) <= MaxName && !seen[s] {
				seen[s] = true
				keys = append(keys, trieKey{mustName(s), uint32(len(keys) + 1)})
			}
		}
		trie := compileTrie(keys)
		for _, k := range keys {
			checkTrie(t, &trie, keys, k.name)
		}
		for range 3000 {
			s := sharing(r, 6)
			if len(keys) > 0 && r.IntN(2) == 0 {
				s += "." + keys[r.IntN(len(keys))].name.s
			}
			if n, err := ParseName(s); err == nil {
				checkTrie(t, &trie, keys, n)
			}
		}
	}
}

// Names of 127 labels are found as keys and as parents, or not found, like any
// other name.
func TestTrieDeepNames(t *testing.T) {
	deep := mustName(labels127)
	keys := []trieKey{{deep, 7}, {mustName("a.a"), 8}, {mustName("b.a"), 9}, {mustName("a"), 3}}
	trie := compileTrie(keys)
	for _, s := range []string{labels127, "b" + labels127[1:], labels127[2:], "a", "a.a", labels127[:252] + "b", labels127[:250] + "b.a"} {
		checkTrie(t, &trie, keys, mustName(s))
	}
	shallow := compileTrie(keys[1:])
	checkTrie(t, &shallow, keys[1:], deep)
}

// The trie distinguishes keys whose hashes share a slot, or all bits that a slot
// keeps of a hash. It compares their text.
func TestTrieCollisions(t *testing.T) {
	keys := []trieKey{{mustName("one.example"), 1}, {mustName("two.example"), 2}, {mustName("six.example"), 6}}
	for i := range 6 { // more keys than fit into a bucket
		keys = append(keys, trieKey{mustName(fmt.Sprintf("n%d.example", i)), uint32(10 + i)})
	}
	trie := compileTrie(keys)
	tight := suffixTrie{buckets: make([]trieBucket, 4), text: trie.text}
	const same = 0xfeed_0000_0000_0002
	for _, k := range keys {
		tight.insert(same, uint32(strings.Index(trie.text, k.name.s)), k, k.value == 1)
	}
	for _, k := range keys {
		if v, below := tight.find(same, k.name.s); v != k.value || below != (v == 1) {
			t.Errorf("%s: found %d, %v", k.name, v, below)
		}
	}
	for _, s := range []string{"ten.example", "one.exampl", "one.examples", "example", "xone.example", "n6.example"} {
		if v, _ := tight.find(same, s); v != 0 {
			t.Errorf("%s: found %d", s, v)
		}
	}
}

func TestTrieAllocatesNothing(t *testing.T) {
	keys := []trieKey{{mustName("a.example"), 1}, {mustName("example"), 2}}
	trie := compileTrie(keys)
	for _, s := range []string{"a.example", "x.y.a.example", "b.other", labels127} {
		n := mustName(s)
		if got := testing.AllocsPerRun(100, func() {
			trie.whole(n)
			trie.parents(n, bitOne, bitOther)
		}); got != 0 {
			t.Errorf("%s: %v allocations", s, got)
		}
	}
}
