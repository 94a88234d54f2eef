// Bench: what is measured side by side, in a module of its own so that the
// product depends on nothing that only a comparison needs.

// Package bench compares sallyport with what else could do the same work.
//
// Its numbers are ratios of one run on one machine. It promises nothing to
// anybody who imports it.
package bench
