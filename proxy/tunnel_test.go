// Tunnel tests: what a client shows is judged before a byte of it leaves.

package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// helloFor returns a real ClientHello, "" for one without a server name.
func helloFor(t testing.TB, name string) []byte {
	t.Helper()
	var b bytes.Buffer
	c := tls.Client(captured{w: &b}, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	c.Handshake()
	if b.Len() == 0 {
		t.Fatal("no hello")
	}
	return b.Bytes()
}

// captured keeps what is written and has nothing to read.
type captured struct {
	net.Conn
	w io.Writer
}

func (c captured) Write(b []byte) (int, error) { return c.w.Write(b) }
func (c captured) Read([]byte) (int, error)    { return 0, io.EOF }

// connectTo asks for a tunnel and sends early behind the request in one write.
func (w *world) connectTo(authority, early string) (*net.TCPConn, *http.Response, *bufio.Reader) {
	w.t.Helper()
	c := w.dial(w.http)
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n%s", authority, authority, early)
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, &http.Request{Method: "CONNECT"})
	if err != nil {
		w.t.Fatal(err)
	}
	return c, resp, r
}

// tunnelTo is connectTo where 200 is expected.
func (w *world) tunnelTo(authority, early string) (*net.TCPConn, *bufio.Reader) {
	w.t.Helper()
	c, resp, r := w.connectTo(authority, early)
	if resp.StatusCode != 200 {
		w.t.Fatalf("CONNECT %s: %s", authority, resp.Status)
	}
	return c, r
}

func echo(conn *net.TCPConn, r io.Reader) { io.Copy(conn, r) }

const alert = "\x15\x03\x01\x00\x02\x02\x31"

func TestConnectIsDecidedBeforeAnythingElse(t *testing.T) {
	for _, c := range []struct {
		authority, host string
		status          int
		reason          rules.Reason
	}{
		{"evil.example:443", "", 403, rules.NotListed},
		{"a.example:22", "", 403, rules.PortNotListed},
		{"a.example.evil.example:443", "", 403, rules.NotListed},
		{"8.8.8.8:443", "", 403, rules.IPLiteral},
		{"[::1]:443", "", 403, rules.IPLiteral},
		{"a.example:443", "evil.example:443", 403, rules.HostMismatch},
		{"a.example:443", "a.example:5000", 403, rules.HostMismatch},
		{"a..example:443", "", 400, rules.MalformedName},
		{"a.example\x00.evil:443", "", 400, rules.MalformedRequest},
		{"a.example", "", 400, rules.MalformedRequest},
		{":443", "", 400, rules.MalformedRequest},
	} {
		w := newWorld(t, nil)
		conn := w.dial(w.http)
		host := c.host
		if host == "" {
			host = c.authority
		}
		// What follows a refused CONNECT is never a request.
		fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\nGET http://b.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n", c.authority, host)
		got, err := io.ReadAll(conn)
		if err != nil {
			t.Errorf("%q: %v", c.authority, err)
		}
		if !strings.HasPrefix(string(got), fmt.Sprintf("HTTP/1.1 %d ", c.status)) ||
			!strings.Contains(string(got), "X-Sallyport-Reason: "+c.reason.String()+"\r\n") ||
			!strings.Contains(string(got), "Connection: close\r\n") || strings.Count(string(got), "HTTP/1.1") != 1 {
			t.Errorf("%q: answer %q", c.authority, got)
		}
		w.wantOne(rules.Deny, c.reason)
		if len(w.dialed()) > 0 || len(w.lookedUp()) > 0 {
			t.Errorf("%q: looked up %v, dialed %v", c.authority, w.lookedUp(), w.dialed())
		}
	}
}

