// Evict: chooses the entry that a full table drops.

package dnsfilter

// evictSamples is the number of entries that are compared.
const evictSamples = 8

// pickVictim chooses an entry of m to drop. It looks at a few random entries.
// It returns an entry for which over returns true, or else the entry that
// before puts first. The random choice is Go's map order.
func pickVictim[K comparable, V any](m map[K]V, over func(V) bool, before func(a, b V) bool) (chosen K) {
	looked := 0
	for k, v := range m {
		if over(v) {
			return k
		}
		if looked == 0 || before(v, m[chosen]) {
			chosen = k
		}
		if looked++; looked == evictSamples {
			break
		}
	}
	return chosen
}
