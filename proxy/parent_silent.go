// Parent, silent: a parent that reports a connection to the destination, and then ends it without a
// byte of an answer.

package proxy

import (
	"errors"
	"syscall"

	"sallyport/rules"
)

// errUnanswered means that a server gave no answer to a ClientHello, not even an alert.
var errUnanswered = errors.New("the connection ended before a byte of the destination's answer")

// carried returns why a relay ended. It blames the parent if the client sent a ClientHello, and the
// other end was the first to end the connection, without a byte.
func (r *tunnelRelay) carried(cause rules.Cause) rules.Cause {
	f := r.f
	if f.up.parent == nil || !r.tls || f.out.Load() > 0 || !r.cut.Load() {
		return cause
	}
	e := &parentError{parent: f.up.parent, cause: rules.ParentReply, unanswered: true, err: errUnanswered}
	f.p.parents.note(e.parent, e)
	f.refusedBy(e)
	return e.cause
}

// brokenOff reports whether an error means that the other end broke a connection.
func brokenOff(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
