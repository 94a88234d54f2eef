// The ClientHello parser against others: the ClientHellos of Go and of browsers, and
// crypto/tls's reading of arbitrary bytes.

package hello

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	utls "github.com/refraction-networking/utls"

	"sallyport/proxy/proxytest"
)

// goHello returns crypto/tls's own ClientHello, with a post-quantum key share.
func goHello(name string) []byte {
	c := &proxytest.RecordConn{}
	tls.Client(c, &tls.Config{ServerName: name}).Handshake()
	return c.Sent.Bytes()
}

func TestHelloFromGo(t *testing.T) {
	b := goHello(updates)
	if len(b) < 1400 {
		t.Errorf("hello of %d bytes has no post-quantum key share", len(b))
	}
	h, fault, detail, more := parse(b)
	if fault != 0 || more || h.SNI.String() != updates {
		t.Fatalf("%q %v %s %v", h.SNI, fault, detail, more)
	}
	bytewise(t, b, h, 0)
	msg := b[RecordHeader:]
	for _, size := range []int{1, 2, 5, 100, 600} {
		if h, fault, _, _ := parse(proxytest.Records(msg, size)); fault != 0 || h.SNI.String() != updates {
			t.Errorf("records of %d: %q %v", size, h.SNI, fault)
		}
	}
}

func TestHelloParrots(t *testing.T) {
	for _, id := range proxytest.Parrots() {
		t.Run(id.Str(), func(t *testing.T) {
			u := utls.UClient(&proxytest.RecordConn{}, &utls.Config{ServerName: updates, OmitEmptyPsk: true}, id)
			if err := u.BuildHandshakeState(); err != nil {
				t.Skipf("uTLS cannot build it: %v", err)
			}
			msg := u.HandshakeState.Hello.Raw
			for _, size := range []int{maxRecord, 700, 1} {
				b := proxytest.Records(msg, size)
				h, fault, detail, more := parse(b)
				if fault != 0 || more || h.SNI.String() != updates {
					t.Fatalf("records of %d: sni %q, %v (%s), more %v", size, h.SNI, fault, detail, more)
				}
				if grease := bytes.Contains(msg, []byte{0xfe, 0x0d}); h.ECH && !grease || chromeECH(id) && !h.ECH {
					t.Errorf("ech %v", h.ECH)
				}
				bytewise(t, b, h, 0)
			}
		})
	}
}

// chromeECH reports whether a parrot is known to send GREASE ECH.
func chromeECH(id utls.ClientHelloID) bool {
	switch id {
	case utls.HelloChrome_120, utls.HelloChrome_120_PQ, utls.HelloChrome_131, utls.HelloChrome_133, utls.HelloFirefox_120:
		return true
	}
	return false
}

// Reading a ClientHello costs at most one allocation: the name.
func TestHelloAllocations(t *testing.T) {
	b := goHello(updates)
	if n := testing.AllocsPerRun(100, func() { parse(b) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { parse(b[:len(b)-1]) }); n > 0 {
		t.Errorf("%v allocations for a part", n)
	}
}

func BenchmarkHello(b *testing.B) {
	hello := goHello(updates)
	for name, bytes := range map[string][]byte{"whole": hello, "records of 100": proxytest.Records(hello[RecordHeader:], 100)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parse(bytes)
			}
		})
	}
}

// FuzzHello: if crypto/tls and Parse both accept a ClientHello, they read the same name. No cut
// into calls changes the verdict.
func FuzzHello(f *testing.F) {
	good := proxytest.Message(proxytest.SNI(0, updates), proxytest.NewExt(extECH, []byte{0}))
	for _, b := range [][]byte{
		goHello(updates), proxytest.Records(good, maxRecord), proxytest.Records(good, 1), proxytest.Records(good, 7), proxytest.Records(proxytest.Message(), 99),
		proxytest.Records(proxytest.Message(proxytest.SNI(0, "a.example", "b.example")), maxRecord), proxytest.Records(proxytest.Message(proxytest.SNI(1, updates)), maxRecord),
		proxytest.Records(proxytest.Message(proxytest.SNI(0, updates), proxytest.SNI(0, "b.example")), maxRecord), proxytest.Record(22, 3, proxytest.Join(good, good)),
		proxytest.Join(proxytest.Records(good, 50), proxytest.Record(20, 3, []byte{1})), []byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, fault, detail, more := parse(b)
		if more && fault != 0 || fault != 0 && detail == "" {
			t.Fatalf("more %v, fault %v, detail %q", more, fault, detail)
		}
		if whole := !more && fault == 0; whole {
			theirs, ok := oracleHello(b)
			if ok && theirs != "" && h.SNI != proxytest.Name(t, theirs) || ok && theirs == "" && h.HasSNI {
				t.Fatalf("we read %q, crypto/tls %q", h.SNI, theirs)
			}
		}
		if !more {
			bytewise(t, b, h, fault)
		}
	})
}

var errSeen = errors.New("seen")

// oracleHello reads a ClientHello with crypto/tls.
func oracleHello(b []byte) (sni string, ok bool) {
	c := tls.Server(&replayConn{r: bytes.NewReader(b)}, &tls.Config{
		GetConfigForClient: func(i *tls.ClientHelloInfo) (*tls.Config, error) {
			sni, ok = i.ServerName, true
			return nil, errSeen
		}})
	c.Handshake()
	return sni, ok
}

// replayConn is a connection that reads from r and discards writes.
type replayConn struct {
	net.Conn
	r *bytes.Reader
}

func (c *replayConn) Read(b []byte) (int, error)  { return c.r.Read(b) }
func (c *replayConn) Write(b []byte) (int, error) { return len(b), nil }

// TestCorpora checks that the seeds of every fuzz target are in the repository.
func TestCorpora(t *testing.T) {
	for _, target := range []string{"FuzzHello", "FuzzSecondHello", "FuzzAnswer"} {
		if files, err := os.ReadDir(filepath.Join("testdata", "fuzz", target)); err != nil || len(files) < 10 {
			t.Errorf("%s: %d files, %v", target, len(files), err)
		}
	}
}
