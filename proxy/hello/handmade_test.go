// ServerHellos and ClientHellos for tests.

package hello

import (
	"crypto/tls"
	"strings"

	"sallyport/proxy/proxytest"
)

// serverHello returns the beginning of an answer with the given random.
func serverHello(random string) string {
	body := "\x03\x03" + random + strings.Repeat("\x00", 40)
	return "\x16\x03\x03\x00" + string(rune(len(body)+4)) + "\x02\x00\x00" + string(rune(len(body))) + body
}

const (
	changeCipher = "\x14\x03\x03\x00\x01\x01"
	earlyData    = "\x17\x03\x03\x00\x03abc"
	helloRequest = "\x16\x03\x03\x00\x04\x00\x00\x00\x00" // RFC 5246, section 7.4.1.1
)

// helloFor returns the ClientHello that crypto/tls sends for a name; "": without a name.
func helloFor(name string) []byte {
	c := &proxytest.RecordConn{}
	tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake()
	return c.Sent.Bytes()
}

// inRecords cuts a ClientHello of one record into records of n bytes.
func inRecords(hello []byte, n int) []byte { return proxytest.Records(hello[RecordHeader:], n) }
