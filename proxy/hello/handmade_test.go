// Answers for tests: the beginnings of what servers say to a hello.

package hello

import (
	"crypto/tls"
	"strings"
)

// serverHello is the beginning of an answer, with the random given.
func serverHello(random string) string {
	body := "\x03\x03" + random + strings.Repeat("\x00", 40)
	return "\x16\x03\x03\x00" + string(rune(len(body)+4)) + "\x02\x00\x00" + string(rune(len(body))) + body
}

const (
	changeCipher = "\x14\x03\x03\x00\x01\x01"
	earlyData    = "\x17\x03\x03\x00\x03abc"
	helloRequest = "\x16\x03\x03\x00\x04\x00\x00\x00\x00" // RFC 5246, section 7.4.1.1
)

// helloFor is the hello that crypto/tls sends for a name; "" for none.
func helloFor(name string) []byte {
	c := &recordConn{}
	tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake()
	return c.sent.Bytes()
}

// inRecords cuts the hello of one record into records of n bytes.
func inRecords(hello []byte, n int) []byte { return records(hello[RecordHeader:], n) }
