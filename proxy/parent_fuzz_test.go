// Fuzz targets: what a parent answers. Whatever it sends, an accepted answer is read as net/http
// reads it, and no byte of the tunnel is taken.

package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"testing"

	"sallyport/rules"
)

func FuzzParentAnswer(f *testing.F) {
	for _, s := range []string{accepted, accepted + "220 hello", "HTTP/1.0 200\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 407 x\r\nA: b\r\n\r\nbody", "HTTP/1.1 200 OK\nA: b\n\n",
		"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "HTTP/1.1 200 OK\r\n a: b\r\n\r\n", "HTTP/1.1 101 x\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "ICY 200 OK\r\n\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		taken := 0
		status, err := finalStatus(func(head []byte) ([]byte, error) {
			if taken == len(b) {
				return head, io.ErrUnexpectedEOF
			}
			taken++
			return append(head, b[taken-1]), nil
		})
		if err != nil {
			return
		}
		if !bytes.HasSuffix(b[:taken], []byte("\r\n\r\n")) || status < 200 || status > 999 {
			t.Fatalf("%q: status %d, %d bytes taken", b, status, taken)
		}
		r := bufio.NewReader(bytes.NewReader(b[:taken]))
		for {
			resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
			if err != nil {
				return // net/http is stricter about some fields; they are not used
			}
			if resp.StatusCode >= 200 {
				if resp.StatusCode != status {
					t.Fatalf("%q: status %d, net/http reads %d", b, status, resp.StatusCode)
				}
				return
			}
		}
	})
}

// A conversation reads from what a parent says, and discards what it is told.
type conversation struct{ said *bytes.Reader }

func (c conversation) Read(b []byte) (int, error)  { return c.said.Read(b) }
func (c conversation) Write(b []byte) (int, error) { return len(b), nil }

func FuzzParentSOCKS(f *testing.F) {
	for _, s := range []string{"\x05\x00\x05\x00" + bound, "\x05\x02\x01\x00\x05\x00" + bound + "220 hello", "\x05\xff", "\x05\x00\x05\x05" + bound, "\x05\x00\x05\x00\x00\x03\x01a\x00\x50x", "\x04\x00"} {
		f.Add([]byte(s))
	}
	parent := &rules.Parent{Name: "p", Scheme: rules.ParentSOCKS5, Login: rules.Login{User: "u", Password: "p"}}
	target := rules.Authority{Addr: netip.MustParseAddr("8.8.8.8"), Port: 443}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := conversation{bytes.NewReader(b)}
		err := speakSOCKS(c, parent, target)
		var refused *parentError
		switch taken := len(b) - c.said.Len(); {
		case err == nil && (b[0] != 5 || taken < 2+10-3 || taken > 4+4+1+255+2):
			t.Fatalf("%q: accepted after %d bytes", b, taken)
		case errors.As(err, &refused) && refused.cause != rules.ParentAuth && refused.cause != rules.ParentRefused && refused.cause != rules.ParentTimedOut:
			t.Fatalf("%q: %v", b, err)
		}
	})
}
