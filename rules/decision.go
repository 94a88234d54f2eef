// Decision: the answer to an Attempt.

package rules

// Verdict is the answer. Its zero value denies.
type Verdict uint8

// The verdicts.
const (
	Deny Verdict = iota
	Allow
)

// String returns "deny" or "allow".
func (v Verdict) String() string {
	if v == Allow {
		return "allow"
	}
	return "deny"
}

// Decision explains itself. Its zero value denies.
type Decision struct {
	Verdict Verdict
	Reason  Reason  // why it was denied, or would have been in mode "enforce"
	Rule    *Rule   // the rule that permits; nil on deny
	Nearest *Rule   // on deny: the documented rule nearest to the attempt, if any
	Client  *Client // who asked, as the configuration knows it; nil: unknown
	Would   bool    // mode "audit": the policy denies and the mode lets it through
	policy  *Policy // the generation that decided; nil: none
	scope   *scope  // of the client
	grant   *scopeRule
	name    Name // that is to be reached; zero: an address
	proto   Proto
	zone    bool // an internal zone permits the look-up
	pinned  bool // permitted by a name that the address is pinned to
}

// Allowed tells whether the flow may go on.
func (d Decision) Allowed() bool { return d.Verdict == Allow }

// Text returns the journal's verdict: "deny", "would_deny" or "allow".
func (d Decision) Text() string {
	if d.Would {
		return "would_deny"
	}
	return d.Verdict.String()
}

// Why returns the reason of a denial; a denial that gives none is not_listed.
func (d Decision) Why() Reason {
	if d.Reason == ReasonNone && (d.Verdict != Allow || d.Would) {
		return NotListed
	}
	return d.Reason
}

// Opaque tells whether the permitting rule makes no demand on content
// (any = true): nothing is sniffed then.
func (d Decision) Opaque() bool { return d.Verdict == Allow && d.Rule != nil && d.Rule.Any }

// FreeLabels tells whether a name is permitted only by a wildcard or an internal
// zone above it: then the labels in front are the client's choice.
func (d Decision) FreeLabels() bool {
	if d.Verdict != Allow || d.name.IsZero() || d.scope == nil || d.grant == nil && !d.zone {
		return false
	}
	return d.scope.names.whole(d.name)&saysExact == 0 && d.policy.zones.whole(d.name) == 0
}

// ByPin tells whether a redirected flow is permitted only because the client
// was told its address for a permitted name, and not by a rule that names the
// address.
func (d Decision) ByPin() bool { return d.Verdict == Allow && d.pinned }
