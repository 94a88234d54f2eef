// Cause: the closed set of how a permitted flow ended.

package rules

import "strings"

// A Cause tells how a permitted flow ended. It is the detail of the journal's
// close events.
type Cause uint8

// The causes. EndDenied gives those of flows that were denied after all.
const (
	EndClean      Cause = iota // both sides ended it
	EndIdle                    // no byte for limits.idle
	EndHalfClosed              // one side ended it, and the other had limits.half_closed
	EndReset                   // a connection broke
	EndGone                    // the client was gone before the answer to its request was
	EndPolicy                  // the policy in force permits it no more
	EndDrain                   // sallyport stopped

	DialFailed      // no connection, for another reason than the next ones
	DialUnresolved  // the resolvers gave no answer about the name
	DialNoAddress   // the name has no address
	DialRefused     // the destination refused the connection
	DialUnreachable // there is no way to the destination
	DialTimedOut    // no answer in time

	causeCount
)

// dialPrefix is what tells in the journal that no connection came about.
const dialPrefix = "dial: "

var causeTexts = [causeCount]string{
	EndIdle: "idle", EndHalfClosed: "half_closed", EndReset: "reset", EndGone: "client_gone", EndPolicy: "policy", EndDrain: "drain",
	DialFailed: dialPrefix + "failed", DialUnresolved: dialPrefix + "resolve", DialNoAddress: dialPrefix + "no address",
	DialRefused: dialPrefix + "refused", DialUnreachable: dialPrefix + "unreachable", DialTimedOut: dialPrefix + "timeout",
}

// EndDenied is the end of a flow that was permitted and then denied for what it
// showed later, for the reason r.
func EndDenied(r Reason) Cause { return causeCount + Cause(r) }

// String returns the journal's text; "" is a clean end.
func (c Cause) String() string {
	if c < causeCount {
		return causeTexts[c]
	}
	return Reason(c - causeCount).String()
}

// DialFault names why no connection came about, as metrics and error pages say
// it; "": one did.
func (c Cause) DialFault() string {
	if c < DialFailed || c > DialTimedOut {
		return ""
	}
	return strings.TrimPrefix(causeTexts[c], dialPrefix)
}

// DialFaults returns every cause that has a DialFault.
func DialFaults() []Cause {
	return []Cause{DialFailed, DialUnresolved, DialNoAddress, DialRefused, DialUnreachable, DialTimedOut}
}
