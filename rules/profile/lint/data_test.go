// Tests of the lists: providers and special ranges.

package lint

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sallyport/rules"
)

// Each line of the list has a valid domain, a known kind and a provider, and no domain is
// below another domain of the same kind.
func TestTheListOfProvidersIsSound(t *testing.T) {
	seen := map[string]bool{}
	for line := range strings.Lines(sharedList) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		n, err := rules.ParseName(f[0])
		if err != nil || n.String() != f[0] || len(f) < 3 || f[1] != "host" && f[1] != "below" || seen[f[0]] {
			t.Errorf("%q: %v", line, err)
		}
		seen[f[0]] = true
	}
	for _, must := range []string{"cloudfront.net", "storage.googleapis.com", "azureedge.net"} {
		if !seen[must] {
			t.Errorf("%s is missing", must)
		}
	}
	if len(providers()) != len(seen) {
		t.Errorf("%d providers of %d lines", len(providers()), len(seen))
	}
}

// A permitted name must not resolve to an address of any of these ranges,
// either.
func TestSpecialRangesAreSpecial(t *testing.T) {
	for _, s := range specialRanges() {
		p := netip.MustParsePrefix(s[0])
		if p != p.Masked() || !rules.Special(p.Addr()) {
			t.Errorf("%s (%s) is an ordinary range", s[0], s[1])
		}
	}
}

// The pairs that are found without comparing every text with every other one are all pairs
// that are one edit apart.
func TestPairsAreAllPairs(t *testing.T) {
	texts := []string{"", "a", "b", "ab", "ba", "abc", "acb", "abcd", "bcd", "aab", "aabb", "abab", "upd.x", "udp.x", "updd.x", "up.x", "u.pdx"}
	for i := range 200 { // short words over three letters
		w := ""
		for n := i + 3; n > 0; n /= 3 {
			w += string("abc"[n%3])
		}
		if !slices.Contains(texts, w) {
			texts = append(texts, w)
		}
	}
	got := map[[2]int]int{}
	pairs(texts, func(x, y int) { got[[2]int{x, y}]++ })
	for y := range texts {
		for x := range y {
			want := 0
			if oneEdit(texts[x], texts[y]) {
				want = 1
			}
			if got[[2]int{x, y}] != want {
				t.Errorf("%q and %q: met %d times, want %d", texts[x], texts[y], got[[2]int{x, y}], want)
			}
		}
	}
}
