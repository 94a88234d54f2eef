// Tests of an https parent: its certificate is checked, and the tunnel runs inside TLS.

package proxy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
	"sallyport/rules/site"
)

// pemFiles is a disk with PEM files, and the login.
type pemFiles map[string][]byte

func (f pemFiles) Read(path string, _ int) ([]byte, error) { return f[path], nil }
func (pemFiles) List(string, string) ([]string, error)     { return nil, nil }

// identity returns a certificate that signs itself, for these hosts, and both in PEM form.
func identity(t *testing.T, until time.Time, hosts ...string) (tls.Certificate, []byte, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})
}

// secureWorld is a world whose parent speaks TLS with a certificate, and trusts what files has as
// ca.
func secureWorld(t *testing.T, keys string, files pemFiles, cfg *tls.Config, serve func(net.Conn, io.Reader)) (*world, *lockedBuffer) {
	w := newWorld(t, nil)
	text := "[[parent]]\nname = \"corporate\"\nurl = \"https://" + parentAt + "\"\nca = \"ca\"\n" + keys
	c, problems := site.Parse("test.toml", site.Disk{Files: files}, []byte(text+worldConfig), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, w.own, time.Now())
	w.live.Swap(&rules.Generation{Policy: p})
	got := &lockedBuffer{}
	w.origin(parentAt, func(conn *net.TCPConn, r io.Reader) {
		s := tls.Server(conn, cfg)
		defer s.Close()
		serve(s, io.TeeReader(s, got))
	})
	return w, got
}

// A lockedBuffer is what the parent read inside TLS.
type lockedBuffer struct{ o origin }

func (b *lockedBuffer) Write(p []byte) (int, error) { return b.o.Write(p) }
func (b *lockedBuffer) String() string              { return b.o.received() }

// tunnelling reads one head, accepts and echoes; more follows the answer in the same record.
func tunnelling(more string) func(net.Conn, io.Reader) {
	return func(c net.Conn, r io.Reader) {
		var head []byte
		for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
			one := make([]byte, 1)
			if _, err := io.ReadFull(r, one); err != nil {
				return
			}
			head = append(head, one...)
		}
		io.WriteString(c, accepted+more)
		io.Copy(c, r)
	}
}

func TestSecureParent(t *testing.T) {
	t.Parallel()
	certificate, ca, _ := identity(t, time.Now().Add(time.Hour), "10.9.9.9")
	w, got := secureWorld(t, "", pemFiles{"ca": ca}, &tls.Config{Certificates: []tls.Certificate{certificate}}, tunnelling("220 hello\r\n"))
	conn, r := w.tunnelTo("a.example:5000", "")
	if line, err := r.ReadString('\n'); line != "220 hello\r\n" {
		t.Fatalf("behind the answer: %q, %v", line, err)
	}
	// Much in both directions, and the half-close at the end.
	sent := bytes.Repeat([]byte("opaque\x00bytes"), 300_000)
	go func() {
		conn.Write(sent)
		conn.CloseWrite()
	}()
	back, err := io.ReadAll(r)
	if !bytes.Equal(back, sent) || err != nil {
		t.Errorf("%d bytes came back of %d, %v", len(back), len(sent), err)
	}
	if !strings.HasPrefix(got.String(), "CONNECT 8.8.8.8:5000 HTTP/1.1\r\n") {
		t.Errorf("the parent got %.60q", got)
	}
	end := w.wantClosed()
	if end.Cause != rules.EndClean || end.BytesIn != uint64(len(sent)) || end.Attempt.DialedBy() != "address" {
		t.Errorf("end %v, %d bytes in, by %q", end.Cause, end.BytesIn, end.Attempt.DialedBy())
	}
}

// Requests in absolute-form and in a tunnel go through TLS too.
func TestSecureParentRequests(t *testing.T) {
	t.Parallel()
	certificate, ca, _ := identity(t, time.Now().Add(time.Hour), "10.9.9.9")
	w, got := secureWorld(t, "", pemFiles{"ca": ca}, &tls.Config{Certificates: []tls.Certificate{certificate}}, func(c net.Conn, r io.Reader) {
		buf := make([]byte, 4096)
		for {
			if _, err := r.Read(buf); err != nil {
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
		}
	})
	resp, body := w.get("GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n")
	if resp.StatusCode != 200 || body != "hello" || !strings.HasPrefix(got.String(), "GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n") {
		t.Errorf("%s %q, the parent got %q", resp.Status, body, got)
	}
}

func TestSecureParentFaults(t *testing.T) {
	t.Parallel()
	good, ca, _ := identity(t, time.Now().Add(time.Hour), "10.9.9.9")
	other, otherCA, _ := identity(t, time.Now().Add(time.Hour), "10.9.9.7", "proxy.corp.example")
	old, oldCA, _ := identity(t, time.Now().Add(-time.Hour), "10.9.9.9")
	mine, mineChain, mineKey := identity(t, time.Now().Add(time.Hour), "sallyport")
	_ = mine
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(mineChain)
	hint := "The parent proxy corporate makes no TLS connection that sallyport trusts: see the log; correct ca, cert and key of its [[parent]], or the proxy's certificate."
	for _, c := range []struct {
		what, keys string
		files      pemFiles
		cfg        *tls.Config
		status     int
		fault      string
		hint       string
	}{
		{"an unknown authority", "", pemFiles{"ca": otherCA}, &tls.Config{Certificates: []tls.Certificate{good}}, 502, "parent_tls", hint},
		{"another name", "", pemFiles{"ca": otherCA}, &tls.Config{Certificates: []tls.Certificate{other}}, 502, "parent_tls", hint},
		{"an expired certificate", "", pemFiles{"ca": oldCA}, &tls.Config{Certificates: []tls.Certificate{old}}, 502, "parent_tls", hint},
		{"an old version", "", pemFiles{"ca": ca}, &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, 502, "parent_tls", hint},
		{"no client certificate", "", pemFiles{"ca": ca}, &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted}, 502, "parent_tls", "The parent proxy corporate wants a client certificate: set cert and key of its [[parent]]."},
		{"the client certificate", "cert = \"cert\"\nkey = \"key\"\n", pemFiles{"ca": ca, "cert": mineChain, "key": mineKey},
			&tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted}, 200, "", ""},
	} {
		w, got := secureWorld(t, c.keys, c.files, c.cfg, tunnelling(""))
		if c.fault == "" {
			conn, _ := w.tunnelTo("a.example:443", "")
			conn.Close()
			continue
		}
		status, fault, why := w.refused("a.example:443")
		if status != c.status || fault != c.fault || why != c.hint {
			t.Errorf("%s: %d %s %s", c.what, status, fault, why)
		}
		if got.String() != "" {
			t.Errorf("%s: the parent got %q", c.what, got)
		}
	}

	w := newWorld(t, func(c *Config) { c.Limits.Dial = 500 * time.Millisecond }) // no TLS at all
	w.parented(strings.ReplaceAll(parentKeys, "http://", "https://"))
	w.origin(parentAt, saying("HTTP/1.1 400 Bad Request\r\n\r\n"))
	if _, fault, _ := w.refused("a.example:443"); fault != "parent_tls" && fault != "parent_timeout" {
		t.Errorf("no TLS: %s", fault)
	}
}
