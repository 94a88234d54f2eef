// Decision: the answer to an Attempt.

package rules

// A Verdict is the answer to an Attempt. Its zero value denies.
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

// A Decision is a verdict with its explanation. Its zero value denies.
type Decision struct {
	Verdict  Verdict
	Reason   Reason  // why it was denied, or would have been in mode "enforce" and with dnssec = "require"
	Rule     *Rule   // the rule that permits; nil on deny
	Nearest  *Rule   // on deny: the documented rule nearest to the attempt, if any
	Client   *Client // the client in the configuration; nil: unknown client
	Listed   bool    // the source is among the sources of a client that demands more than was proven
	Would    bool    // the policy denies, but mode "audit", or dnssec = "log", lets the attempt through
	policy   *Policy // the generation that decided; nil: none
	scope    *scope  // the rules of the client
	grant    *scopeRule
	name     Name // the name to reach; zero: an address
	proto    Proto
	zone     bool // an internal zone permits the look-up
	login    bool // a client at this address has users, one of whom could log in
	unproven bool // a client at this address demands more than the identity proves
	pinned   bool // permitted by a name that the address is pinned to
}

// Allowed reports whether the flow may go on.
func (d Decision) Allowed() bool { return d.Verdict == Allow }

// UnknownSource reports whether no [[client]] lists the source. A client without sources, which may
// come from any address, lists none.
func (d Decision) UnknownSource() bool { return d.Client == nil && !d.Listed }

// Text returns the journal's verdict: "deny", "would_deny" or "allow".
func (d Decision) Text() string {
	if d.Would {
		return "would_deny"
	}
	return d.Verdict.String()
}

// Why returns the reason of a denial. A denial without a reason is not_listed.
func (d Decision) Why() Reason {
	if d.Reason == ReasonNone && (d.Verdict != Allow || d.Would) {
		return NotListed
	}
	return d.Reason
}

// TakesLogin reports whether the client's address has users who can log in with a password.
func (d Decision) TakesLogin() bool { return d.login }

// AsksLogin reports whether a password could change a denial.
func (d Decision) AsksLogin() bool {
	return d.login && d.Verdict == Deny && d.Reason == Unauthenticated
}

// Opaque reports whether the permitting rule does not limit the content
// (any = true). Then nothing is sniffed.
func (d Decision) Opaque() bool { return d.Verdict == Allow && d.Rule != nil && d.Rule.Any }

// FreeLabels reports whether a name is permitted only by a wildcard or an internal zone
// above it. Then the client chooses the labels in front of that name.
func (d Decision) FreeLabels() bool {
	if d.Verdict != Allow || d.name.IsZero() || d.scope == nil || d.grant == nil && !d.zone {
		return false
	}
	if d.scope.names.whole(d.name)&saysExact != 0 || d.policy.zones.whole(d.name) != 0 {
		return false
	}
	for i := range d.scope.lists {
		if d.scope.lists[i].list.hasExact(d.name) {
			return false
		}
	}
	return true
}

// ByPin reports whether a redirected flow is permitted only by a pin: no rule
// lists its address, but we told the client this address for a permitted name.
func (d Decision) ByPin() bool { return d.Verdict == Allow && d.pinned }
