// Ask: asks a policy again about a recorded attempt.

package denials

import (
	"errors"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// Ask returns the site's decision about a recorded attempt. It returns false if
// the record lacks too much, see Record.Attempt. For a record of schema 1 it
// judges the destination only.
func (s *Site) Ask(r *journal.Record) (rules.Attempt, rules.Decision, bool) {
	a, err := r.Attempt()
	if err != nil && !errors.Is(err, journal.ErrCut) && !errors.Is(err, journal.ErrSchema1) || !a.Client.Addr().IsValid() {
		return a, rules.Decision{}, false
	}
	return a, s.ask(&a), true
}

// ask decides as the front ends do. If a rule does not limit the content (any =
// true), a fault in the content does not count. If the gateway did not read the
// first bytes then, but would read them now, the attempt is Provisional, because
// the content is not known.
func (s *Site) ask(a *rules.Attempt) rules.Decision {
	d := s.Policy.Decide(*a)
	b := *a
	b.Provisional = true
	switch a.Fault {
	case rules.NotTLS, rules.NotHTTP, rules.SniffTimeout, rules.SniffTooLong, rules.SNIMismatch, rules.HostMismatch:
		b.Fault = rules.ReasonNone
	}
	if a.Via == rules.ViaTransparent && a.Original.IsValid() { // judged by its address first
		b.ByAddress, b.Dest = true, a.Original
	}
	switch {
	case d.Opaque():
	case b.Fault == rules.ReasonNone && a.Via != rules.ViaDNS && s.opaque(b):
		return s.Policy.Decide(b)
	case a.Shown == rules.Unseen && a.Fault == rules.ReasonNone && a.Via != rules.ViaDNS && !a.Provisional:
		b = *a
		b.Provisional = true
		return s.Policy.Decide(b)
	}
	return d
}

// opaque reports whether a rule permits the attempt with any content.
func (s *Site) opaque(a rules.Attempt) bool { return s.Policy.Decide(a).Opaque() }

// rank orders decisions: denied, let through by mode "audit", permitted.
func rank(d rules.Decision) int {
	switch {
	case d.Verdict != rules.Allow:
		return 0
	case d.Would:
		return 1
	}
	return 2
}

// rankOf orders the verdicts of records in the same way.
func rankOf(verdict string) int {
	switch verdict {
	case journal.VerdictAllow:
		return 2
	case journal.VerdictWouldDeny:
		return 1
	}
	return 0
}
