// Cause tests: the texts are an interface.

package rules

import (
	"slices"
	"testing"
)

func TestCauseTexts(t *testing.T) {
	want := []string{"", "idle", "half_closed", "reset", "client_gone", "policy", "drain", "no_answer",
		"dial: failed", "dial: resolve", "dial: no address", "dial: refused", "dial: unreachable", "dial: timeout",
		"dial: parent_unreachable", "dial: parent_timeout", "dial: parent_tls", "dial: parent_auth", "dial: parent_refused", "dial: parent_reply"}
	var faults []Cause
	for c := range causeCount {
		if c.String() != want[c] {
			t.Errorf("%d: %q, want %q", c, c, want[c])
		}
		if fault := c.DialFault(); fault != "" {
			faults = append(faults, c)
			if "dial: "+fault != want[c] {
				t.Errorf("%v: fault %q", c, fault)
			}
		}
	}
	if !slices.Equal(faults, DialFaults()) {
		t.Errorf("faults %v, want %v", faults, DialFaults())
	}
	for r := range reasonCount {
		if c := EndDenied(r); c.String() != r.String() || c.DialFault() != "" || c < causeCount {
			t.Errorf("denied for %v: %q, fault %q", r, c, c.DialFault())
		}
	}
}
