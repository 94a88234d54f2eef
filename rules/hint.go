// Hint: what would permit a denied attempt, in one line for people.

package rules

// Hint returns the cure of a denial in one line, "" for an allow. It names
// the nearest documented rule and what would permit it. It allocates: journal,
// error pages and explain call it, the hot path does not.
func Hint(a Attempt, d Decision) string { return d.Why().Help() }
