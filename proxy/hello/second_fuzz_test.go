// Second ClientHello fuzzing: what may pass after the first ClientHello, compared
// with a slow twin.

package hello

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"sallyport/rules"
)

// passedSlowly returns how much of a client's bytes after its ClientHello may pass before an
// answer, and whether the flow is denied there. It goes record by record over the whole text.
func passedSlowly(b []byte, first Hello) (n int, denied bool) {
	for len(b)-n >= RecordHeader {
		size := RecordSize(b[n:])
		switch kind := b[n]; {
		case kind == RecordHandshake:
			var scan Scan
			h, fault, _, more := scan.Parse(b[n:])
			if more {
				return n, false
			}
			if fault != rules.ReasonNone || h.HasSNI != first.HasSNI || h.SNI != first.SNI || h.ECH != first.ECH {
				return n, true
			}
			n += scan.Size // the next record is checked, too
			continue
		case kind < recordChangeCipher, kind > recordHeartbeat, size > maxCiphered:
			return n, true
		}
		n = min(len(b), n+RecordHeader+size)
	}
	return n, false
}

// However the bytes after a ClientHello are cut, exactly the permitted bytes pass, and never
// another name.
func FuzzSecondHello(f *testing.F) {
	a, evil := helloFor("a.example"), helloFor("evil.example")
	var scan Scan
	first, fault, detail, more := scan.Parse(a)
	if fault != rules.ReasonNone || more {
		f.Fatal(fault, detail, more)
	}
	for _, then := range [][]byte{
		a, evil, inRecords(a, 7), inRecords(evil, 1), append([]byte(changeCipher), a...), append([]byte(earlyData+changeCipher), evil...),
		append(slices.Clone(a), evil...), []byte("\x16\x03\x03\x00\x04\x10\x00\x00\x00"), []byte("GET / HTTP/1.1\r\n\r\n"), []byte("\x17\x03\x03\xff\xff"), {},
	} {
		f.Add(then, 3)
		f.Add(then, 1<<10)
	}
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		s := Second{First: first}
		var left []byte
		var passed []byte
		failed := false
		for piece := range slices.Chunk(b, min(max(1, n), 1<<14)) {
			if failed {
				break
			}
			left = append(left, piece...)
			for n := 1; n > 0; {
				var fault rules.Reason
				if n, _, fault, _ = s.Next(left); fault != rules.ReasonNone {
					failed = true
					break
				}
				passed = append(passed, left[:n]...)
				left = slices.Clone(left[n:])
			}
		}
		want, denied := passedSlowly(b, first)
		if !bytes.Equal(passed, b[:want]) || denied != failed {
			t.Errorf("of %d bytes in pieces of %d %d pass, denied %t; want %d, denied %t", len(b), n, len(passed), failed, want, denied)
		}
	})
}

// answeredSlowly reports whether a server's bytes hold a ServerHello that is not a
// HelloRetryRequest. It first joins the records and then cuts the messages.
func answeredSlowly(b []byte) bool {
	var messages []byte
	for len(b) > 0 && b[0] >= recordChangeCipher && b[0] <= recordHeartbeat {
		n := len(b)
		if n > RecordHeader {
			n = min(n, RecordHeader+RecordSize(b))
			if b[0] == RecordHandshake {
				messages = append(messages, b[RecordHeader:n]...)
			}
		}
		b = b[n:]
	}
	for len(messages) >= handshakeHeader {
		n := handshakeHeader + (int(messages[1])<<16 | int(messages[2])<<8 | int(messages[3]))
		if messages[0] == typeServerHello {
			if n < answerSize || len(messages) < answerSize {
				return false
			}
			if string(messages[helloRandom:answerSize]) != retryRandom {
				return true
			}
		}
		messages = messages[min(n, len(messages)):]
	}
	return false
}

// However an answer is cut, the result is that of its slow twin.
func FuzzAnswer(f *testing.F) {
	retry, other := serverHello(retryRandom), serverHello(strings.Repeat("r", 32))
	for _, s := range []string{retry, other, "\x15\x03\x03\x00\x02\x01\x70" + retry, helloRequest + retry, "\x16\x03\x03\x00\x00" + other, changeCipher + retry + other,
		string(inRecords([]byte(other), 1)), "\x16\x03\x03\x00\x04\x02\x00\x00\x28", "HTTP/1.1 400 Bad Request\r\n"} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		var s Answer
		for piece := range slices.Chunk(b, max(1, n)) {
			s.Feed(piece)
		}
		if got, want := s.Settled(), answeredSlowly(b); got != want {
			t.Errorf("in pieces of %d: settled %t, want %t", n, got, want)
		}
	})
}
