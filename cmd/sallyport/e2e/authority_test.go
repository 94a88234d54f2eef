//go:build linux

// Authority: a certificate authority for the tests. It signs a leaf certificate for
// each name or address that a client asks for.

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// authority signs leaf certificates and keeps them.
type authority struct {
	file string // the root certificate, PEM, for clients
	pool *x509.CertPool
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	mu   sync.Mutex
	leaf map[string]*tls.Certificate
}

// newAuthority makes a root and writes its certificate to dir.
func newAuthority(t *testing.T, dir string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sallyport end-to-end test root"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{
		file: filepath.Join(dir, "ca.pem"), pool: x509.NewCertPool(), root: root, key: key,
		leaf: make(map[string]*tls.Certificate),
	}
	a.pool.AddCert(root)
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return a
}

// forHello returns a leaf certificate for the name in the ClientHello.
func (a *authority) forHello(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := wanted(h)
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leaf[name]; c != nil {
		return c, nil
	}
	c, err := a.issue(name, -time.Hour, 24*time.Hour)
	if err == nil {
		a.leaf[name] = c
	}
	return c, err
}

// wanted returns the name in the ClientHello or, if it has none, the address that the
// client connected to.
func wanted(h *tls.ClientHelloInfo) string {
	if h.ServerName != "" {
		return h.ServerName
	}
	return h.Conn.LocalAddr().(*net.TCPAddr).IP.String()
}

// issue signs a leaf whose validity begins at an offset from now. Without an
// authority (nil) the leaf signs itself.
func (a *authority) issue(name string, from, to time.Duration) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "origin " + name},
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		leaf.IPAddresses = []net.IP{ip}
	} else {
		leaf.DNSNames = []string{name}
	}
	parent, signer := leaf, key
	if a != nil {
		parent, signer = a.root, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
