// Attempt: one try to reach the outside, as its front end saw it.

package rules

import (
	"net/netip"
	"slices"
)

// A Via is the front end that saw an attempt.
type Via uint8

// The front ends.
const (
	ViaUnknown     Via = iota
	ViaDNS             // a query to the DNS filter
	ViaHTTP            // an absolute-form request, or a request inside a plain-HTTP tunnel
	ViaConnect         // HTTP CONNECT
	ViaSOCKS5          // SOCKS5: CONNECT, or a datagram of an association
	ViaTransparent     // a redirected connection
	ViaUDP             // a datagram that came without a proxy's protocol
)

var viaTexts = [...]string{"", "dns", "http", "connect", "socks5", "transparent", "udp"}

// String returns the journal's text.
func (v Via) String() string {
	if int(v) < len(viaTexts) {
		return viaTexts[v]
	}
	return ""
}

// MarshalText returns the journal's text.
func (v Via) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// ParseVia parses the journal's text. It returns false if no front end has that text.
func ParseVia(text string) (Via, bool) {
	i := slices.Index(viaTexts[:], text)
	return Via(max(i, 0)), i >= 0
}

// A Proto is the transport protocol towards the destination.
type Proto uint8

// The transport protocols that a rule can list.
const (
	ProtoUnknown Proto = iota
	TCP
	UDP
)

// String returns "tcp" or "udp".
func (p Proto) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	}
	return ""
}

// MarshalText returns "tcp" or "udp".
func (p Proto) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// ParseProto parses the text that String returns. It returns false for any other
// text.
func ParseProto(text string) (Proto, bool) {
	for p := ProtoUnknown; p <= UDP; p++ {
		if p.String() == text {
			return p, true
		}
	}
	return ProtoUnknown, false
}

// Shown is the sniff result: the protocol of the client's first bytes.
type Shown uint8

// The sniff results. Unseen is the right value if nothing was read yet. It is also
// right for a rule with any = true, because such a rule does not limit the content.
const (
	Unseen      Shown = iota
	ShownTLS          // a whole, well-formed ClientHello
	ShownHTTP         // a whole, well-formed HTTP/1 request head
	ShownOpaque       // something else
	ShownSilent       // no bytes: the client waits for the server
)

var shownTexts = [...]string{"", "tls", "http", "opaque", "silent"}

// String returns the journal's text, "" for Unseen.
func (s Shown) String() string {
	if int(s) < len(shownTexts) {
		return shownTexts[s]
	}
	return ""
}

// ParseShown parses the journal's text. It returns false if no sniff result has
// that text.
func ParseShown(text string) (Shown, bool) {
	i := slices.Index(shownTexts[:], text)
	return Shown(max(i, 0)), i >= 0
}

// An Attempt is one try to reach the outside. A front end fills it, a Gate answers
// it, and the journal stores every field but Generation. One flow may make several
// attempts while its front end learns more. All attempts except the last are
// Provisional.
//
// An Attempt is passed by value, and copying it takes a fifth of a decision's time. So
// the small fields stand next to each other, which keeps the struct small.
type Attempt struct {
	// Generation answers the attempt. The front end loads it when the flow or query
	// begins. Nil means the generation in force.
	Generation *Generation

	// Parent is the parent through which the destination is reached, once it is chosen. Nil
	// means the direct way. The policy does not read it; it is evidence for the journal.
	Parent *Parent

	Flow   uint64         // connects the records of one connection or query
	Client netip.AddrPort // the client; its address is unmapped

	Via   Via    // the front end
	Proto Proto  // towards the destination
	Shown Shown  // the sniff result
	Fault Reason // why the front end must refuse; such an attempt is always denied
	ECH   bool   // the ClientHello carries Encrypted ClientHello

	// Provisional means that the front end will ask again about this flow before it
	// forwards any byte of the client. The journal does not record an allow then. A
	// deny is final.
	Provisional bool

	// HostIgnored means that the Host header differs from the authority of an
	// absolute-form request or a CONNECT. The front end does not send this Host header
	// to the destination. If it sends one, it sends the authority (RFC 9112, sections
	// 3.2.2 and 3.2.3). In this case Host is only evidence.
	HostIgnored bool

	// ByAddress means that the policy decides a redirected flow by the address of its
	// destination, because the flow shows no name or does not need to show one. Dest is
	// Original then. The rule that lists the address must also list every name that the
	// flow shows.
	ByAddress bool
	Mismatch  bool // the name neither resolves to the address of Original nor is pinned to it
	Unproven  bool // DNSSEC does not prove the answer that the name resolved to; Detail says why

	// SourceProven means that the client really has the address Client: it completed a
	// TCP handshake, or it sent back our DNS cookie (RFC 7873). A datagram of a SOCKS5
	// association is proven by the association's TCP connection. False means that the
	// attempt is a datagram, whose source address can be forged.
	SourceProven bool

	// Identity is what the client has proven beside its address; nil: nothing.
	Identity *Identity

	QType    uint16 // DNS: the question's type
	HostPort uint16 // the Host header's port after defaults; 0: no Host seen

	// These are the names and addresses that the flow showed. Each of them is zero if
	// the flow did not show it. A Host header is a name or an address, so at least one
	// of Host and HostAddr is zero.
	Authority Name       // of CONNECT, absolute-form or SOCKS5; the question's name for DNS
	Host      Name       // of the HTTP Host header
	SNI       Name       // of the ClientHello
	HostAddr  netip.Addr // the Host header where it is an address

	// Dest is the destination. Its port is always set. If the client gave an address,
	// Dest has that address. If the client gave a name, Dest has the address that is
	// about to be dialed, once there is one.
	Dest     netip.AddrPort
	Original netip.AddrPort // the original destination of a redirected flow
	Resolved []netip.Addr   // addresses that the permitted name resolved to; only evidence
	Pinned   []Name         // names for which we told the client the address of Original

	Detail string // more about the fault, for people
	Raw    []byte // the unreadable text as received, capped by the journal
}

// Target returns the name that the flow wants to reach: the authority, or the name that
// a redirected flow showed. The zero Name means that the flow wants to reach the
// address of Dest.
func (a *Attempt) Target() Name {
	if a.ByAddress {
		return Name{}
	}
	if !a.Authority.IsZero() {
		return a.Authority
	}
	if a.Via == ViaTransparent {
		if !a.SNI.IsZero() {
			return a.SNI
		}
		return a.Host
	}
	return Name{}
}

// A Close records how a permitted flow ended.
type Close struct {
	Attempt  Attempt        // the final attempt
	Decision Decision       // the final decision
	Dialed   netip.AddrPort // the address of the connection; zero: none
	BytesIn  uint64         // from the client to the destination
	BytesOut uint64         // from the destination to the client
	Started  int64          // Unix nanoseconds
	Duration int64          // nanoseconds, by the monotonic clock
	Cause    Cause

	// Why and Help describe a parent's fault for people: the error, and whose fault it is with the
	// cure. The journal has the cause alone.
	Why, Help string
}
