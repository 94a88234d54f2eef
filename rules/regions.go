// Regions: names and prefixes form trees. A region is a part of a tree whose members
// all have the same value.

package rules

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"
)

// A valued is a region with its value.
type valued[V any] struct {
	region Region
	value  V
}

// A tree collects regions. Each part comes after the part that contains it.
type tree[V any] struct {
	out  []valued[V]
	same func(a, b V) bool
}

// outside is the number of the region that no part covers. Its value is the zero V.
const outside = -1

// put adds a part that lies in region number within. It returns the number of the
// part's region, which is within if the values are the same.
func (t *tree[V]) put(part Destination, value V, within int) int {
	var there V
	if within != outside {
		there = t.out[within].value
	}
	if t.same(value, there) {
		return within
	}
	if within != outside {
		r := &t.out[within].region
		r.Except = append(r.Except, part)
	}
	t.out = append(t.out, valued[V]{Region{Of: part}, value})
	return len(t.out) - 1
}

// regions returns the regions whose value is not zero.
func (t *tree[V]) regions() []valued[V] {
	var zero V
	return slices.DeleteFunc(t.out, func(v valued[V]) bool { return t.same(v.value, zero) })
}

// prefixRegions divides all addresses at the prefixes. value returns the value of a prefix. It
// applies to all addresses of the prefix that no more specific prefix covers.
func prefixRegions[V any](prefixes []netip.Prefix, value func(netip.Prefix) V, same func(a, b V) bool) []valued[V] {
	prefixes = slices.Clone(prefixes)
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		return cmp.Or(cmp.Compare(a.Bits(), b.Bits()), a.Addr().Compare(b.Addr()))
	})
	t := tree[V]{same: same}
	var in bart.Table[int]
	for _, p := range slices.Compact(prefixes) {
		within, ok := in.LookupPrefix(p)
		if !ok {
			within = outside
		}
		in.Insert(p, t.put(Destination{Prefix: p}, value(p), within))
	}
	return t.regions()
}

// anyBelow is the beginning of a text that stands for all names below a name, except the listed
// names. No name of a rule has such a label.
const anyBelow = "*."

// nameRegions divides all names at those given. value returns the value of a name. For
// "*." and a name it returns the value of all names below that name that are not given.
func nameRegions[V any](names []Name, value func(Name) V, same func(a, b V) bool) []valued[V] {
	names = slices.Clone(names)
	depth := func(n Name) int { return strings.Count(n.s, ".") }
	slices.SortFunc(names, func(a, b Name) int { return cmp.Or(cmp.Compare(depth(a), depth(b)), strings.Compare(a.s, b.s)) })
	t := tree[V]{same: same}
	below := map[Name]int{}
	for _, n := range slices.Compact(names) {
		within := outside
		for p := n.Parent(); !p.IsZero(); p = p.Parent() {
			if i, ok := below[p]; ok {
				within = i
				break
			}
		}
		t.put(Destination{Name: n}, value(n), within)
		below[n] = t.put(Destination{Name: n, Wildcard: true}, value(Name{anyBelow + n.s}), within)
	}
	return t.regions()
}
