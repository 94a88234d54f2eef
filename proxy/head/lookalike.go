// Lookalike: first bytes that some server takes for TLS or HTTP although they
// are no good beginning of either. What could hide a name is never opaque.

package head

import "bytes"

// A likeness is how much first bytes are like a protocol's.
type likeness uint8

const (
	unlike  likeness = iota
	Perhaps          // too few bytes to say
	Alike
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

// Lookalike recognises what may stand in front of a first message that a server
// reads all the same, or in its place: a TLS record of another type than a
// hello's, the hello of SSLv2, which has no place for a server name, and what
// load balancers say of their clients. b is not empty.
func Lookalike(b []byte) (like likeness, detail string) {
	switch c := b[0]; {
	case c >= firstRecord && c <= lastRecord && c != handshakeType:
		return otherRecord(b), "a TLS record before the ClientHello"
	case c >= 0x80 && c < 0xc8: // nobody takes longer ones: 18 KiB
		return sslv2Hello(b), "an SSLv2 hello"
	case bytes.HasPrefix(b, []byte(proxyHeader1)), bytes.HasPrefix(b, []byte(proxyHeader2)):
		return Alike, "a PROXY header before the first message"
	}
	return unlike, ""
}

// otherRecord knows a record by its version. For alerts, which they skip, some
// servers take every major version below 16; then the length must tell.
func otherRecord(b []byte) likeness {
	switch {
	case len(b) < 2:
		return Perhaps
	case b[1] == 3:
		return Alike
	case b[0] != alertRecord || b[1] >= 0x10 || len(b) > 3 && b[3] != 0:
		return unlike
	case len(b) < tlsHeader:
		return Perhaps
	case b[4] == 2:
		return Alike
	}
	return unlike
}

// sslv2Hello looks at the type and the version behind the two-byte header.
func sslv2Hello(b []byte) likeness {
	switch {
	case len(b) > 2 && b[2] != sslv2ClientHello, len(b) > 3 && b[3] != 0 && b[3] != 3:
		return unlike
	case len(b) < tlsHeader:
		return Perhaps
	case b[3] == 3 || b[4] == 2:
		return Alike
	}
	return unlike
}
