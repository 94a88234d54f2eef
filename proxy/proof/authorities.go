// Authorities: whose certificates of clients are accepted, and the lists with which they revoke some.

package proof

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// A Server has what the TLS listener of one configuration works with. It is immutable.
type Server struct {
	TLS         *tls.Config
	Authorities *Authorities // nil: clients are not asked for certificates
}

// NewServer returns a Server. A client that shows a certificate always proves that it has the key,
// but the handshake does not check the certificate: Authorities.Verify does that, so that a client
// with a bad one gets an answer that says why, and the journal a record. A TLS alert says neither.
//
// There are no session tickets: each connection shows its certificate again.
func NewServer(cert tls.Certificate, authorities *Authorities) *Server {
	cfg := &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		SessionTicketsDisabled: true, ClientAuth: tls.NoClientCert,
	}
	if authorities != nil {
		cfg.ClientAuth, cfg.ClientCAs = tls.RequestClientCert, authorities.pool
	}
	return &Server{TLS: cfg, Authorities: authorities}
}

// Authorities have signed the certificates that are accepted.
type Authorities struct {
	pool *x509.CertPool
	// lists has the newest list of each authority, by keyOf. nil: no authority revokes certificates.
	lists map[string]*revocations
}

// revocations is the content of one revocation list.
type revocations struct {
	from, until time.Time
	at          map[string]time.Time // by serial number
}

// NewAuthorities returns Authorities. lists are revocation lists, each signed by one of certs; others
// are ignored. With lists that are not nil, a certificate is accepted only if the list of its
// authority is among them, and is current.
func NewAuthorities(certs []*x509.Certificate, lists []*x509.RevocationList) *Authorities {
	a := &Authorities{pool: x509.NewCertPool()}
	if lists != nil {
		a.lists = map[string]*revocations{}
	}
	for _, l := range lists {
		issuer := Issuer(certs, l)
		if issuer == nil {
			continue
		}
		key := keyOf(issuer)
		if known := a.lists[key]; known != nil && known.from.After(l.ThisUpdate) {
			continue
		}
		r := &revocations{from: l.ThisUpdate, until: l.NextUpdate, at: make(map[string]time.Time, len(l.RevokedCertificateEntries))}
		for i := range l.RevokedCertificateEntries {
			e := &l.RevokedCertificateEntries[i]
			r.at[string(e.SerialNumber.Bytes())] = e.RevocationTime
		}
		a.lists[key] = r
	}
	for _, c := range certs {
		if !a.withdrawn(c, certs) {
			a.pool.AddCert(c)
		}
	}
	return a
}

// withdrawn reports whether another authority has revoked this one.
func (a *Authorities) withdrawn(c *x509.Certificate, certs []*x509.Certificate) bool {
	for _, issuer := range certs {
		if l := a.lists[keyOf(issuer)]; l != nil && issuer != c && string(issuer.RawSubject) == string(c.RawIssuer) {
			if _, is := l.at[string(c.SerialNumber.Bytes())]; is && c.CheckSignatureFrom(issuer) == nil {
				return true
			}
		}
	}
	return false
}

// Issuer returns the one of certs that has signed a revocation list; nil: none has.
func Issuer(certs []*x509.Certificate, l *x509.RevocationList) *x509.Certificate {
	for _, c := range certs {
		if string(c.RawSubject) == string(l.RawIssuer) && l.CheckSignatureFrom(c) == nil {
			return c
		}
	}
	return nil
}

// keyOf returns the name and the key of an authority, which stay when its certificate is renewed.
func keyOf(c *x509.Certificate) string {
	return string(c.RawSubject) + string(c.RawSubjectPublicKeyInfo)
}
