// Evict: chooses the entry that a full table drops.

package dnsfilter

// evictSamples is the number of entries that are compared.
const evictSamples = 8

// pickVictim chooses an entry of m to drop. Of a few random entries it returns
// one that is over, or else the first by the order before. Go's map order is
// the random choice.
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
