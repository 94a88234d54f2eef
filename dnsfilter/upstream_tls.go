// Upstream TLS: how an upstream proves who it is (RFC 8310, section 5, "strict"), and
// what to do if it cannot.

package dnsfilter

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"sallyport/rules"
)

// An UpstreamFault is a fault of an upstream, or of the text in the configuration, that a
// person must correct. Such an upstream gives no answer.
type UpstreamFault struct {
	Text string // the fault
	Cure string // what to do
}

// Error returns both texts.
func (e *UpstreamFault) Error() string { return e.Text + ": " + e.Cure }

// tlsConfig returns the TLS settings for connections to an upstream. The server's
// certificate must be valid for the upstream's name, and its key must be pinned, if the
// upstream has both. Pins alone identify the server by its key: then neither names nor
// dates nor authorities count (RFC 7858, section 4.2).
func (u *server) tlsConfig(now func() time.Time) *tls.Config {
	c := &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: u.Name, RootCAs: u.roots, Time: now,
		ClientSessionCache: tls.NewLRUClientSessionCache(4),
	}
	if u.Pins != "" {
		c.VerifyConnection = u.checkPins
		c.InsecureSkipVerify = u.Name == ""
	}
	return c
}

// A pinError is a key that is not pinned.
type pinError struct{ key string }

func (e *pinError) Error() string { return "the key " + e.key + " is not pinned" }

// checkPins checks the keys of the chain that was verified, or else of the server's own
// certificate alone: no signature binds the other certificates to it. It runs for resumed
// sessions too.
func (u *server) checkPins(c tls.ConnectionState) error {
	if len(c.PeerCertificates) == 0 {
		return &pinError{"(none)"}
	}
	certs := c.PeerCertificates[:1:1]
	for _, chain := range c.VerifiedChains {
		certs = append(certs, chain...)
	}
	if slices.ContainsFunc(certs, func(c *x509.Certificate) bool { return u.Pins.Has(keyHash(c)) }) {
		return nil
	}
	return &pinError{rules.PinText(keyHash(certs[0]))}
}

// keyHash returns the hash of a certificate's key, as pins have it.
func keyHash(c *x509.Certificate) [sha256.Size]byte { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// handshake makes a connection to an upstream, and has it prove who it is. Close of the
// Filter ends the connection.
func (f *Filter) handshake(ctx context.Context, u *server, config *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
	defer cancel()
	stop := context.AfterFunc(f.life, cancel)
	defer stop()
	raw, err := f.cfg.Dial(ctx, "tcp", u.text)
	if err != nil {
		return nil, err
	}
	conn := &boundConn{raw, context.AfterFunc(f.life, func() { raw.Close() })}
	c := tls.Client(conn, config)
	if err := c.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, u.faultOf(f.cfg.Now(), err)
	}
	return c, nil
}

// boundConn is a connection that ends with the Filter.
type boundConn struct {
	net.Conn
	release func() bool
}

// Close closes the connection, and forgets it.
func (c *boundConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// faultOf returns an error of a handshake as an UpstreamFault. It returns other errors,
// such as a timeout, as they are.
func (u *server) faultOf(now time.Time, err error) error {
	var (
		unverified *tls.CertificateVerificationError
		pin        *pinError
		noTLS      tls.RecordHeaderError
		timeout    net.Error
	)
	switch {
	case errors.As(err, &unverified) && len(unverified.UnverifiedCertificates) > 0:
		return u.certificateError(now, unverified.Err, unverified.UnverifiedCertificates[0])
	case errors.As(err, &pin):
		return &UpstreamFault{"the server has another key, spki=" + pin.key, "if its operator has replaced the key, add this spki to the upstream; if not, another host answers in its place"}
	case errors.As(err, &noTLS):
		return &UpstreamFault{"what answers speaks no TLS", fmt.Sprintf("correct the port (%v is for %s), or look for a device on the way that answers in place of the server", u.Addr.Port(), u.Over)}
	case alertOf(err) != nil:
		return alertOf(err)
	case strings.Contains(err.Error(), "protocol version"):
		return &UpstreamFault{"the server speaks no TLS 1.2 or 1.3", "ask its operator to turn on TLS 1.3"}
	case errors.As(err, &timeout) && timeout.Timeout():
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return &UpstreamFault{"the connection ended during the handshake", fmt.Sprintf("check that the server serves %s at %v, and look for a filter on the way that cuts the connection", u.Over, u.Addr)}
	}
	return err
}

// alertOf returns the fault that a server reports by an alert of TLS; nil if err is none.
// With TLS 1.3 the alert can come after the handshake.
func alertOf(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return nil
	}
	return &UpstreamFault{"the server refuses the handshake: " + op.Err.Error(), "check that it serves this name with TLS 1.2 or 1.3, and asks for no client certificate"}
}

// certificateError is faultOf for a certificate that is not accepted.
func (u *server) certificateError(now time.Time, err error, cert *x509.Certificate) error {
	var (
		name    x509.HostnameError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &name):
		return &UpstreamFault{fmt.Sprintf("the certificate is for %s, not for %s", certifiedNames(cert), u.Name), "correct name= or the address of the upstream; if both are right, another host answers in its place"}
	case errors.As(err, &unknown) && string(cert.RawIssuer) == string(cert.RawSubject):
		return &UpstreamFault{"the certificate is self-signed", u.trust(cert)}
	case errors.As(err, &unknown):
		return &UpstreamFault{fmt.Sprintf("an unknown authority signed the certificate: %q", cert.Issuer), u.trust(cert)}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && now.Before(invalid.Cert.NotBefore):
		return &UpstreamFault{"the certificate is not valid before " + day(invalid.Cert.NotBefore), "set the clock of this host (timedatectl)"}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return &UpstreamFault{fmt.Sprintf("the certificate of %q expired on %s", invalid.Cert.Subject, day(invalid.Cert.NotAfter)), "ask the operator of the resolver to renew it, or set the clock of this host (timedatectl)"}
	}
	return &UpstreamFault{"the certificate is not valid: " + err.Error(), "ask the operator of the resolver to correct it"}
}

// trust returns the two ways to accept a certificate.
func (u *server) trust(cert *x509.Certificate) string {
	return "name a file with the certificate of its authority in [dns] upstreams_ca; or compare its key with the operator of the resolver, and pin it with spki=" + rules.PinText(keyHash(cert))
}

// day returns a date for people.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// certifiedNames lists the names of a certificate, five at most.
func certifiedNames(c *x509.Certificate) string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	switch {
	case len(names) == 0:
		return "no name"
	case len(names) > 5:
		return strings.Join(names[:5], ", ") + " and others"
	}
	return strings.Join(names, ", ")
}
