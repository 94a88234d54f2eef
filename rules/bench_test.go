// Benchmarks: a name's way from its text to the rules that name it.

package rules

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchNames are rule names like the names of a product, then invented names.
func benchNames(n int) []string {
	out := []string{"license.example", "update1.vendor.example", "download.vendor.example", "device.scloud.vendor.example", "auth.sea.vendor.example"}
	r := rand.New(rand.NewPCG(9, uint64(n)))
	words := []string{"cloud", "update", "api", "cdn", "edge", "mail", "data", "shop", "net", "media"}
	for len(out) < n {
		out = append(out, fmt.Sprintf("%s%d.%s%s.%s", words[r.IntN(10)], r.IntN(100), words[r.IntN(10)], words[r.IntN(10)], []string{"com", "net", "org", "co.uk", "example"}[r.IntN(5)]))
	}
	return out[:n]
}

var benchFound int

func BenchmarkParseName(b *testing.B) {
	for _, c := range [][2]string{{"short", "update1.vendor.example"}, {"hyphens", "us-east-1.vendor.example"}, {"mixed-case", "Update1.Vendor.Example."}, {"127-labels", labels127}} {
		b.Run(c[0], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n, _ := ParseName(c[1])
				benchFound += len(n.s)
			}
		})
	}
}

// BenchmarkNameToRule parses a name and walks the trie.
func BenchmarkNameToRule(b *testing.B) {
	for _, size := range []int{80, 10_000} {
		names := benchNames(size)
		var keys []trieKey
		seen := map[string]bool{}
		for i, s := range names {
			if !seen[s] {
				seen[s] = true
				keys = append(keys, trieKey{mustName(s), uint32(i + 1)})
			}
		}
		trie := compileTrie(keys)
		hits, below := names, make([]string, len(names))
		for i, s := range names {
			below[i] = "a.bb." + s
		}
		for _, w := range []struct {
			name    string
			queries []string
		}{{"exact", hits}, {"below", below}, {"127-labels", []string{labels127, labels127[:240] + "vendor.example"[:13]}}} {
			b.Run(fmt.Sprintf("%d/%s", size, w.name), func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					n, err := ParseName(w.queries[i])
					if err != nil {
						b.Fatal(err)
					}
					if trie.whole(n) != 0 {
						benchFound++
					} else if v, _, _ := trie.parents(n, ^uint32(0), 0); v != 0 {
						benchFound++
					}
					if i++; i == len(w.queries) {
						i = 0
					}
				}
			})
		}
	}
}
