// Bench: side-by-side benchmarks, in a separate module so that the product does
// not depend on libraries that only a comparison needs.

// Package bench compares sallyport with other programs for the same work.
//
// Its figures are ratios within one run on one machine. It has no API.
package bench
