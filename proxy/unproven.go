// Unproven: look-ups whose answer DNSSEC does not prove. The Gate decides about them.

package proxy

import (
	"errors"

	"sallyport/rules"
)

// An UnprovenError is the error of a look-up whose answer DNSSEC does not prove, if the
// generation permits only proven answers.
type UnprovenError struct {
	Why string
	Err error // the error of the look-up
}

// Error returns the error of the look-up.
func (e *UnprovenError) Error() string { return e.Err.Error() }

// Unwrap returns the error of the look-up.
func (e *UnprovenError) Unwrap() error { return e.Err }

// lookupFailed returns the error of a failed look-up. If DNSSEC does not prove the answer, it asks
// the Gate, so that the denial is recorded with its reason.
func (p *Proxy) lookupFailed(a rules.Attempt, err error) error {
	var unproven *UnprovenError
	if errors.As(err, &unproven) {
		a.Provisional, a.Unproven, a.Detail = true, true, unproven.Why
		if d := p.cfg.Gate.Decide(a); !d.Allowed() {
			return &deniedError{a, d}
		}
	}
	cause := rules.DialUnresolved
	if timedOut(err) {
		cause = rules.DialTimedOut
	}
	return &dialError{cause, &lookupError{err}}
}

// markUnproven notes in a that DNSSEC does not prove the addresses that were just looked up, if the
// site wants to know. The final question has the note.
func (p *Proxy) markUnproven(a *rules.Attempt, name rules.Name) {
	if p.cfg.Unproven == nil {
		return
	}
	if why := p.cfg.Unproven(a.Generation, name); why != "" {
		a.Unproven, a.Detail = true, why
	}
}

// Denial returns the reason and the detail if err is a denial that came after the grant.
func Denial(err error) (why rules.Reason, detail string) {
	var denied *deniedError
	if errors.As(err, &denied) {
		return denied.d.Why(), denied.a.Detail
	}
	return rules.ReasonNone, ""
}
