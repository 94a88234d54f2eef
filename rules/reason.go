// Reason: the closed set of reasons for a denial.

package rules

import "fmt"

// A Reason is why an attempt was denied. It is a field of the journal, a label of
// the metrics and the key of the help texts. If several reasons hold, the first one
// in the order of the constants is reported.
type Reason uint8

// The reasons. ReasonNone belongs to an allow; on a deny it means not_listed.
const (
	ReasonNone Reason = iota

	MalformedRequest
	MalformedName
	NotTLS
	NotHTTP
	SniffTimeout
	SniffTooLong
	SNIMissing
	ECHPresent
	ProxyProtocol
	QUIC

	UnknownClient
	Unauthenticated
	Self

	SNIMismatch
	HostMismatch

	FeatureOff
	VersionExcluded
	Expired
	ProtocolNotListed
	PortNotListed
	RoleNotListed
	TypeNotAllowed
	IPLiteral
	NotListed

	PrivateAddress
	DestinationMismatch
	DNSBogus

	Limit
	JournalUnavailable
	Draining

	reasonCount
)

// String returns the reason's wire text, as in the journal.
func (r Reason) String() string {
	if r < reasonCount {
		return reasonTexts[r].wire
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}

// Help returns what the reason means, in one sentence for people.
func (r Reason) Help() string { return r.Explain().Meaning }

// Explain returns what the reason means, what usually causes it, and what to do.
func (r Reason) Explain() Explanation {
	if r < reasonCount {
		return reasonTexts[r].Explanation
	}
	return Explanation{}
}

// MarshalText returns the wire text.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// ParseReason parses a wire text.
func ParseReason(s string) (Reason, error) {
	for r := MalformedRequest; r < reasonCount; r++ {
		if reasonTexts[r].wire == s {
			return r, nil
		}
	}
	return ReasonNone, fmt.Errorf("unknown reason %q", s)
}

// Reasons lists every reason for a denial in order of precedence.
func Reasons() []Reason {
	rs := make([]Reason, 0, reasonCount-1)
	for r := MalformedRequest; r < reasonCount; r++ {
		rs = append(rs, r)
	}
	return rs
}

// auditable reports whether mode "audit" lets such a denial through. It does so
// only where a line of configuration could permit the attempt.
func (r Reason) auditable() bool {
	switch r {
	case NotListed, PortNotListed, ProtocolNotListed, RoleNotListed, FeatureOff, VersionExcluded, Expired:
		return true
	}
	return false
}
