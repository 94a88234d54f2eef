// Ask: asks a policy again about what the journal recorded.

package denials

import (
	"errors"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// Ask returns what the site would decide about a recorded attempt. False: the
// record does not say enough, for the reasons that Record.Attempt gives. Of a
// record of schema 1 only the destination is judged.
func (s *Site) Ask(r *journal.Record) (rules.Attempt, rules.Decision, bool) {
	a, err := r.Attempt()
	if err != nil && !errors.Is(err, journal.ErrCut) && !errors.Is(err, journal.ErrSchema1) || !a.Client.Addr().IsValid() {
		return a, rules.Decision{}, false
	}
	return a, s.ask(&a), true
}

// ask decides as the front ends ask: where a rule makes no demand on content
// (any = true) nothing is read, so that what was wrong with it does not count;
// and where nothing was read, but now would be, it is not known yet.
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

// opaque tells whether an attempt is permitted whatever it shows.
func (s *Site) opaque(a rules.Attempt) bool { return s.Policy.Decide(a).Opaque() }

// rank orders answers: denied, let through by mode "audit", permitted.
func rank(d rules.Decision) int {
	switch {
	case d.Verdict != rules.Allow:
		return 0
	case d.Would:
		return 1
	}
	return 2
}

// rankOf orders the verdicts of records alike.
func rankOf(verdict string) int {
	switch verdict {
	case journal.VerdictAllow:
		return 2
	case journal.VerdictWouldDeny:
		return 1
	}
	return 0
}
