// Second ClientHello: a server may ask for one (HelloRetryRequest, RFC 8446, section 4.1.4),
// and many servers take the server name from it. The second ClientHello is compared with the
// first one, which was judged.

package hello

import (
	"sync/atomic"

	"sallyport/rules"
)

// retryRandom is the random of a ServerHello that asks for a second ClientHello (RFC 8446,
// section 4.1.3).
const retryRandom = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91" +
	"\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"

// answerSize covers the part of a ServerHello that is needed: the message header, the version
// and the random.
const (
	typeServerHello = 2
	helloRandom     = handshakeHeader + 2 // where the random begins
	answerSize      = helloRandom + len(retryRandom)
)

// maxCiphered is the longest record that a client sends before the answer: early data, in
// records as TLS 1.2 allowed them.
const maxCiphered = maxRecord + 2048

// An Answer reads a server's first records until it finds a ServerHello that does not ask for a
// second ClientHello. After such a ServerHello no second ClientHello can follow. Other data does
// not settle this: warnings, empty records, a HelloRequest (RFC 5246, section 7.4.1.1) or another
// message, change_cipher_spec, a HelloRetryRequest, or anything that is not TLS. The Answer must
// get the bytes before the client does, as the client may reply to them.
type Answer struct {
	final atomic.Bool // no second ClientHello can follow
	lost  bool        // not TLS, or a broken ServerHello: no later bytes can settle it

	header  [RecordHeader]byte
	got     int // bytes of header so far
	rest    int // bytes of the record still to come
	message [answerSize]byte
	have    int // bytes of message so far
	skip    int // bytes still to come of a handshake message that is ignored
}

// Settled reports whether no second ClientHello can follow. It may be called at any time, from
// any goroutine.
func (s *Answer) Settled() bool { return s.final.Load() }

// Over reports whether further bytes cannot change the result.
func (s *Answer) Over() bool { return s.lost || s.Settled() }

// Feed reads the server's next bytes.
func (s *Answer) Feed(b []byte) {
	for len(b) > 0 && !s.Over() {
		if s.rest == 0 {
			s.header[s.got] = b[0]
			s.got, b = s.got+1, b[1:]
			s.lost = s.header[0] < recordChangeCipher || s.header[0] > recordHeartbeat
			if s.got == RecordHeader {
				s.got, s.rest = 0, RecordSize(s.header[:])
			}
			continue
		}
		n := min(s.rest, len(b))
		if s.header[0] == RecordHandshake {
			s.handshake(b[:n])
		}
		s.rest, b = s.rest-n, b[n:]
	}
}

// handshake reads the next bytes of handshake messages, which may be split over records
// anywhere.
func (s *Answer) handshake(b []byte) {
	for len(b) > 0 && !s.lost {
		if s.skip > 0 {
			n := min(s.skip, len(b))
			s.skip, b = s.skip-n, b[n:]
			continue
		}
		s.message[s.have] = b[0]
		s.have, b = s.have+1, b[1:]
		size := int(s.message[1])<<16 | int(s.message[2])<<8 | int(s.message[3])
		switch {
		case s.have == handshakeHeader && s.message[0] != typeServerHello:
			s.have, s.skip = 0, size
		case s.have == handshakeHeader && handshakeHeader+size < answerSize:
			s.lost = true
		case s.have == answerSize && string(s.message[helloRandom:]) != retryRandom:
			s.final.Store(true)
			return
		case s.have == answerSize:
			s.have, s.skip = 0, handshakeHeader+size-answerSize
		}
	}
}

// RecordSize returns the length in a record's header.
func RecordSize(b []byte) int { return int(b[3])<<8 | int(b[4]) }

// A Second checks what a client sends after its ClientHello.
type Second struct {
	First Hello // the ClientHello that was judged
	rest  int   // bytes still to come of a record without a ClientHello
	scan  Scan  // the scan of the second ClientHello
}

// Next returns how many bytes of b may pass; 0: more are needed. b holds the bytes that the client
// sent and that were not passed on. Records without a ClientHello pass together, and in parts.
// Otherwise tiny records would cost a write and a packet each, and large records would have to be
// held in memory. A fault is final; h is then the ClientHello that caused it, if there is one.
func (s *Second) Next(b []byte) (n int, h Hello, fault rules.Reason, detail string) {
	for n < len(b) {
		if s.rest == 0 {
			if len(b)-n < RecordHeader || b[n] == RecordHandshake {
				break
			}
			size := RecordSize(b[n:])
			if b[n] < recordChangeCipher || b[n] > recordHeartbeat || size > maxCiphered {
				if n == 0 {
					return 0, Hello{}, rules.MalformedRequest, "no TLS record after the ClientHello"
				}
				break
			}
			s.rest = RecordHeader + size
		}
		part := min(s.rest, len(b)-n)
		n, s.rest = n+part, s.rest-part
	}
	if n > 0 || len(b) < RecordHeader {
		return n, Hello{}, rules.ReasonNone, ""
	}
	return s.nextHello(b)
}

// nextHello does the work of Next where a ClientHello begins.
func (s *Second) nextHello(b []byte) (n int, h Hello, fault rules.Reason, detail string) {
	h, fault, detail, more := s.scan.Parse(b)
	switch {
	case more:
		return 0, Hello{}, rules.ReasonNone, ""
	case fault == rules.ReasonNone && (h.HasSNI != s.First.HasSNI || h.SNI != s.First.SNI || h.ECH != s.First.ECH):
		fault, detail = rules.MalformedRequest, "the second ClientHello names another server than the first"
	}
	if fault == rules.ReasonNone {
		n, s.scan = s.scan.Size, Scan{}
	}
	return n, h, fault, detail
}