// On port 443 only a whole hello for the very name that was asked for leaves.
func TestConnect443(t *testing.T) {
	hello := func(name string) string { return string(helloFor(t, name)) }
	for _, c := range []struct {
		name, authority, first string
		reason                 rules.Reason
		answer                 string // after the 200; "reset" for a reset
	}{
		{"the same name", "a.example:443", hello("a.example"), rules.ReasonNone, ""},
		{"the same name in upper case", "A.Example.:443", hello("A.EXAMPLE"), rules.ReasonNone, ""},
		{"a forbidden name", "a.example:443", hello("evil.example"), rules.SNIMismatch, alert},
		{"another permitted name", "a.example:443", hello("b.example"), rules.SNIMismatch, alert},
		{"no name", "a.example:443", hello(""), rules.SNIMissing, alert},
		{"no name, to an address", "8.8.8.9:443", hello(""), rules.ReasonNone, ""},
		{"a name, to an address", "8.8.8.9:443", hello("evil.example"), rules.SNIMismatch, alert},
		{"anything where any = true", "8.8.8.7:443", "SSH-2.0-x\r\n", rules.ReasonNone, ""},
		{"SSH", "a.example:443", "SSH-2.0-OpenSSH_10.0\r\n", rules.NotTLS, "reset"},
		{"SMTP", "a.example:443", "EHLO client\r\n", rules.NotTLS, "reset"},
		{"PostgreSQL's SSLRequest", "a.example:443", "\x00\x00\x00\x08\x04\xd2\x16\x2f", rules.NotTLS, "reset"},
		{"RDP", "a.example:443", "\x03\x00\x00\x13\x0e", rules.NotTLS, "reset"},
		{"HTTP", "a.example:443", "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", rules.NotTLS, "reset"},
		{"an SSLv2 hello", "a.example:443", "\x80\x2e\x01\x00\x02", rules.NotTLS, "reset"},
		{"an alert first", "a.example:443", "\x15\x03\x01\x00\x02\x01\x00", rules.NotTLS, "reset"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			o := w.origin("8.8.8.8:443", echo)
			w.mu.Lock()
			w.origins[netip.MustParseAddrPort("8.8.8.9:443")], w.origins[netip.MustParseAddrPort("8.8.8.7:443")] = o, o
			w.mu.Unlock()
			conn, r := w.tunnelTo(c.authority, "")
			io.WriteString(conn, c.first)
			if c.reason == rules.ReasonNone {
				if _, err := io.ReadFull(r, make([]byte, len(c.first))); err != nil {
					t.Error(err)
				}
				conn.Close()
				w.wantOne(rules.Allow, rules.ReasonNone)
				if got := w.wantClosed(); got.BytesIn != uint64(len(c.first)) {
					t.Errorf("closed %+v", got)
				}
				if o.received() != c.first {
					t.Errorf("origin got %q", o.received())
				}
				return
			}
			got, err := io.ReadAll(r)
			if c.answer == "reset" {
				c.answer = ""
				if err == nil {
					t.Error("clean end, want a reset")
				}
			} else if err != nil {
				t.Errorf("alert not delivered: %v", err)
			}
			if string(got) != c.answer {
				t.Errorf("after 200: %q, want %q", got, c.answer)
			}
			w.wantOne(rules.Deny, c.reason)
			w.idle()
			if o.received() != "" || len(w.journal.closes()) > 0 {
				t.Errorf("origin got %q, closes %v", o.received(), w.journal.closes())
			}
		})
	}
}

// idle waits until the proxy serves nobody.
func (w *world) idle() {
	w.t.Helper()
	w.eventually("end of all connections", func() bool { return w.p.Stats().Connections == 0 })
}

// A hello in pieces gets the verdict of the whole.
func TestHelloInPieces(t *testing.T) {
	for _, name := range []string{"a.example", "evil.example"} {
		hello := helloFor(t, name)
		for what, pieces := range map[string][][]byte{
			"a byte a segment":           split(hello, 1),
			"one byte left out":          {hello[:len(hello)-1], hello[len(hello)-1:]},
			"a byte a record":            {inRecords(hello, 1)},
			"records of ten":             {inRecords(hello, 10)},
			"segments across records":    split(inRecords(hello, 100), 77),
			"all but one byte in record": {inRecords(hello, len(hello)-6)},
		} {
			w := newWorld(t, func(c *Config) { c.Limits.Sniff = 10 * time.Second })
			o := w.origin("8.8.8.8:443", nil)
			conn, r := w.tunnelTo("a.example:443", "")
			sent := bytes.Join(pieces, nil)
			for _, b := range pieces {
				conn.Write(b)
			}
			conn.CloseWrite()
			got, _ := io.ReadAll(r)
			if name == "a.example" {
				w.wantOne(rules.Allow, rules.ReasonNone)
				w.idle()
				if o.received() != string(sent) {
					t.Errorf("%s: origin got %d of %d bytes", what, len(o.received()), len(sent))
				}
				continue
			}
			w.wantOne(rules.Deny, rules.SNIMismatch)
			if string(got) != alert || o.received() != "" {
				t.Errorf("%s: client got %q, origin %q", what, got, o.received())
			}
		}
	}
}

