// Second ClientHello tests: a ClientHello after a HelloRetryRequest names the server that was
// judged, or it is not sent on.

package proxy

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sallyport/rules"
)

// helloRetry is the random of a HelloRetryRequest (RFC 8446, section 4.1.3).
const helloRetry = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91" +
	"\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"

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

func TestSecondHello(t *testing.T) {
	t.Parallel()
	a, evil, none := string(helloFor(t, "a.example")), string(helloFor(t, "evil.example")), string(helloFor(t, ""))
	retry, other := serverHello(helloRetry), serverHello(strings.Repeat("r", 32))
	warning := "\x15\x03\x03\x00\x02\x01\x70"
	for _, c := range []struct {
		name, answer string
		early, then  string // sent directly after the ClientHello; sent after the answer
		passes       bool
	}{
		{"the same name", retry, "", changeCipher + a, true},
		{"the same name in small records", retry, "", string(inRecords([]byte(a), 7)), true},
		{"the same name after early data", retry, earlyData, changeCipher + a, true},
		{"the same name again and again", retry, "", changeCipher + a + a, true},
		{"another name after the same", retry, "", a + evil, false},
		{"another name after the same, asked twice", retry + retry, "", a + evil, false},
		{"anything after it and another answer", retry + other, "", a + "\x16\x03\x03\x00\x04\x10zzz" + evil, true},
		{"another answer in tiny records", string(inRecords([]byte(other), 1)), "", evil, true},
		{"a HelloRequest before another answer", helloRequest + other, "", evil, true},
		{"another answer, anything follows", other, "", "\x16\x03\x03\x00\x04\x10zzz" + evil, true},
		{"a warning before another answer", warning + other, "", evil, true},
		{"no TLS in the answer, a warning", "HTTP/1.1 400 Bad Request\r\n\r\n", "", warning, true},
		{"no TLS in the answer, another name", "HTTP/1.1 400 Bad Request\r\n\r\n", "", evil, false},
		{"a broken answer, another name", "\x16\x03\x03\x00\x04\x02\x00\x00\x00", "", evil, false},
		{"another name, a HelloRequest before", helloRequest + retry, "", evil, false},
		{"another name, a HelloRequest in the record", "\x16\x03\x03\x00\x52\x00\x00\x00\x00" + retry[5:], "", evil, false},
		{"another name, an empty record before", "\x16\x03\x03\x00\x00" + retry, "", evil, false},
		{"another name, change_cipher_spec before", changeCipher + retry, "", evil, false},
		{"another name, a long warning before", "\x15\x03\x03\x00\x64" + strings.Repeat("\x01", 100) + retry, "", evil, false},
		{"another name, early data before", earlyData + retry, "", evil, false},
		{"another name, a heartbeat before", "\x18\x03\x03\x00\x03\x01\x00\x00" + retry, "", evil, false},
		{"another name, another message before", "\x16\x03\x03\x00\x06\x08\x00\x00\x02\x00\x00" + retry, "", evil, false},
		{"another name, the request in tiny records", string(inRecords([]byte(retry), 1)), "", evil, false},
		{"early data", other, earlyData + earlyData, "", true},
		{"another name", retry, "", changeCipher + evil, false},
		{"another name after a warning", warning + retry, "", evil, false},
		{"another name in small records", retry, "", string(inRecords([]byte(evil), 1)), false},
		{"another name before the answer", retry, changeCipher + evil, "", false},
		{"another name after early data", retry, earlyData + strings.Repeat("\x17\x03\x03\x40\x00"+strings.Repeat("x", 16384), 3), evil, false},
		{"no name", retry, "", none, false},
		{"another message", retry, "", "\x16\x03\x03\x00\x04\x10\x00\x00\x00", false},
		{"no TLS", retry, "", "GET / HTTP/1.1\r\n\r\n", false},
	} {
		for _, port := range []string{"443", "5000"} {
			t.Run(c.name+"/"+port, func(t *testing.T) {
				w := newWorld(t, nil)
				o := w.origin("8.8.8.8:"+port, func(conn *net.TCPConn, r io.Reader) {
					io.ReadFull(r, make([]byte, len(a)))
					io.WriteString(conn, c.answer)
					io.Copy(io.Discard, r)
				})
				conn, r := w.tunnelTo("a.example:"+port, a+c.early)
				io.ReadFull(r, make([]byte, len(c.answer)))
				io.WriteString(conn, c.then)
				conn.CloseWrite()
				io.Copy(io.Discard, r)
				w.idle()
				got, ds := o.received(), w.journal.decisions()
				if c.passes {
					if got != a+c.early+c.then {
						t.Errorf("origin got %d bytes, not the %d sent", len(got), len(a+c.early+c.then))
					}
					w.wantOne(rules.Allow, rules.ReasonNone)
					return
				}
				if len(got) > len(a+strings.TrimSuffix(c.early, evil)+changeCipher+strings.TrimSuffix(c.then, evil)) || strings.Contains(got, "evil") {
					t.Errorf("origin got %q", got)
				}
				if len(ds) != 2 || !ds[0].d.Allowed() || ds[1].d.Why() != rules.MalformedRequest || ds[0].a.Flow != ds[1].a.Flow {
					t.Errorf("decisions %+v", ds)
				}
				if end := w.wantClosed(); end.Cause != rules.EndDenied(rules.MalformedRequest) {
					t.Errorf("closed with cause %q", end.Cause)
				}
			})
		}
	}
}

