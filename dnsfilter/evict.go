// Evict: which entry of a full table has to go.

package dnsfilter

// evictLook is how many entries are looked at.
const evictSamples = 8

// victim chooses one of m: of a few at random one that is over, or else the one
// that goes before the others. Go's map order is the random choice.
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