func split(b []byte, n int) (pieces [][]byte) {
	for len(b) > n {
		pieces, b = append(pieces, b[:n]), b[n:]
	}
	return append(pieces, b)
}

// inRecords puts the handshake message of a hello into records of n bytes.
func inRecords(hello []byte, n int) (out []byte) {
	for _, b := range split(hello[5:], n) {
		out = append(out, 22, 3, 1, byte(len(b)>>8), byte(len(b)))
		out = append(out, b...)
	}
	return out
}

// Bytes right behind CONNECT reach an allowed tunnel once, and are thrown away
// behind a refused one.
func TestEarlyBytes(t *testing.T) {
	hello := string(helloFor(t, "a.example"))
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:443", echo)
	conn, r := w.tunnelTo("a.example:443", hello)
	if _, err := io.ReadFull(r, make([]byte, len(hello))); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	w.idle()
	if o.received() != hello {
		t.Errorf("origin got %q", o.received())
	}
	w.wantOne(rules.Allow, rules.ReasonNone)
}

// What a refused client has sent meanwhile must not destroy the answer.
func TestRefusalIsDelivered(t *testing.T) {
	w := newWorld(t, nil)
	w.origin("8.8.8.8:443", nil)
	more := strings.Repeat("x", 100<<10)
	_, r := w.tunnelTo("a.example:443", string(helloFor(t, "evil.example"))+more)
	if got, err := io.ReadAll(r); string(got) != alert || err != nil {
		t.Errorf("alert: got %q, %v", got, err)
	}
	_, resp, r := w.connectTo("evil.example:443", more)
	if _, err := io.ReadAll(r); resp.StatusCode != 403 || err != nil {
		t.Errorf("page: %s, %v", resp.Status, err)
	}
}

// One deadline spans the first message, and it is absolute.
func TestSniffDeadline(t *testing.T) {
	hello := helloFor(t, "a.example")
	for _, c := range []struct {
		name, authority string
		drip            []byte
		leave           bool
		reason          rules.Reason
	}{
		{"nothing on 443", "a.example:443", nil, false, rules.SniffTimeout},
		{"nothing on 80", "a.example:80", nil, false, rules.SniffTimeout},
		{"a dripping hello", "a.example:443", hello[:len(hello)-1], false, rules.SniffTimeout},
		{"a partial hello on 5000", "a.example:5000", hello[:1], false, rules.SniffTimeout},
		{"a partial request line on 5000", "a.example:5000", []byte("GET /"), false, rules.SniffTimeout},
		{"gone without a byte", "a.example:443", nil, true, rules.SniffTimeout},
		{"gone within the hello", "a.example:443", hello[:9], true, rules.MalformedRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			a, _ := netip.ParseAddrPort("8.8.8.8:" + c.authority[strings.LastIndexByte(c.authority, ':')+1:])
			o := w.origin(a.String(), nil)
			conn, r := w.tunnelTo(c.authority, "")
			start := time.Now()
			if c.leave {
				conn.Write(c.drip)
				conn.CloseWrite()
			} else {
				go func() {
					for _, b := range c.drip {
						if _, err := conn.Write([]byte{b}); err != nil {
							return
						}
						time.Sleep(20 * time.Millisecond) // an attacker's pace
					}
				}()
			}
			io.Copy(io.Discard, r)
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("took %v", took)
			}
			w.wantOne(rules.Deny, c.reason)
			w.idle()
			if o.received() != "" {
				t.Errorf("origin got %q", o.received())
			}
		})
	}
}

