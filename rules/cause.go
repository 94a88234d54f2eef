// Cause: the closed set of the ways in which a permitted flow ends.

package rules

import "strings"

// A Cause is the way in which a permitted flow ended. It is the detail of the journal's
// close events.
type Cause uint8

// The causes. EndDenied returns the cause of a flow that was denied later.
const (
	EndClean      Cause = iota // both sides ended it
	EndIdle                    // no byte within limits.idle
	EndHalfClosed              // one side ended it, and the other side did not within limits.half_closed
	EndReset                   // a connection broke
	EndGone                    // the client left before it had the whole answer
	EndPolicy                  // the policy in force no longer permits it
	EndDrain                   // sallyport stopped
	EndNoAnswer                // the destination gave no valid answer to a request

	DialFailed      // no connection, for a reason that is not listed below
	DialUnresolved  // the resolvers did not answer for the name
	DialNoAddress   // the name has no address
	DialRefused     // the destination refused the connection
	DialUnreachable // there is no route to the destination
	DialTimedOut    // no answer in time

	ParentUnreachable // no connection to the parent
	ParentTimedOut    // the parent did not answer in time, or the destination did not, as the parent reports
	ParentTLS         // no TLS with the parent
	ParentAuth        // the parent wants a login, or another one
	ParentRefused     // the parent refuses the destination, or could not reach it
	ParentReply       // the parent's answer is not in its protocol

	causeCount
)

// dialPrefix is the beginning of the journal's text for a flow that got no connection.
const dialPrefix = "dial: "

var causeTexts = [causeCount]string{
	EndIdle: "idle", EndHalfClosed: "half_closed", EndReset: "reset", EndGone: "client_gone", EndPolicy: "policy", EndDrain: "drain", EndNoAnswer: "no_answer",
	DialFailed: dialPrefix + "failed", DialUnresolved: dialPrefix + "resolve", DialNoAddress: dialPrefix + "no address",
	DialRefused: dialPrefix + "refused", DialUnreachable: dialPrefix + "unreachable", DialTimedOut: dialPrefix + "timeout",
	ParentUnreachable: dialPrefix + "parent_unreachable", ParentTimedOut: dialPrefix + "parent_timeout", ParentTLS: dialPrefix + "parent_tls",
	ParentAuth: dialPrefix + "parent_auth", ParentRefused: dialPrefix + "parent_refused", ParentReply: dialPrefix + "parent_reply",
}

// EndDenied returns the cause of a flow that was permitted first and then denied for
// the reason r.
func EndDenied(r Reason) Cause { return causeCount + Cause(r) }

// String returns the journal's text; "" is a clean end.
func (c Cause) String() string {
	if c < causeCount {
		return causeTexts[c]
	}
	return Reason(c - causeCount).String()
}

// DialFault returns why there was no connection, as metrics and denial pages name it.
// It returns "" if there was one.
func (c Cause) DialFault() string {
	if c < DialFailed || c > ParentReply {
		return ""
	}
	return strings.TrimPrefix(causeTexts[c], dialPrefix)
}

// DialFaults returns every cause that has a DialFault.
func DialFaults() []Cause {
	return []Cause{DialFailed, DialUnresolved, DialNoAddress, DialRefused, DialUnreachable, DialTimedOut,
		ParentUnreachable, ParentTimedOut, ParentTLS, ParentAuth, ParentRefused, ParentReply}
}