// On a redirected connection the record has both names.
func TestSecondHelloRedirected(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, nil)
	a, other := string(helloFor(t, "a.example")), string(helloFor(t, "b.example"))
	o := b.origin("8.8.8.8:443", func(conn *net.TCPConn, r io.Reader) {
		io.ReadFull(r, make([]byte, len(a)))
		io.WriteString(conn, serverHello(helloRetry))
		io.Copy(io.Discard, r)
	})
	conn := b.to("8.8.8.8:443")
	io.WriteString(conn, a+other) // both names are permitted, but not on one connection
	io.Copy(io.Discard, conn)
	b.idle()
	if ds := b.journal.decisions(); len(ds) != 2 || ds[1].d.Why() != rules.MalformedRequest ||
		ds[1].a.Authority.String() != "a.example" || ds[1].a.SNI.String() != "b.example" {
		t.Errorf("decisions %+v", ds)
	}
	if got := o.received(); !strings.HasPrefix(a, got) {
		t.Errorf("origin got %q", got)
	}
}

// If a rule demands nothing of the content, it also demands nothing of the bytes after the first
// ClientHello, by any front end.
func TestAnythingBehindAHelloOfAnyRule(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, nil)
	b.policy(strings.NewReplacer(`"a.example", `, "", `"8.8.8.7"]`, `"8.8.8.7", "a.example"]`).Replace(worldConfig))
	sent := string(helloFor(t, "a.example")) + "whatever" + string(helloFor(t, "evil.example"))
	o := b.origin("8.8.8.8:443", func(_ *net.TCPConn, r io.Reader) { io.Copy(io.Discard, r) })
	redirected := b.to("8.8.8.8:443")
	tunnel, _ := b.tunnelTo("a.example:443", "")
	for i, conn := range []*net.TCPConn{redirected, tunnel} {
		io.WriteString(conn, sent)
		conn.CloseWrite()
		io.Copy(io.Discard, conn)
		if got := o.received(); !strings.HasSuffix(got, sent) {
			t.Errorf("front end %d: origin got %d bytes", i, len(got))
		}
	}
}

