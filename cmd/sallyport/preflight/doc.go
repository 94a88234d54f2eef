// Package preflight tries what a policy permits, destination by destination,
// and says what works, what does not, and what to do about it.
//
// It asks the very question that the gateway asks, and goes out by the
// gateway's own dialer: what the policy denies is not tried. It opens no
// listener and writes no record.
package preflight
