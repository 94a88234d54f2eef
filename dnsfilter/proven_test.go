// Proven upstreams of the tests: certificates, and servers of DNS over TLS and HTTPS.

package dnsfilter

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// certifier signs certificates. Its dates are those of the harness's clock.
type certifier struct {
	t     *testing.T
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate
	roots *x509.CertPool
}

func newCertifier(t *testing.T) *certifier {
	t.Helper()
	c := &certifier{t: t, roots: x509.NewCertPool()}
	made := c.make(func(x *x509.Certificate) { x.IsCA, x.Subject.CommonName = true, "authority of the test" })
	c.key, c.cert = made.PrivateKey.(*ecdsa.PrivateKey), made.Leaf
	c.roots.AddCert(made.Leaf)
	return c
}

// make returns a certificate for dns.test and 127.0.0.1, with changes. The first one
// signs itself.
func (c *certifier) make(change func(*x509.Certificate)) tls.Certificate {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	at := time.Unix(1e9, 0)
	x := &x509.Certificate{
		SerialNumber: big.NewInt(at.Unix()), Subject: pkix.Name{CommonName: "server"}, DNSNames: []string{"dns.test"}, IPAddresses: []net.IP{{127, 0, 0, 1}},
		NotBefore: at.Add(-time.Hour), NotAfter: at.Add(1000 * time.Hour), BasicConstraintsValid: true,
	}
	if change != nil {
		change(x)
	}
	by, signer := c.cert, c.key
	if by == nil || x.Subject.CommonName == "self" {
		by, signer = x, key
	}
	der, err := x509.CreateCertificate(rand.Reader, x, by, &key.PublicKey, signer)
	if err != nil {
		c.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		c.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// dotServer is a server of DNS over TLS. Each connection runs a function of the test.
type dotServer struct {
	addr  netip.AddrPort
	conns atomic.Int32 // accepted
	names sync.Map     // server names of the handshakes
}

// serveDoT starts a server that runs serve for each connection. A nil config means no TLS.
func serveDoT(t *testing.T, config *tls.Config, serve func(net.Conn)) *dotServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dotServer{addr: netip.MustParseAddrPort(ln.Addr().String())}
	var mu sync.Mutex
	var open []net.Conn
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			running.Go(func() {
				defer conn.Close()
				if config == nil {
					serve(conn)
					return
				}
				c := tls.Server(conn, config)
				if c.Handshake() == nil {
					s.names.Store(c.ConnectionState().ServerName, true)
					serve(c)
				}
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return s
}

// tlsOf returns the settings of a server with one certificate.
func tlsOf(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

// readQuery reads one framed question.
func readQuery(c net.Conn) (*dns.Msg, []byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, nil, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, buf); err != nil {
		return nil, nil, err
	}
	m := new(dns.Msg)
	return m, buf, m.Unpack(buf)
}

// framedMsg returns a packed message with its length.
func framedMsg(m *dns.Msg) []byte {
	wire, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...)
}

// answering answers every question from a zone, after change.
func answering(zone *authority, change func(*dns.Msg)) func(net.Conn) {
	return func(c net.Conn) {
		for {
			q, _, err := readQuery(c)
			if err != nil {
				return
			}
			r := zone.reply(q)
			if change != nil {
				change(r)
			}
			if _, err := c.Write(framedMsg(r)); err != nil {
				return
			}
		}
	}
}

// serveDoH starts a server of DNS over HTTPS at /dns-query, and at a path that is a secret.
func serveDoH(t *testing.T, cert tls.Certificate, h http.HandlerFunc) netip.AddrPort {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/dns-query", h)
	mux.HandleFunc("/hunter2/q", h)
	s := httptest.NewUnstartedServer(mux)
	s.EnableHTTP2, s.TLS = true, tlsOf(cert)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

// answeringHTTP answers every question from a zone, after change.
func answeringHTTP(zone *authority, change func(*dns.Msg, http.Header)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		q := new(dns.Msg)
		if err != nil || q.Unpack(body) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		m := zone.reply(q)
		w.Header().Set("Content-Type", mediaType)
		if change != nil {
			change(m, w.Header())
		}
		wire, err := m.Pack()
		if err != nil {
			panic(err)
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(wire)))
		w.Write(wire)
	}
}

// upstreamOf parses an upstream of the given form; %s is its address.
func upstreamOf(t *testing.T, text string) rules.Upstream {
	t.Helper()
	u, err := rules.ParseUpstream(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// provenHarness makes a filter with one upstream and the certifier's roots.
func provenHarness(t *testing.T, c *certifier, text string, names ...string) *harness {
	t.Helper()
	return newHarness(t, func(s *setup) {
		s.Upstreams, s.Roots = []rules.Upstream{upstreamOf(t, text)}, c.roots
		s.Timeout, s.TryTimeout = 20*time.Second, 300*time.Millisecond
	}, names...)
}
