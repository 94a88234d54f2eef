// Tunnel tests: a client's first bytes are judged before one of them is sent on.

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

// helloFor returns a real ClientHello; "": without a server name.
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

func (c captured) Read([]byte) (int, error) { return 0, io.EOF }

// connectTo asks for a tunnel and sends early after the request in one write.
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
	t.Parallel()
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
		{"evil.example:443", "a.example:443", 403, rules.NotListed},
		{"a.example:443", "a.example:443\r\nHost: a.example:443", 400, rules.MalformedRequest},
		{"a.example:443", "a.example/x", 400, rules.MalformedRequest},
		{"a.example:443", "u@a.example", 400, rules.MalformedRequest},
		{"a.example:443", "a..example", 400, rules.MalformedName},
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
		// Bytes after a refused CONNECT are never a request.
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

// idle waits until the proxy has no open connections.
func (w *world) idle() {
	w.t.Helper()
	w.eventually("end of all connections", func() bool { return w.p.Stats().Connections == 0 })
}

// The name is permitted, its addresses are not: nothing is connected.
func TestAddressesThatAreNotReached(t *testing.T) {
	t.Parallel()
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

// None of the proxy's own listeners is a destination, whatever the rules say.
func TestOwnListenersAreNoDestination(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	w := newWorld(t, nil)
	_, resp, r := w.connectTo("gone.example:443", "")
	if body, _ := io.ReadAll(r); resp.StatusCode != 502 || !strings.Contains(string(body), "refused") {
		t.Errorf("%s %q", resp.Status, body)
	}
	if c := w.wantClosed(); c.Cause != rules.DialRefused || c.Dialed.IsValid() && c.Dialed.Addr().IsValid() {
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
		c.Lookup = func(context.Context, *rules.Generation, rules.Name) ([]netip.Addr, error) {
			return nil, errors.New("SERVFAIL")
		}
	})
	_, resp, _ = w.connectTo("a.example:443", "")
	if resp.StatusCode != 502 {
		t.Error(resp.Status)
	}
}

// A whole TLS session, verified from end to end.
func TestTLSThroughTunnel(t *testing.T) {
	t.Parallel()
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
