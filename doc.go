// Package sallyport has no code. The packages that need Linux import it, so that a
// build for another system stops with the one sentence in other.go.
package sallyport
