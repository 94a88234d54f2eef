// Hints: never a panic, whatever the decision.

package rules

import "testing"

// A Decider that failed answers with a bare Decision; pages and journal ask
// for its hint all the same.
func TestHintOfABareDecision(t *testing.T) {
	for _, r := range append(Reasons(), ReasonNone) {
		if Hint(Attempt{}, Decision{Reason: r}) == "" {
			t.Errorf("%v: no hint", r)
		}
		if Hint(Attempt{}, Decision{Reason: r, Nearest: &Rule{Profile: "p", ID: "x"}}) == "" {
			t.Errorf("%v with a nearest rule: no hint", r)
		}
	}
}
