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
)

// recordConn is a connection without a peer. It keeps what is written.
type recordConn struct {
	net.Conn
	sent bytes.Buffer
}

func (c *recordConn) Write(b []byte) (int, error) { return c.sent.Write(b) }
func (c *recordConn) Read([]byte) (int, error)    { return 0, errors.New("no answer") }

// goHello returns crypto/tls's own ClientHello, with a post-quantum key share.
func goHello(name string) []byte {
	c := &recordConn{}
	tls.Client(c, &tls.Config{ServerName: name}).Handshake()
	return c.sent.Bytes()
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
		if h, fault, _, _ := parse(records(msg, size)); fault != 0 || h.SNI.String() != updates {
			t.Errorf("records of %d: %q %v", size, h.SNI, fault)
		}
	}
}

// parrots are the clients that uTLS imitates.
var parrots = []utls.ClientHelloID{
	utls.HelloFirefox_55, utls.HelloFirefox_56, utls.HelloFirefox_63, utls.HelloFirefox_65, utls.HelloFirefox_99,
	utls.HelloFirefox_102, utls.HelloFirefox_105, utls.HelloFirefox_120,
	utls.HelloChrome_58, utls.HelloChrome_62, utls.HelloChrome_70, utls.HelloChrome_72, utls.HelloChrome_83,
	utls.HelloChrome_87, utls.HelloChrome_96, utls.HelloChrome_100, utls.HelloChrome_102, utls.HelloChrome_106_Shuffle,
	utls.HelloChrome_112_PSK_Shuf, utls.HelloChrome_114_Padding_PSK_Shuf, utls.HelloChrome_115_PQ,
	utls.HelloChrome_115_PQ_PSK, utls.HelloChrome_120, utls.HelloChrome_120_PQ, utls.HelloChrome_131, utls.HelloChrome_133,
	utls.HelloIOS_11_1, utls.HelloIOS_12_1, utls.HelloIOS_13, utls.HelloIOS_14, utls.HelloAndroid_11_OkHttp,
	utls.HelloEdge_85, utls.HelloEdge_106, utls.HelloSafari_16_0, utls.Hello360_7_5, utls.Hello360_11_0,
	utls.HelloQQ_11_1, utls.HelloRandomized, utls.HelloRandomizedALPN, utls.HelloRandomizedNoALPN,
}

func TestHelloParrots(t *testing.T) {
	for _, id := range parrots {
		t.Run(id.Str(), func(t *testing.T) {
			u := utls.UClient(&recordConn{}, &utls.Config{ServerName: updates, OmitEmptyPsk: true}, id)
			if err := u.BuildHandshakeState(); err != nil {
				t.Skipf("uTLS cannot build it: %v", err)
			}
			msg := u.HandshakeState.Hello.Raw
			for _, size := range []int{maxRecord, 700, 1} {
				b := records(msg, size)
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
	for name, bytes := range map[string][]byte{"whole": hello, "records of 100": records(hello[RecordHeader:], 100)} {
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
	good := message(sniExt(0, updates), ext{extECH, []byte{0}})
	for _, b := range [][]byte{
		goHello(updates), records(good, maxRecord), records(good, 1), records(good, 7), records(message(), 99),
		records(message(sniExt(0, "a.example", "b.example")), maxRecord), records(message(sniExt(1, updates)), maxRecord),
		records(message(sniExt(0, updates), sniExt(0, "b.example")), maxRecord), rec(22, 3, join(good, good)),
		join(records(good, 50), rec(20, 3, []byte{1})), []byte("GET / HTTP/1.1\r\n\r\n"),
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
			if ok && theirs != "" && h.SNI != name(t, theirs) || ok && theirs == "" && h.HasSNI {
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
