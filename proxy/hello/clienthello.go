// ClientHello: reads the server name from a client's first TLS bytes.

package hello

import (
	"golang.org/x/crypto/cryptobyte"

	"sallyport/rules"
)

// Limits of a ClientHello. Post-quantum hellos are about 1.8 KiB.
const (
	maxHello        = 16 << 10 // the handshake message with its header
	MaxRecords      = 48 << 10 // the message with its record headers; so a waiting connection, with its stack, stays below 64 KiB
	maxRecord       = 16 << 10 // one record's fragment (RFC 8446, section 5.1)
	RecordHeader    = 5
	handshakeHeader = 4
)

// Numbers from RFC 8446, RFC 6066, RFC 9849 and the ESNI drafts.
const (
	recordChangeCipher = 20
	RecordHandshake    = 22
	recordHeartbeat    = 24
	TypeClientHello    = 1
	extServerName      = 0
	extECH             = 0xfe0d
	extESNI            = 0xffce
	nameTypeHost       = 0
)

// A Hello has what a complete, well-formed ClientHello shows.
type Hello struct {
	SNI    rules.Name // the server name; zero: none
	RawSNI []byte     // as received; set if there is exactly one name, even an invalid one
	HasSNI bool       // false: there is no server_name extension
	ECH    bool       // Encrypted ClientHello, real or GREASE, or its predecessor ESNI
	esni   bool
}

// A Scan remembers the records of a growing prefix, so that a ClientHello in one-byte records
// that arrive byte by byte costs linear time. Its zero value is ready. Each call of Parse gets
// a prefix at least as long as the last one.
type Scan struct {
	Size  int // where the next record begins
	got   int // bytes of the handshake message in the records before Size
	need  int // length of the message with its header; 0: unknown
	parts int // records before Size
}

// Parse reads a ClientHello from the bytes that a client sent so far. If more is set, they are
// a valid beginning: call Parse again with a longer prefix. A fault is final. Otherwise the
// ClientHello is complete. Bytes after its last record are not looked at. If the ClientHello
// came in one record, h.RawSNI is a part of b.
func (s *Scan) Parse(b []byte) (h Hello, fault rules.Reason, detail string, more bool) {
	for s.need == 0 || s.got < s.need {
		if fault, detail, more = s.record(b); fault != rules.ReasonNone || more {
			return h, fault, detail, more
		}
	}
	msg := b[RecordHeader : RecordHeader+min(s.need, len(b)-RecordHeader)]
	if s.parts > 1 {
		msg = joinRecords(b[:s.Size], s.need)
	}
	if fault, detail = h.read(msg[handshakeHeader:]); fault != rules.ReasonNone {
		h.SNI = rules.Name{} // no field of a broken ClientHello is used
	}
	return h, fault, detail, false
}

// record reads one more record. It judges a record by its header, before the rest arrives,
// wherever that is possible.
func (s *Scan) record(b []byte) (fault rules.Reason, detail string, more bool) {
	r := b[min(s.Size, len(b)):]
	if fault, detail = recordFault(r, s.parts == 0); fault != rules.ReasonNone {
		return fault, detail, false
	}
	if len(r) < RecordHeader {
		return rules.ReasonNone, "", true
	}
	n := int(r[3])<<8 | int(r[4])
	if s.Size+RecordHeader+n > MaxRecords {
		return rules.SniffTooLong, "ClientHello longer than 48 KiB with its record headers", false
	}
	frag := r[RecordHeader:min(len(r), RecordHeader+n)]
	if s.need == 0 {
		if fault, detail = s.header(b, frag); fault != rules.ReasonNone {
			return fault, detail, false
		}
	}
	if s.need != 0 && s.got+n > s.need {
		return rules.MalformedRequest, "handshake data after the ClientHello in the same record", false
	}
	if len(frag) < n {
		return rules.ReasonNone, "", true
	}
	s.Size += RecordHeader + n
	s.got += n
	s.parts++
	return rules.ReasonNone, "", false
}

// recordFault judges the available part of a record header.
func recordFault(r []byte, first bool) (rules.Reason, string) {
	fault := rules.MalformedRequest
	if first {
		fault = rules.NotTLS
	}
	if len(r) > 0 && r[0] != RecordHandshake {
		if first {
			return fault, FirstByteText(r[0])
		}
		return fault, "another record type inside the ClientHello"
	}
	if len(r) > 1 && r[1] != 3 {
		return fault, "record version is not 3.x"
	}
	if len(r) >= RecordHeader {
		switch n := int(r[3])<<8 | int(r[4]); {
		case n == 0:
			return rules.MalformedRequest, "empty record"
		case n > maxRecord:
			return rules.MalformedRequest, "record longer than 16384 bytes"
		}
	}
	return rules.ReasonNone, ""
}

