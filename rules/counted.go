// Counted: a number with its noun, for texts that people read.

package rules

import "fmt"

// Counted returns a number with its noun: "1 rule", "2 rules".
func Counted[N int | uint64](n N, one, several string) string {
	return fmt.Sprintf("%d %s", n, Noun(n, one, several))
}

// Noun returns the noun for a number of things.
func Noun[N int | uint64](n N, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}
