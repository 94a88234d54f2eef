// Second hello: a server may ask for another ClientHello (HelloRetryRequest,
// RFC 8446, section 4.1.4), and many take the server name from that one. It is
// held against the first, which was judged.

package hello

import (
	"sync/atomic"

	"sallyport/rules"
)

// retryRandom is the random of a ServerHello that asks for another hello (RFC
// 8446, section 4.1.3).
const retryRandom = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91" +
	"\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"

// answerSize is what of a ServerHello tells: the header of the message, the
// version and the random.
const (
	typeServerHello = 2
	helloRandom     = handshakeHeader + 2 // where the random begins
	answerSize      = helloRandom + len(retryRandom)
)

// maxCiphered is the longest record that a client sends before the answer: of
// early data, as TLS 1.2 had them.
const maxCiphered = maxRecord + 2048

// An Answer reads a server's first records, for the ServerHello that is none
// of those that ask for another hello: behind it there will be none. Whatever
// stands before it settles nothing: warnings, empty records, a HelloRequest (RFC
// 5246, section 7.4.1.1) or another message, change_cipher_spec, a request for
// another hello; and neither does what is no TLS. It must see the bytes before
// the client does, as what the client says next can be its reply.
type Answer struct {
	final atomic.Bool // no second hello can come
	lost  bool        // this is no TLS, or a broken ServerHello: nothing will settle

	header  [RecordHeader]byte
	got     int // bytes of header
	rest    int // bytes to come of the record
	message [answerSize]byte
	have    int // bytes of message
	skip    int // bytes to come of a handshake message that tells nothing
}

// Settled tells whether no second hello can come. It may be asked at any time.
func (s *Answer) Settled() bool { return s.final.Load() }

// Over tells whether further bytes change nothing.
func (s *Answer) Over() bool { return s.lost || s.Settled() }

// Feed looks at the server's next bytes.
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

// handshake looks at the next bytes of handshake messages, which may be cut into
// records anywhere.
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

// RecordSize reads the length in a record's header.
func RecordSize(b []byte) int { return int(b[3])<<8 | int(b[4]) }

// A Second reads what a client sends behind its hello.
type Second struct {
	First Hello
	rest  int  // bytes to come of a record that carries no hello
	scan  Scan // of the second one
}

// Next returns how many bytes of b, what the client sent and was not passed on, may pass; 0 where more are needed.
// Records that carry no hello pass together, and in parts: else tiny ones would cost a write and a packet each, and
// large ones their memory. A fault is final; h is then what the hello showed, if it was one.
func (s *Second) Next(b []byte) (n int, h Hello, fault rules.Reason, detail string) {
	for n < len(b) {
		if s.rest == 0 {
			if len(b)-n < RecordHeader || b[n] == RecordHandshake {
				break
			}
			size := RecordSize(b[n:])
			if b[n] < recordChangeCipher || b[n] > recordHeartbeat || size > maxCiphered {
				if n == 0 {
					return 0, Hello{}, rules.MalformedRequest, "no TLS record behind the ClientHello"
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

// nextHello is next where a hello begins.
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
