// Lookalike: first bytes that some server takes for TLS or HTTP although they
// are no good beginning of either. What could hide a name is never opaque.

package proxy

import "bytes"

// A likeness is how much first bytes are like a protocol's.
type likeness uint8

const (
	unlike  likeness = iota
	perhaps          // too few bytes to say
	alike
)

// Numbers from RFC 8446, RFC 6520 and the SSL 2.0 draft.
const (
	recordChangeCipher = 20
	recordAlert        = 21
	recordHeartbeat    = 24
	sslv2ClientHello   = 1
)

// The two forms of HAProxy's PROXY header.
const (
	proxyHeader1 = "PROXY "
	proxyHeader2 = "\r\n\r\n\x00\r\nQUIT\n"
)

// hides recognises what may stand in front of a first message that a server
// reads all the same, or in its place: a TLS record of another type than a
// hello's, the hello of SSLv2, which has no place for a server name, and what
// load balancers say of their clients. b is not empty.
func hides(b []byte) (like likeness, detail string) {
	switch c := b[0]; {
	case c >= recordChangeCipher && c <= recordHeartbeat && c != recordHandshake:
		return otherRecord(b), "a TLS record before the ClientHello"
	case c >= 0x80 && c < 0xc8: // nobody takes longer ones: 18 KiB
		return sslv2Hello(b), "an SSLv2 hello"
	case bytes.HasPrefix(b, []byte(proxyHeader1)), bytes.HasPrefix(b, []byte(proxyHeader2)):
		return alike, "a PROXY header before the first message"
	case bytes.HasPrefix([]byte(proxyHeader2), b):
		return perhaps, ""
	}
	return unlike, ""
}

// otherRecord knows a record by its version. For alerts, which they skip, some
// servers take every major version below 16; then the length must tell.
func otherRecord(b []byte) likeness {
	switch {
	case len(b) < 2:
		return perhaps
	case b[1] == 3:
		return alike
	case b[0] != recordAlert || b[1] >= 0x10 || len(b) > 3 && b[3] != 0:
		return unlike
	case len(b) < recordHeader:
		return perhaps
	case b[4] == 2:
		return alike
	}
	return unlike
}

// sslv2Hello looks at the type and the version behind the two-byte header.
func sslv2Hello(b []byte) likeness {
	switch {
	case len(b) > 2 && b[2] != sslv2ClientHello, len(b) > 3 && b[3] != 0 && b[3] != 3:
		return unlike
	case len(b) < recordHeader:
		return perhaps
	case b[3] == 3 || b[4] == 2:
		return alike
	}
	return unlike
}

// looksHTTP recognises what any server might take for an HTTP/1 request, and
// errs on that side: the strict grammar judges it afterwards. A first line that
// names HTTP does, whatever else is in it and whatever blanks, empty lines and
// control bytes are before it, which servers skip.
func looksHTTP(b []byte) likeness {
	line, _, whole := bytes.Cut(bytes.TrimLeftFunc(b, skippable), []byte("\n"))
	switch {
	case namesHTTP(line), whole && simpleRequest(line):
		return alike
	case whole:
		return unlike
	}
	return mayBecomeRequest(bytes.TrimLeft(b, blanks))
}

// namesHTTP tells whether "http/" is in a line, in any case.
func namesHTTP(line []byte) bool {
	for i := 0; ; {
		slash := bytes.IndexByte(line[i:], '/')
		if slash < 0 {
			return false
		}
		i += slash + 1
		if i >= len("http/") && bytes.EqualFold(line[i-len("http/"):i], []byte("http/")) {
			return true
		}
	}
}

// simpleRequest knows a request of HTTP/0.9, a line without a version: GET and a
// path, or an address, whose host some servers go by.
func simpleRequest(line []byte) bool {
	word := bytes.IndexAny(line, blanks)
	if word < 0 || !bytes.EqualFold(line[:word], []byte("GET")) {
		return false
	}
	target := bytes.TrimLeftFunc(line[word:], skippable)
	return bytes.HasPrefix(target, []byte("/")) || bytes.Contains(target, []byte("://"))
}

// blanks are the bytes that separate words for some server: those of RFC 9112,
// section 3, and the separators that Unicode has below 0x20.
const blanks = " \t\r\n\v\f\x1c\x1d\x1e\x1f"

// skippable are the blanks and all other control bytes of ASCII.
func skippable(r rune) bool { return r <= ' ' || r == 0x7f }

// mayBecomeRequest judges the beginning of a first line, from its first word
// on. Text may; so may a word of letters and a blank, whatever follows, since
// lenient servers take any byte in a target. Anything else is left alone: the
// clients of other protocols wait for an answer, and send no line end.
func mayBecomeRequest(b []byte) likeness {
	if len(b) == 0 || isTokenByte(b[0]) && bytes.IndexFunc(b, notText) < 0 {
		return perhaps
	}
	word := 0
	for word < len(b) && (b[word]|0x20 >= 'a' && b[word]|0x20 <= 'z' || b[word] == '-' || b[word] == '_') {
		word++
	}
	if word > 0 && word < len(b) && bytes.IndexByte([]byte(blanks), b[word]) >= 0 {
		return perhaps
	}
	return unlike
}

// notText tells of control bytes that no line of text has.
func notText(r rune) bool { return r < ' ' && r != '\t' && r != '\r' || r == 0x7f }