// On other ports the server may speak first, and what the client says is
// judged all the same.
func TestServerSpeaksFirst(t *testing.T) {
	greet := func(conn *net.TCPConn, r io.Reader) {
		io.WriteString(conn, "220 hello\r\n")
		io.Copy(conn, r)
	}
	hello := string(helloFor(t, "evil.example"))
	for _, c := range []struct {
		name, first string
		reason      rules.Reason
		shown       rules.Shown
	}{
		{"text", "EHLO client\r\n", rules.ReasonNone, rules.ShownOpaque},
		{"binary", "\x00\x01\x02", rules.ReasonNone, rules.ShownOpaque},
		{"hello for another name", hello, rules.SNIMismatch, rules.ShownTLS},
		{"such a hello in records of version 2.0", "\x16\x02\x00" + hello[3:], rules.MalformedRequest, rules.Unseen},
		{"such a request behind an empty line", "\r\nGET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", rules.MalformedRequest, rules.ShownHTTP},
		{"such a request with bare line feeds", "GET / HTTP/1.1\nHost: evil.example\n\n", rules.MalformedRequest, rules.ShownHTTP},
		{"request for another host", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", rules.HostMismatch, rules.ShownHTTP},
		{"request for this host", "GET / HTTP/1.1\r\nHost: a.example:5000\r\n\r\n", rules.ReasonNone, rules.ShownHTTP},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			o := w.origin("8.8.8.8:5000", greet)
			conn, r := w.tunnelTo("a.example:5000", "")
			if _, err := io.ReadFull(r, make([]byte, 11)); err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, c.first)
			if c.reason == rules.ReasonNone {
				if _, err := io.ReadFull(r, make([]byte, len(c.first))); err != nil {
					t.Error(err)
				}
				if got := w.wantOne(rules.Allow, c.reason); got.a.Shown != c.shown {
					t.Errorf("shown %v", got.a.Shown)
				}
				conn.CloseWrite()
				io.Copy(io.Discard, r)
				if got := w.wantClosed(); got.Cause != "" {
					t.Errorf("cause %q", got.Cause)
				}
				return
			}
			io.Copy(io.Discard, r)
			w.wantOne(rules.Deny, c.reason)
			w.idle()
			if o.received() != "" {
				t.Errorf("origin got %q", o.received())
			}
		})
	}
}

// A client that only listens is one allowed flow with one decision.
func TestSilentClient(t *testing.T) {
	w := newWorld(t, nil)
	w.origin("8.8.8.8:5000", func(conn *net.TCPConn, r io.Reader) {
		io.WriteString(conn, "news")
		io.Copy(io.Discard, r)
		io.WriteString(conn, ", and more")
	})
	conn, r := w.tunnelTo("a.example:5000", "")
	io.ReadFull(r, make([]byte, 4))
	conn.CloseWrite()
	if got, err := io.ReadAll(r); string(got) != ", and more" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got := w.wantOne(rules.Allow, rules.ReasonNone); got.a.Shown != rules.ShownSilent {
		t.Errorf("shown %v", got.a.Shown)
	}
	if got := w.wantClosed(); got.BytesOut != 14 || got.Cause != "" {
		t.Errorf("closed %+v", got)
	}
}

// HTTP inside a tunnel is decided request by request.
func TestRequestsInsideTunnel(t *testing.T) {
	for _, port := range []string{"80", "5000"} {
		w := newWorld(t, nil)
		o := w.origin("8.8.8.8:"+port, func(conn *net.TCPConn, r io.Reader) {
			br := bufio.NewReader(r)
			for {
				if _, err := http.ReadRequest(br); err != nil {
					return
				}
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		})
		host := "a.example"
		if port != "80" {
			host += ":" + port
		}
		conn, r := w.tunnelTo("a.example:"+port, "")
		fmt.Fprintf(conn, "GET /1 HTTP/1.1\r\nHost: %s\r\n\r\n", host)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("port %s: %v, %v", port, resp, err)
		}
		io.Copy(io.Discard, resp.Body)
		fmt.Fprintf(conn, "GET /2 HTTP/1.1\r\nHost: evil.example\r\n\r\n")
		resp, err = http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != 403 || resp.Header.Get("X-Sallyport-Reason") != "host_mismatch" {
			t.Fatalf("port %s: %v, %v", port, resp, err)
		}
		w.idle()
		ds := w.journal.decisions()
		if len(ds) != 2 || !ds[0].d.Allowed() || ds[1].d.Why() != rules.HostMismatch {
			t.Errorf("port %s: decisions %+v", port, ds)
		}
		if strings.Contains(o.received(), "evil") || !strings.Contains(o.received(), "GET /1 ") {
			t.Errorf("port %s: origin got %q", port, o.received())
		}
	}
}

func TestPort80IsHTTPOnly(t *testing.T) {
	for _, first := range []string{string(helloFor(t, "a.example")), "SSH-2.0-x\r\n", "\x00\x01"} {
		w := newWorld(t, nil)
		o := w.origin("8.8.8.8:80", nil)
		conn, r := w.tunnelTo("a.example:80", "")
		io.WriteString(conn, first)
		io.Copy(io.Discard, r)
		w.wantOne(rules.Deny, rules.NotHTTP)
		w.idle()
		if o.received() != "" {
			t.Errorf("origin got %q", o.received())
		}
	}
}

