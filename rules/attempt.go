// Attempt: one try to reach the outside, as its front end saw it.

package rules

import (
	"net/netip"
	"slices"
)

// Via tells which front end saw an attempt.
type Via uint8

// The front ends.
const (
	ViaUnknown     Via = iota
	ViaDNS             // a query to the DNS filter
	ViaHTTP            // an absolute-form request, or a request inside a plain-HTTP tunnel
	ViaConnect         // HTTP CONNECT
	ViaSOCKS5          // SOCKS5 CONNECT
	ViaTransparent     // a redirected connection
	ViaUDP             // a datagram flow
)

var viaTexts = [...]string{"", "dns", "http", "connect", "socks5", "transparent", "udp"}

// String returns the journal's text.
func (v Via) String() string {
	if int(v) < len(viaTexts) {
		return viaTexts[v]
	}
	return ""
}

// MarshalText gives the journal's text.
func (v Via) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// ParseVia turns the journal's text back. False: no front end is called so.
func ParseVia(text string) (Via, bool) {
	i := slices.Index(viaTexts[:], text)
	return Via(max(i, 0)), i >= 0
}

// Proto is the transport protocol that is wanted towards the destination.
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

// MarshalText gives "tcp" or "udp".
func (p Proto) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// ParseProto turns String's text back. False: it is neither of the two, nor "".
func ParseProto(text string) (Proto, bool) {
	for p := ProtoUnknown; p <= UDP; p++ {
		if p.String() == text {
			return p, true
		}
	}
	return ProtoUnknown, false
}

// Shown tells what the client's first bytes were.
type Shown uint8

// What first bytes can be. Unseen is right while nothing was read yet, and
// where the rule (any = true) makes no demand on content.
const (
	Unseen      Shown = iota
	ShownTLS          // a whole, well-formed ClientHello
	ShownHTTP         // a whole, well-formed HTTP/1 request head
	ShownOpaque       // something else
	ShownSilent       // nothing: the client waits for the server
)

var shownTexts = [...]string{"", "tls", "http", "opaque", "silent"}

// String returns the journal's text, "" for Unseen.
func (s Shown) String() string {
	if int(s) < len(shownTexts) {
		return shownTexts[s]
	}
	return ""
}

// ParseShown turns the journal's text back. False: no first bytes are called so.
func ParseShown(text string) (Shown, bool) {
	i := slices.Index(shownTexts[:], text)
	return Shown(max(i, 0)), i >= 0
}

// Attempt is one try to reach the outside. Front ends fill it, a Gate answers
// it, the journal stores every field but Generation. A flow may be asked about
// more than once while its front end learns more; all but the last are
// Provisional.
//
// It is handed on by value, which is a fifth of a decision's time: the small
// fields stand together.
type Attempt struct {
	// Generation answers; its front end took it when the flow or query began.
	// Nil: the generation in force.
	Generation *Generation

	Flow   uint64         // ties the records of one connection or query together
	Client netip.AddrPort // who asked; the address unmapped

	Via   Via    // the front end
	Proto Proto  // towards the destination
	Shown Shown  // what the first bytes were
	Fault Reason // what could not be read or had to be refused, always denied; ReasonNone: nothing
	ECH   bool   // the ClientHello carries Encrypted ClientHello

	// Provisional: the front end will ask again about this flow before it
	// forwards a client byte. An allow is then not journaled; a deny is final.
	Provisional bool

	// HostIgnored: the Host header is not the authority of an absolute-form
	// request or of a CONNECT, and does not reach the destination: what is sent
	// there, if anything, is the authority (RFC 9112, sections 3.2.2 and 3.2.3).
	// It is evidence only.
	HostIgnored bool

	// A redirected flow is judged by its destination's address where it shows
	// no name, or need not: Dest is then Original, and every name that it shows
	// must belong to the rule that names the address.
	ByAddress bool
	Mismatch  bool // Original is neither resolved nor pinned for the name

	// SourceProven: Client's address is where the client really is, as it took
	// part in a handshake: TCP, or a DNS cookie that we gave it (RFC 7873).
	// False: a datagram, whose source anybody may write.
	SourceProven bool

	QType    uint16 // DNS: the question's type
	HostPort uint16 // the Host header's port after defaults; 0: no Host seen

	// The names and addresses that the flow showed; zero where it showed none.
	// A Host header is a name or an address: of Host and HostAddr one is zero.
	Authority Name       // of CONNECT, absolute-form or SOCKS5; the question's name for DNS
	Host      Name       // of the HTTP Host header
	SNI       Name       // of the ClientHello
	HostAddr  netip.Addr // the Host header where it is an address

	// Dest is what the flow wants: the port always; the address where the
	// client named an address, or, with a name, the one about to be dialed.
	Dest     netip.AddrPort
	Original netip.AddrPort // where a redirected flow was headed
	Resolved []netip.Addr   // what the permitted name resolved to; evidence only
	Pinned   []Name         // the names that the client was told Original's address for

	Detail string // more about the fault, for people
	Raw    []byte // the unreadable text as received, capped by the journal
}

// Target returns the name that the flow is to reach: the authority, else what
// a redirected flow showed. Zero: it is to reach Dest's address.
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

// Close tells how a permitted flow ended.
type Close struct {
	Attempt  Attempt        // as finally decided
	Decision Decision       // the final decision
	Dialed   netip.AddrPort // the address that was connected to; zero: none
	BytesIn  uint64         // from the client to the destination
	BytesOut uint64         // from the destination to the client
	Started  int64          // Unix nanoseconds
	Duration int64          // nanoseconds, by the monotonic clock
	Cause    Cause
}
