// Package nftables computes and prints the packet filter of a configuration,
// keeps its sets of addresses current, and records what it dropped.
package nftables

import _ "sallyport" // this package needs Linux