// The name is permitted, where it leads is not: no connection is made.
func TestAddressesThatAreNotReached(t *testing.T) {
	w := newWorld(t, nil)
	_, resp, _ := w.connectTo("inside.example:443", "")
	if resp.StatusCode != 403 || resp.Header.Get("X-Sallyport-Reason") != "private_address" {
		t.Errorf("%s %s", resp.Status, resp.Header)
	}
	w.wantOne(rules.Deny, rules.PrivateAddress)
	if len(w.dialed()) > 0 {
		t.Errorf("dialed %v", w.dialed())
	}

	w = newWorld(t, nil)
	w.origin("8.8.8.8:443", nil)
	w.tunnelTo("mixed.example:443", "")
	if got := w.dialed(); len(got) != 1 || got[0].String() != "8.8.8.8:443" {
		t.Errorf("dialed %v", got)
	}
}

// Nothing of our own is a destination, whatever the rules say.
func TestOwnListenersAreNoDestination(t *testing.T) {
	w := newWorld(t, nil)
	w.policy(`
[resolve]
private = ["127.0.0.0/8"]
[[client]]
name    = "lab"
sources = ["127.0.0.0/8"]
profiles = []
[[rule]]
id     = "all"
client = "lab"
to     = ["127.0.0.0/8", "inside.example"]
tcp    = "all"
reason = "test"
`)
	for _, to := range []string{w.http.String(), w.socks.String(), "127.0.0.1:9180",
		fmt.Sprintf("inside.example:%d", w.http.Port())} {
		_, resp, _ := w.connectTo(to, "")
		if resp.StatusCode != 403 || resp.Header.Get("X-Sallyport-Reason") != "self" && !strings.HasPrefix(to, "inside") {
			t.Errorf("%s: %s %v", to, resp.Status, resp.Header)
		}
	}
	if len(w.dialed()) > 0 {
		t.Errorf("dialed %v", w.dialed())
	}
}

func TestUpstreamFailuresAreHonest(t *testing.T) {
	w := newWorld(t, nil)
	_, resp, r := w.connectTo("gone.example:443", "")
	if body, _ := io.ReadAll(r); resp.StatusCode != 502 || !strings.Contains(string(body), "refused") {
		t.Errorf("%s %q", resp.Status, body)
	}
	if c := w.wantClosed(); c.Cause != "dial: refused" || c.Dialed.IsValid() && c.Dialed.Addr().IsValid() {
		t.Errorf("closed %+v", c)
	}

	w = newWorld(t, func(c *Config) {
		c.Limits.Dial = 50 * time.Millisecond
		c.Connect = func(ctx context.Context, _ netip.AddrPort) (*net.TCPConn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	_, resp, _ = w.connectTo("a.example:443", "")
	if resp.StatusCode != 504 {
		t.Error(resp.Status)
	}

	w = newWorld(t, func(c *Config) {
		c.Lookup = func(context.Context, rules.Name) ([]netip.Addr, error) { return nil, errors.New("SERVFAIL") }
	})
	_, resp, _ = w.connectTo("a.example:443", "")
	if resp.StatusCode != 502 {
		t.Error(resp.Status)
	}
}

// A whole TLS session, checked from end to end.
func TestTLSThroughTunnel(t *testing.T) {
	w := newWorld(t, nil)
	cert := certificate(t, "a.example")
	w.origin("8.8.8.8:443", func(conn *net.TCPConn, _ io.Reader) {
		s := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
		io.Copy(s, s)
		s.Close()
	})
	pool := x509.NewCertPool()
	pool.AddCert(cert.Leaf)
	conn, _ := w.tunnelTo("a.example:443", "")
	c := tls.Client(conn, &tls.Config{ServerName: "a.example", RootCAs: pool})
	go func() {
		c.Write(make([]byte, 3<<20))
		c.CloseWrite()
	}()
	if n, err := io.Copy(io.Discard, c); n != 3<<20 || err != nil {
		t.Errorf("echoed %d bytes, %v", n, err)
	}
	conn.Close()
	w.wantOne(rules.Allow, rules.ReasonNone)
	if got := w.wantClosed(); got.Dialed.String() != "8.8.8.8:443" || got.Attempt.SNI.String() != "a.example" {
		t.Errorf("closed %+v", got)
	}
}

func certificate(t testing.TB, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
