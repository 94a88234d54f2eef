// Reason: the closed set of why an attempt was denied, with the texts of the
// help pages.

package rules

import "fmt"

// A Reason says why an attempt was denied. It is the journal's field, the
// metrics' label and the help texts' key. The order is the order of
// precedence: where several hold, the first one listed is reported.
type Reason uint8

// The reasons. ReasonNone belongs to an allow; on a deny it reads as not_listed.
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
	QUIC

	UnknownClient
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

	Limit
	JournalUnavailable
	Draining

	reasonCount
)

// reasonTexts holds, in the order of the constants, the wire text and the
// sentence for people.
var reasonTexts = [reasonCount][2]string{
	ReasonNone:          {"", ""},
	MalformedRequest:    {"malformed_request", "The request head, hello, SOCKS request or DNS message breaks the grammar of its protocol."},
	MalformedName:       {"malformed_name", "The name is not a host name: a forbidden byte, an empty or over-long label, a number at the end, or a bad xn-- label."},
	NotTLS:              {"not_tls", "Port 443 carries TLS only, and the first bytes were something else."},
	NotHTTP:             {"not_http", "Port 80 carries HTTP/1 only, and the first bytes were something else."},
	SniffTimeout:        {"sniff_timeout", "The client did not send a whole ClientHello or request head before the deadline."},
	SniffTooLong:        {"sniff_too_long", "The ClientHello or request head is longer than the limit."},
	SNIMissing:          {"sni_missing", "The TLS ClientHello names no server, so nothing ties the connection to the permitted name."},
	ECHPresent:          {"ech_present", "The ClientHello carries Encrypted ClientHello and the configuration says ech = \"deny\"."},
	QUIC:                {"quic", "QUIC is refused so that clients fall back to TCP."},
	UnknownClient:       {"unknown_client", "No [[client]] of the configuration covers the source address."},
	Self:                {"self", "The destination is one of sallyport's own listeners; no rule can permit that."},
	SNIMismatch:         {"sni_mismatch", "The server name in the ClientHello is not the name that was permitted."},
	HostMismatch:        {"host_mismatch", "The Host of the HTTP request is not the authority that was permitted."},
	FeatureOff:          {"feature_off", "A rule documents this for a feature that is off for this client."},
	VersionExcluded:     {"version_excluded", "A rule documents this for other versions of the product."},
	Expired:             {"expired", "The rule that permitted this has expired."},
	ProtocolNotListed:   {"protocol_not_listed", "The destination is documented, but not with this transport protocol."},
	PortNotListed:       {"port_not_listed", "The destination is documented, but not on this port."},
	RoleNotListed:       {"role_not_listed", "The destination is documented, but for another role than this client's."},
	TypeNotAllowed:      {"type_not_allowed", "The name is permitted, but only A, AAAA, HTTPS, SVCB, DS and DNSKEY records are looked up."},
	IPLiteral:           {"ip_literal", "The destination is a bare address that no rule names."},
	NotListed:           {"not_listed", "No rule of this client names the destination."},
	PrivateAddress:      {"private_address", "The permitted name resolves only to private, loopback, link-local or otherwise special addresses."},
	DestinationMismatch: {"destination_mismatch", "The client chose an address that is not one of the permitted name's (strict_destination)."},
	Limit:               {"limit", "A limit of connections, rate or memory is reached."},
	JournalUnavailable:  {"journal_unavailable", "The journal cannot be written and journal.required is true."},
	Draining:            {"draining", "sallyport is shutting down."},
}

// String returns the reason's wire text, as in the journal.
func (r Reason) String() string {
	if r < reasonCount {
		return reasonTexts[r][0]
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}

// Help returns one sentence for people.
func (r Reason) Help() string {
	if r < reasonCount {
		return reasonTexts[r][1]
	}
	return ""
}

// MarshalText gives the wire text.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// ParseReason turns a wire text back into its Reason.
func ParseReason(s string) (Reason, error) {
	for r := MalformedRequest; r < reasonCount; r++ {
		if reasonTexts[r][0] == s {
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

// auditable tells which denials mode "audit" lets through: those that a line
// of configuration could mend, and nothing else.
func (r Reason) auditable() bool {
	switch r {
	case NotListed, PortNotListed, ProtocolNotListed, RoleNotListed, FeatureOff, VersionExcluded, Expired:
		return true
	}
	return false
}
