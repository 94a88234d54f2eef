// Lookalike: first bytes that some server reads as TLS or HTTP although they are a valid
// beginning of neither protocol. Bytes that could hide a name are never treated as
// opaque.

package head

import "bytes"

// A Likeness says how much bytes resemble a protocol.
type Likeness uint8

// The likenesses.
const (
	Unlike  Likeness = iota // no beginning of the protocol
	Perhaps                 // too few bytes to decide
	Alike                   // a beginning of the protocol
)

// Numbers from RFC 8446, RFC 6520 and the SSL 2.0 draft.
const (
	firstRecord      = 20 // change_cipher_spec, the first type of a TLS record
	alertRecord      = 21
	handshakeType    = 22
	lastRecord       = 24 // heartbeat
	tlsHeader        = 5  // bytes of a record's header
	sslv2ClientHello = 1
)

// The two forms of HAProxy's PROXY header.
const (
	proxyHeader1 = "PROXY "
	proxyHeader2 = "\r\n\r\n\x00\r\nQUIT\n"
)

// Lookalike recognises bytes that a server may skip before the first message, or read in its
// place: a TLS record of a type other than handshake, an SSLv2 ClientHello, which has no server
// name, and the PROXY header, in which a load balancer names its client. b is not empty.
func Lookalike(b []byte) (like Likeness, detail string) {
	switch c := b[0]; {
	case c >= firstRecord && c <= lastRecord && c != handshakeType:
		return otherRecord(b), "a TLS record before the ClientHello"
	case c >= 0x80 && c < 0xc8: // no server accepts more than 18 KiB
		return sslv2Hello(b), "an SSLv2 hello"
	case bytes.HasPrefix(b, []byte(proxyHeader1)), bytes.HasPrefix(b, []byte(proxyHeader2)):
		return Alike, "a PROXY header before the first message"
	}
	return Unlike, ""
}

// otherRecord recognises a record by its version. Some servers skip alerts of any major version
// below 16; then the length decides.
func otherRecord(b []byte) Likeness {
	switch {
	case len(b) < 2:
		return Perhaps
	case b[1] == 3:
		return Alike
	case b[0] != alertRecord || b[1] >= 0x10 || len(b) > 3 && b[3] != 0:
		return Unlike
	case len(b) < tlsHeader:
		return Perhaps
	case b[4] == 2:
		return Alike
	}
	return Unlike
}

// sslv2Hello checks the type and the version after the two-byte header.
func sslv2Hello(b []byte) Likeness {
	switch {
	case len(b) > 2 && b[2] != sslv2ClientHello, len(b) > 3 && b[3] != 0 && b[3] != 3:
		return Unlike
	case len(b) < tlsHeader:
		return Perhaps
	case b[3] == 3 || b[4] == 2:
		return Alike
	}
	return Unlike
}