// A real client's and a real server's HelloRetryRequest passes.
func TestRealRetry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	cert := certificate(t, "a.example")
	o := w.origin("8.8.8.8:443", func(conn *net.TCPConn, r io.Reader) {
		s := tls.Server(recordedConn{conn, r}, &tls.Config{Certificates: []tls.Certificate{cert}, CurvePreferences: []tls.CurveID{tls.CurveP384}})
		io.Copy(s, s)
		s.Close()
	})
	conn, _ := w.tunnelTo("a.example:443", "")
	c := tls.Client(conn, &tls.Config{ServerName: "a.example", InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP384}})
	go func() {
		c.Write(make([]byte, 1<<20))
		c.CloseWrite()
	}()
	if n, err := io.Copy(io.Discard, c); n != 1<<20 || err != nil {
		t.Errorf("echoed %d bytes, %v", n, err)
	}
	conn.Close()
	w.wantOne(rules.Allow, rules.ReasonNone)
	if n := strings.Count(o.received(), "a.example"); n != 2 || !c.ConnectionState().HelloRetryRequest {
		t.Errorf("%d hellos", n)
	}
}

// recordedConn reads from the recording reader.
type recordedConn struct {
	net.Conn
	r io.Reader
}

func (c recordedConn) Read(b []byte) (int, error) { return c.r.Read(b) }

// Tiny records after a ClientHello do not cost one write each.
func TestTinyRecordsPassTogether(t *testing.T) {
	w := newWorld(t, nil)
	a := string(helloFor(t, "a.example"))
	segments := make(chan int, 1)
	o := w.origin("8.8.8.8:443", func(conn *net.TCPConn, r io.Reader) {
		io.ReadFull(r, make([]byte, len(a)))
		io.WriteString(conn, serverHello(helloRetry))
		io.Copy(io.Discard, r)
		segments <- segmentsReceived(t, conn)
	})
	tiny := strings.Repeat("\x17\x03\x03\x00\x00", 100_000)
	conn, r := w.tunnelTo("a.example:443", a)
	io.ReadFull(r, make([]byte, len(serverHello(helloRetry))))
	io.WriteString(conn, tiny)
	conn.CloseWrite()
	io.Copy(io.Discard, r)
	w.idle()
	if got := o.received(); got != a+tiny {
		t.Errorf("origin got %d bytes, not %d", len(got), len(a+tiny))
	}
	if n := <-segments; n > 2000 {
		t.Errorf("%d segments for 100000 records", n)
	}
}

// A record without a ClientHello is not held until it is complete: a client could use much
// memory with many tunnels, for any time.
func TestPartOfARecordPasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := string(helloFor(t, "a.example"))
	o := w.origin("8.8.8.8:443", func(_ *net.TCPConn, r io.Reader) { io.Copy(io.Discard, r) })
	part := "\x17\x03\x03\x40\x00" + strings.Repeat("x", 1000)
	conn, _ := w.tunnelTo("a.example:443", a+part[:7])
	w.eventually("its beginning", func() bool { return o.received() == a+part[:7] })
	io.WriteString(conn, part[7:])
	w.eventually("more of it", func() bool { return o.received() == a+part })
	conn.CloseWrite()
	w.wantOne(rules.Allow, rules.ReasonNone)
}

// A second ClientHello has as much time as a first ClientHello, and less than an
// idle tunnel.
func TestSecondHelloThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits.Sniff = 200 * time.Millisecond })
	a := string(helloFor(t, "a.example"))
	o := w.origin("8.8.8.8:443", func(_ *net.TCPConn, r io.Reader) { io.Copy(io.Discard, r) })
	_, r := w.tunnelTo("a.example:443", a+changeCipher+a[:len(a)-1])
	io.Copy(io.Discard, r)
	w.idle()
	if got := o.received(); got != a+changeCipher {
		t.Errorf("origin got %q", got)
	}
	if ds := w.journal.decisions(); len(ds) != 2 || ds[1].d.Allowed() || ds[1].d.Why() != rules.SniffTimeout {
		t.Errorf("decisions %+v", ds)
	}
	if end := w.wantClosed(); end.Cause != rules.EndDenied(rules.SniffTimeout) {
		t.Errorf("closed with cause %q", end.Cause)
	}
}

// segmentsReceived returns how many segments with data the kernel has received.
func segmentsReceived(t *testing.T, conn *net.TCPConn) (n int) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Error(err)
			return
		}
		n = int(info.Data_segs_in)
	})
	return n
}
