// ClientHello: reads the server name out of a client's first TLS bytes.

package hello

import (
	"golang.org/x/crypto/cryptobyte"

	"sallyport/rules"
)

// Limits of a ClientHello. Post-quantum hellos are about 1.8 KiB.
const (
	maxHello        = 16 << 10 // the handshake message with its header
	MaxRecords      = 48 << 10 // the same with record headers: with its stack, a waiting connection stays below 64 KiB
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

// A Hello is what a whole, well-formed ClientHello shows.
type Hello struct {
	SNI    rules.Name
	RawSNI []byte // as received; set whenever there is one name, also a bad one
	HasSNI bool   // false: no server_name extension at all
	ECH    bool   // Encrypted ClientHello, GREASE or real, or its ancestor ESNI
	esni   bool
}

// parseHello reads a ClientHello from the bytes that a client sent so far.
// more: they are a good beginning, bring a longer prefix. A fault is final.
// Neither: the hello is whole. Bytes behind the hello's last record are not
// looked at. When the hello came in one record, h.sniRaw is a part of b.
func parseHello(b []byte) (h Hello, fault rules.Reason, detail string, more bool) {
	var s Scan
	return s.Parse(b)
}

// A Scan remembers which records of a growing prefix were seen, so that
// a hello in one-byte records that arrive byte by byte costs linear time.
// Its zero value is ready; every call gets a prefix at least as long as the
// one before.
type Scan struct {
	Size  int // where the next record begins
	got   int // bytes of the handshake message in the records before next
	need  int // length of the message with its header; 0: not known
	parts int // records before next
}

// Parse is parseHello for repeated use.
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
		h.SNI = rules.Name{} // nothing that a broken hello shows counts
	}
	return h, fault, detail, false
}

// record takes in one more record. It judges a record by its header, before
// the rest of it arrives, wherever the header is enough.
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
		return rules.MalformedRequest, "handshake data behind the ClientHello in its record", false
	}
	if len(frag) < n {
		return rules.ReasonNone, "", true
	}
	s.Size += RecordHeader + n
	s.got += n
	s.parts++
	return rules.ReasonNone, "", false
}

// recordFault judges as much of a record header as is there.
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

// FirstByteText says for people what a first byte that is no handshake
// record may be.
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

// header learns the message's length from its first four bytes, which may lie
// in several records: frag is the current one's part.
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

// headerSoFar appends to dst the fragments of the whole records of b. It is
// called while these hold fewer than four bytes together.
func headerSoFar(b, dst []byte) []byte {
	for len(b) > 0 {
		n := RecordHeader + (int(b[3])<<8 | int(b[4]))
		dst = append(dst, b[RecordHeader:n]...)
		b = b[n:]
	}
	return dst
}

// joinRecords returns the message of size n that whole records carry.
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
		return rules.ReasonNone, "" // before extensions existed
	}
	if !s.ReadUint16LengthPrefixed(&extensions) || !s.Empty() {
		return rules.MalformedRequest, "broken extensions in the ClientHello"
	}
	return h.extensions(extensions)
}

// extensions walks all extensions: a second server_name hides behind nothing.
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

// serverName reads a ServerNameList that holds exactly one host name (RFC
// 6066, section 3).
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
