// Package preflight tries every destination that a policy permits. It reports
// which destinations work, which destinations fail, and what to do about a
// failure.
//
// It asks the Gate the same question as the gateway and uses the gateway's own
// dialer, so it never tries a denied destination. It opens no listener and
// writes no record.
package preflight