// FirstByteText describes, for people, a first byte that begins no handshake record.
func FirstByteText(c byte) string {
	switch {
	case c >= recordChangeCipher && c <= recordHeartbeat && c != RecordHandshake:
		return "a TLS record before the ClientHello"
	case c == 0x80:
		return "an SSLv2 hello"
	case c >= 'A' && c <= 'Z':
		return "text, like HTTP or SSH"
	}
	return "first byte is no TLS handshake record"
}

// header reads the message's length from its first four bytes, which may be in several records.
// frag is the part in the current record.
func (s *Scan) header(b, frag []byte) (rules.Reason, string) {
	var hdr [handshakeHeader]byte
	n := copy(hdr[:], headerSoFar(b[:s.Size], hdr[:0]))
	n += copy(hdr[n:], frag)
	if n > 0 && hdr[0] != TypeClientHello {
		return rules.MalformedRequest, "first handshake message is not a ClientHello"
	}
	if n < handshakeHeader {
		return rules.ReasonNone, ""
	}
	s.need = handshakeHeader + (int(hdr[1])<<16 | int(hdr[2])<<8 | int(hdr[3]))
	if s.need > maxHello {
		return rules.SniffTooLong, "ClientHello longer than 16 KiB"
	}
	return rules.ReasonNone, ""
}

// headerSoFar appends the fragments of the complete records of b to dst. It is called while
// they have fewer than four bytes together.
func headerSoFar(b, dst []byte) []byte {
	for len(b) > 0 {
		n := RecordHeader + (int(b[3])<<8 | int(b[4]))
		dst = append(dst, b[RecordHeader:n]...)
		b = b[n:]
	}
	return dst
}

// joinRecords returns the message of size n in complete records.
func joinRecords(b []byte, n int) []byte { return headerSoFar(b, make([]byte, 0, n)) }

// read fills h from the body of a ClientHello (RFC 8446, section 4.1.2).
func (h *Hello) read(body []byte) (rules.Reason, string) {
	s := cryptobyte.String(body)
	var version uint16
	var random []byte
	var session, suites, compressions, extensions cryptobyte.String
	if !s.ReadUint16(&version) || version>>8 != 3 || !s.ReadBytes(&random, 32) ||
		!s.ReadUint8LengthPrefixed(&session) || len(session) > 32 ||
		!s.ReadUint16LengthPrefixed(&suites) || len(suites) == 0 || len(suites)%2 != 0 ||
		!s.ReadUint8LengthPrefixed(&compressions) || len(compressions) == 0 {
		return rules.MalformedRequest, "broken ClientHello"
	}
	if s.Empty() {
		return rules.ReasonNone, "" // a ClientHello without extensions, as before TLS had them
	}
	if !s.ReadUint16LengthPrefixed(&extensions) || !s.Empty() {
		return rules.MalformedRequest, "broken extensions in the ClientHello"
	}
	return h.extensions(extensions)
}

// extensions walks all extensions, so that no second server_name stays hidden.
func (h *Hello) extensions(s cryptobyte.String) (rules.Reason, string) {
	for !s.Empty() {
		var kind uint16
		var data cryptobyte.String
		if !s.ReadUint16(&kind) || !s.ReadUint16LengthPrefixed(&data) {
			return rules.MalformedRequest, "broken extensions in the ClientHello"
		}
		switch kind {
		case extECH:
			h.ECH = true
		case extESNI:
			h.ECH, h.esni = true, true
		case extServerName:
			if h.HasSNI {
				return rules.MalformedName, "two server_name extensions"
			}
			h.HasSNI = true
			if fault, detail := h.serverName(data); fault != rules.ReasonNone {
				return fault, detail
			}
		}
	}
	return rules.ReasonNone, ""
}

// serverName reads a ServerNameList with exactly one host name (RFC 6066, section 3).
func (h *Hello) serverName(s cryptobyte.String) (rules.Reason, string) {
	var list, name cryptobyte.String
	var kind uint8
	if !s.ReadUint16LengthPrefixed(&list) || !s.Empty() {
		return rules.MalformedRequest, "broken server_name extension"
	}
	if list.Empty() {
		return rules.MalformedName, "server_name list is empty"
	}
	if !list.ReadUint8(&kind) || !list.ReadUint16LengthPrefixed(&name) {
		return rules.MalformedRequest, "broken server_name extension"
	}
	h.RawSNI = name
	switch {
	case kind != nameTypeHost:
		return rules.MalformedName, "server_name of an unknown type"
	case !list.Empty():
		return rules.MalformedName, "more than one name in server_name"
	case len(name) > rules.MaxName+1:
		return rules.MalformedName, rules.ErrNameLong.Error()
	}
	var err error
	if h.SNI, err = rules.ParseName(string(name)); err != nil {
		return rules.MalformedName, err.Error()
	}
	return rules.ReasonNone, ""
}
