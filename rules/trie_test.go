// The suffix trie against a list that is searched from one end to the other.

package rules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// slowSuffixes is the trie's slow twin: every key that is the name or a parent
// of it, shortest first.
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
	want := slowSuffixes(keys, n)
	w := trie.walk(n)
	for i := 0; w.next(); i++ {
		if i >= len(want) || want[i].value != w.value || w.whole != (want[i].name == n) {
			t.Fatalf("%d keys, %q: step %d found %d (whole %v), want %v", len(keys), n.s, i, w.value, w.whole, want)
		}
		if i == len(want)-1 {
			want = want[:0]
			break
		}
	}
	if len(want) > 0 {
		t.Fatalf("%d keys, %q: not all found of %v", len(keys), n.s, want)
	}
	if w.next() {
		t.Fatalf("%d keys, %q: found %d too", len(keys), n.s, w.value)
	}
}

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
				keys = append(keys, trieKey{mustName(s), uint32(len(keys))})
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

// Names of 127 labels are found whole, as parents, and missed, like any other.
func TestTrieDeepNames(t *testing.T) {
	deep := mustName(labels127)
	keys := []trieKey{{deep, 7}, {mustName("a.a"), 8}, {mustName("b.a"), 9}}
	trie := compileTrie(keys)
	for _, s := range []string{labels127, "b" + labels127[1:], labels127[2:], "a", "a.a", labels127[:252] + "b", labels127[:250] + "b.a"} {
		checkTrie(t, &trie, keys, mustName(s))
	}
	shallow := compileTrie(keys[1:])
	checkTrie(t, &shallow, keys[1:], deep)
}

// Keys whose hashes share a slot, or all of what a slot keeps of a hash, are
// told apart: the text decides.
func TestTrieCollisions(t *testing.T) {
	keys := []trieKey{{mustName("one.example"), 1}, {mustName("two.example"), 2}, {mustName("six.example"), 6}}
	trie := compileTrie(keys)
	// A table that is full but for one slot: every look-up walks over others' slots.
	tight := suffixTrie{slots: make([]trieSlot, 4), text: trie.text, deepest: trie.deepest}
	const same = 0xfeed_0001
	for i, k := range keys {
		tight.slots[i] = trieSlot{hash: same, start: uint32(strings.Index(trie.text, k.name.s)), value: k.value, size: uint8(len(k.name.s))}
	}
	for _, k := range keys {
		if v, ok := tight.find(uint64(same)<<32, k.name.s); !ok || v != k.value {
			t.Errorf("%s: found %d, %v", k.name, v, ok)
		}
	}
	for _, s := range []string{"ten.example", "one.exampl", "one.examples", "example", "xone.example"} {
		if v, ok := tight.find(uint64(same)<<32, s); ok {
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
			for w := trie.walk(n); w.next(); {
			}
		}); got != 0 {
			t.Errorf("%s: %v allocations", s, got)
		}
	}
}
