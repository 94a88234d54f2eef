// Listen, TLS: the files of [listen] https: the server's certificate and key, the authorities of the
// clients' certificates, and the lists of those that are revoked.

package site

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"

	"sallyport/rules/tomldoc"
)

// maxRevoked is the size limit of client_crl.
const maxRevoked = 64 << 20

// Secure is what the listener with TLS works with.
type Secure struct {
	Certificate tls.Certificate
	Authorities []*x509.Certificate    // of the clients' certificates; none: clients are not asked for certificates
	Revoked     []*x509.RevocationList // each signed by one of Authorities; nil: without client_crl
	Unread      []error                // files that only another user may read: sallyport cannot start as this user

	lines map[string]int
	paths map[string]string
}

// secureKeys are the keys that belong to https.
var secureKeys = [...]string{"tls_cert", "tls_key", "client_ca", "client_crl"}

// readSecure reads the files of https. It reads them even if https has no address, so that each
// mistake is reported.
func (c *Config) readSecure(t *tomldoc.Table, disk Disk) {
	s := &Secure{lines: map[string]int{}, paths: map[string]string{}}
	data := map[string][]byte{}
	for _, key := range secureKeys {
		name := t.Str(key)
		s.lines[key] = t.Line(key)
		if name == "" {
			continue
		}
		if t.Lacks("https") {
			t.Errorf(key, "belongs to https, which lists no address: set https, like [\"127.0.0.1:3131\"], or remove the key")
		}
		limit := mostPEM
		if key == "client_crl" {
			limit = maxRevoked
		}
		path, text, err := c.read(disk, Input{Key: "[listen] " + key, Line: t.Line(key), Path: name, Secret: key == "tls_key"}, limit)
		s.paths[key] = path
		switch {
		case errors.Is(err, fs.ErrPermission):
			s.Unread = append(s.Unread, fmt.Errorf("%s:%d: [listen] %s: %s: %w", t.Doc.File(), t.Line(key), key, path, err))
			t.Doc.WarnToServe(t.Line(key), "%s: %s: %v; sallyport cannot start as this user", key, path, err)
		case err != nil:
			t.Errorf(key, "%s: %v", path, err)
		default:
			data[key] = text
		}
	}
	c.asksCertificates = s.paths["client_ca"] != ""
	s.readPair(t, data["tls_cert"], data["tls_key"])
	s.readAuthorities(t, data["client_ca"])
	s.readRevoked(t, data["client_crl"])
	if len(c.Listen.HTTPS) == 0 {
		return
	}
	c.Secure = s
	for _, key := range secureKeys[:2] {
		if s.paths[key] == "" {
			t.Doc.Errorf(t.Line("https"), "https: set tls_cert and tls_key beside it, the PEM files of the certificate and its key: %s is missing", key)
		}
	}
	if s.paths["client_crl"] != "" && s.paths["client_ca"] == "" {
		t.Errorf("client_crl", "needs client_ca: a revocation list counts only if an authority of client_ca has signed it")
	}
}

// readPair parses the server's certificate and key.
func (s *Secure) readPair(t *tomldoc.Table, cert, key []byte) {
	if cert == nil || key == nil {
		return
	}
	pair, fault := ParsePair(s.paths["tls_cert"], s.paths["tls_key"], cert, key)
	if fault != nil {
		t.Errorf(map[bool]string{false: "tls_cert", true: "tls_key"}[fault.OfKey], "%s", fault.Text)
		return
	}
	s.Certificate = pair
	if leaf := pair.Leaf; len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
		t.Doc.Warnf(t.Line("tls_cert"), "tls_cert: %s has neither a DNS name nor an address (subjectAltName), so clients refuse it: issue it for the name by which they reach this proxy", s.paths["tls_cert"])
	}
}

// readAuthorities parses client_ca.
func (s *Secure) readAuthorities(t *tomldoc.Table, data []byte) {
	if data == nil {
		return
	}
	path, n, text := s.paths["client_ca"], 0, data
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		n++
		cert, err := x509.ParseCertificate(block.Bytes)
		switch {
		case block.Type != "CERTIFICATE":
			t.Errorf("client_ca", "%s: block %d of the file is a %s: the file must have certificates only", path, n, block.Type)
		case err != nil:
			t.Errorf("client_ca", "%s: certificate %d cannot be read: %v", path, n, err)
		case cert.BasicConstraintsValid && !cert.IsCA, !cert.BasicConstraintsValid && cert.Version >= 3:
			t.Errorf("client_ca", "%s: certificate %d, of %q, is no authority: the file must have the certificate that signed those of the clients", path, n, cert.Subject)
		default:
			s.Authorities = append(s.Authorities, cert)
		}
	}
	if n == 0 {
		t.Errorf("client_ca", "%s: %s", path, lacksCertificate(nil, text, path))
	}
}

// readRevoked parses client_crl: lists in PEM, or one in DER.
func (s *Secure) readRevoked(t *tomldoc.Table, data []byte) {
	if data == nil {
		return
	}
	s.Revoked = []*x509.RevocationList{}
	path, n := s.paths["client_crl"], 0
	add := func(der []byte) {
		n++
		l, err := x509.ParseRevocationList(der)
		if err == nil {
			err = s.checkList(l)
		}
		if err != nil {
			t.Errorf("client_crl", "%s: list %d: %v", path, n, err)
			return
		}
		s.Revoked = append(s.Revoked, l)
	}
	if bytes.HasPrefix(data, []byte{0x30}) { // a SEQUENCE of DER
		add(data)
		return
	}
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			t.Errorf("client_crl", "%s: the file has a %s: it must have revocation lists only", path, block.Type)
			continue
		}
		add(block.Bytes)
	}
	if n == 0 {
		t.Errorf("client_crl", "%s: the file has no revocation list: it must be PEM, which begins with -----BEGIN X509 CRL-----, or one list in DER", path)
	}
}

// checkList returns why a revocation list cannot be used.
func (s *Secure) checkList(l *x509.RevocationList) error {
	if l.NextUpdate.IsZero() {
		return errors.New("it does not say when the next one comes (nextUpdate), so it would count for ever")
	}
	for _, e := range l.Extensions {
		if e.Critical {
			return fmt.Errorf("it has the critical extension %v: only complete lists of all certificates of an authority are read, and no delta or partial ones", e.Id)
		}
	}
	for _, r := range l.RevokedCertificateEntries {
		for _, e := range r.Extensions {
			if e.Critical {
				return fmt.Errorf("its entry for the serial number %X has the critical extension %v: indirect lists are not read", r.SerialNumber, e.Id)
			}
		}
	}
	if len(s.Authorities) > 0 && !s.signed(l) {
		return fmt.Errorf("no authority of client_ca has signed the list of %q: add its certificate there, or take the list of the right authority", l.Issuer)
	}
	return nil
}

// signed reports whether one of the authorities has signed a list.
func (s *Secure) signed(l *x509.RevocationList) bool {
	for _, a := range s.Authorities {
		if bytes.Equal(a.RawSubject, l.RawIssuer) && l.CheckSignatureFrom(a) == nil {
			return true
		}
	}
	return false
}
