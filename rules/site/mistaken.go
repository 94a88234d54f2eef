// Mistaken: a file of another kind that is given as a configuration.

package site

import (
	"slices"

	"sallyport/rules/tomldoc"
)

// isProfile reports whether a file has the keys of a profile and no table of a configuration. One
// sentence then says more than an error for each of its keys.
func isProfile(top *tomldoc.Table) bool {
	keys := top.Keys()
	has := func(key string) bool { return slices.Contains(keys, key) }
	return (has("roles") || has("document")) && has("name") && !has("client") && !has("listen")
}
