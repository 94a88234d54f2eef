// Tests of TLS: the problem of a certificate, and of a failed handshake.

package preflight

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// noon is the time at which the tests judge all certificates.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// An issuer signs certificates.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue signs a certificate for a name or an address. If the issuer is nil, the
// certificate is self-signed. If name is empty, it is an authority.
func (i *issuer) issue(t *testing.T, subject string, from, to time.Duration, name string) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: subject}, NotBefore: noon.Add(from), NotAfter: noon.Add(to),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if name == "" {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	} else if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	parent, signer := c, key
	if i != nil {
		parent, signer = i.cert, i.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{cert, key}
}

func TestJudgeChain(t *testing.T) {
	const h, year = time.Hour, 365 * 24 * time.Hour
	root := (*issuer)(nil).issue(t, "root", -10*year, 10*year, "")
	mid := root.issue(t, "intermediate", -year, year, "")
	stale := root.issue(t, "stale intermediate", -2*year, -h, "")
	inspector := (*issuer)(nil).issue(t, "Proxy CA", -year, year, "")
	roots := x509.NewCertPool()
	roots.AddCert(root.cert)
	for _, c := range []struct {
		name    string
		by      *issuer
		from    time.Duration
		to      time.Duration
		subject string
		host    string
		omits   bool // the server does not send the intermediate
		roots   *x509.CertPool
		problem Problem
		detail  string
	}{
		{"good", mid, -h, h, "a.example", "a.example", false, roots, None, ""},
		{"good address", root, -h, h, "198.51.100.7", "198.51.100.7", false, roots, None, ""},
		{"good IPv6 address", root, -h, h, "2001:db8::7", "2001:db8::7", false, roots, None, ""},
		{"expired", mid, -2 * h, -h, "a.example", "a.example", false, roots, CertExpired, "expired on 2026-06-01 11:00:00"},
		{"not yet valid", mid, h, 2 * h, "a.example", "a.example", false, roots, CertEarly, "not valid before 2026-06-01 13:00:00"},
		{"wrong name", mid, -h, h, "b.example", "a.example", false, roots, CertWrongName, "for b.example, not for a.example"},
		{"name for an address", mid, -h, h, "b.example", "198.51.100.7", false, roots, CertWrongName, "for b.example"},
		{"TLS inspection", inspector, -h, h, "a.example", "a.example", false, roots, CertUnknown, "issued by CN=Proxy CA"},
		{"intermediate missing", mid, -h, h, "a.example", "a.example", true, roots, CertUnknown, "issued by CN=intermediate"},
		{"self-signed", nil, -h, h, "a.example", "a.example", false, roots, CertSelf, "self-signed: "},
		{"stale intermediate", stale, -h, h, "a.example", "a.example", false, roots, CertExpired, "stale intermediate"},
		{"several problems at once", inspector, -2 * h, -h, "b.example", "a.example", false, roots, CertUnknown, "which this host does not trust; the certificate is for b.example, not for a.example; expired on"},
		{"no authorities", mid, -h, h, "a.example", "a.example", false, nil, CertUnchecked, "no certificate authorities"},
		{"no authorities, wrong name", mid, -h, h, "b.example", "a.example", false, nil, CertUnchecked, "not for a.example"},
	} {
		chain := []*x509.Certificate{c.by.issue(t, c.subject, c.from, c.to, c.subject).cert}
		if c.by != nil && c.by != root && !c.omits {
			chain = append(chain, c.by.cert)
		}
		problem, detail := judgeChain(chain, c.host, c.roots, noon)
		if problem != c.problem || !strings.Contains(detail, c.detail) || (problem == None) != (detail == "") {
			t.Errorf("%s: %s, %q; want %s, %q", c.name, problem, detail, c.problem, c.detail)
		}
	}
}

func TestTLSProblem(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Problem
	}{
		{io.EOF, TLSClosed}, {fmt.Errorf("x: %w", io.ErrUnexpectedEOF), TLSClosed},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, TLSReset},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, TLSTimedOut},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: unrecognized name")}, TLSAlert},
		{tls.RecordHeaderError{RecordHeader: [5]byte{'H', 'T', 'T', 'P', '/'}}, NotTLS},
		{errors.New("tls: server selected unsupported protocol version"), TLSAlert},
	} {
		if p, detail := tlsProblem(c.err); p != c.want || detail == "" {
			t.Errorf("%v: %s %q, want %s", c.err, p, detail, c.want)
		}
	}
}
