// Authority: issues certificates for tests, and revokes them.

package proxytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"
)

// An Authority signs certificates.
type Authority struct {
	t    testing.TB
	Cert *x509.Certificate
	key  *ecdsa.PrivateKey
	last int64 // the last serial number
}

// NewAuthority returns an authority that signs itself, or that parent signs.
func NewAuthority(t testing.TB, name string, parent *Authority) *Authority {
	t.Helper()
	a := &Authority{t: t, key: newKey(t), last: 100}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(240 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte(name),
	}
	signer, key := template, a.key
	if parent != nil {
		parent.last++
		signer, key, template.SerialNumber = parent.Cert, parent.key, big.NewInt(parent.last)
	}
	a.Cert = parsed(t, template, signer, &a.key.PublicKey, key)
	return a
}

// A Subject is what a certificate is for. Zero times are an hour before and after now.
type Subject struct {
	CN, DNS, URI, IP string
	From, Until      time.Time
	Server           bool     // for servers alone, else for clients alone
	CNs              []string // more common names, behind CN
	RawURIs          []string // written octet by octet, in place of DNS, URI and IP
}

// Issue returns a certificate with its key.
func (a *Authority) Issue(s Subject) tls.Certificate {
	a.t.Helper()
	a.last++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.last), Subject: pkix.Name{CommonName: s.CN}, NotBefore: s.From, NotAfter: s.Until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if s.From.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if s.Until.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	if s.Server {
		template.ExtKeyUsage[0] = x509.ExtKeyUsageServerAuth
	}
	if s.DNS != "" {
		template.DNSNames = []string{s.DNS}
	}
	if s.IP != "" {
		template.IPAddresses = []net.IP{net.ParseIP(s.IP)}
	}
	if s.URI != "" {
		u, err := url.Parse(s.URI)
		if err != nil {
			a.t.Fatal(err)
		}
		template.URIs = []*url.URL{u}
	}
	if len(s.CNs) > 0 {
		s.CNs = append([]string{s.CN}, s.CNs...) // else ExtraNames replaces CN
	}
	for _, cn := range s.CNs {
		template.Subject.ExtraNames = append(template.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: cn})
	}
	if len(s.RawURIs) > 0 {
		template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: a.alternativeNames(s.RawURIs)}}
	}
	key := newKey(a.t)
	leaf := parsed(a.t, template, a.Cert, &key.PublicKey, a.key)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

// alternativeNames returns the value of a subjectAltName extension with URIs.
func (a *Authority) alternativeNames(uris []string) []byte {
	var list []asn1.RawValue
	for _, uri := range uris {
		list = append(list, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)})
	}
	der, err := asn1.Marshal(list)
	if err != nil {
		a.t.Fatal(err)
	}
	return der
}

// Revoke returns a revocation list with these certificates.
func (a *Authority) Revoke(from, until time.Time, certs ...*x509.Certificate) *x509.RevocationList {
	a.t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(from.Unix()), ThisUpdate: from, NextUpdate: until}
	for _, c := range certs {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: from})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.Cert, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return list
}

// PEM returns the text of a file with a key, certificates or revocation lists.
func PEM(t testing.TB, items ...any) []byte {
	t.Helper()
	var out []byte
	for _, item := range items {
		block := &pem.Block{}
		switch i := item.(type) {
		case *x509.Certificate:
			block.Type, block.Bytes = "CERTIFICATE", i.Raw
		case *x509.RevocationList:
			block.Type, block.Bytes = "X509 CRL", i.Raw
		case tls.Certificate:
			block.Type, block.Bytes = "CERTIFICATE", i.Certificate[0]
		case *ecdsa.PrivateKey:
			der, err := x509.MarshalPKCS8PrivateKey(i)
			if err != nil {
				t.Fatal(err)
			}
			block.Type, block.Bytes = "PRIVATE KEY", der
		default:
			t.Fatalf("no PEM of a %T", item)
		}
		out = append(out, pem.EncodeToMemory(block)...)
	}
	return out
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func parsed(t testing.TB, template, signer *x509.Certificate, public any, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, signer, public, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
