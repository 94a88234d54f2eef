// TLS: makes a handshake with the server name that a client would send, and
// judges the result and the certificate.

package preflight

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"sallyport/rules"
)

// handshake is the result of a handshake.
type handshake struct {
	chain      []*x509.Certificate
	clientCert bool // the server asked for a client certificate
}

// tls makes a handshake. It returns false if the server answered in HTTP, on a
// port where that is allowed.
func (s *step) tls(ctx context.Context, conn net.Conn, a rules.Attempt) bool {
	ok := s.permitted(a, func(a *rules.Attempt) { a.Shown, a.SNI = rules.ShownTLS, s.t.name })
	if !ok {
		return true
	}
	var h handshake
	within, cancel := context.WithTimeout(ctx, s.r.cfg.Timeout)
	defer cancel()
	began := s.r.cfg.Now()
	client := tls.Client(conn, h.config(s.t.name.String()))
	err := client.HandshakeContext(within)
	out := &TLS{OK: err == nil, DurationMS: millis(s.r.cfg.Now().Sub(began)), ServerName: s.t.name.String(), ClientCert: h.clientCert}
	s.out.TLS = out
	if err != nil && !(h.clientCert && len(h.chain) > 0) {
		out.DurationMS = 0
		return s.noTLS(err)
	}
	out.OK, out.Version = true, tls.VersionName(client.ConnectionState().Version)
	if err != nil { // the server wants a client certificate of the product and ends the handshake without it
		out.Version = ""
	}
	if len(h.chain) > 0 {
		s.certificate(h.chain)
	}
	return true
}

// config returns a client configuration that accepts every certificate.
// preflight checks the certificate later, to report every fault in it. No byte
// of a request follows. Old TLS versions are offered too, because the product
// may need them.
func (h *handshake) config(name string) *tls.Config {
	return &tls.Config{
		ServerName: name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, NextProtos: []string{"http/1.1"},
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			for _, der := range raw {
				c, err := x509.ParseCertificate(der)
				if err != nil {
					return err
				}
				h.chain = append(h.chain, c)
			}
			return nil
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			h.clientCert = true
			return &tls.Certificate{}, nil
		},
	}
}

// noTLS records the problem of a failed handshake. On port 443 every problem is
// a failure. On other ports the service may speak another protocol. It returns
// false if the server spoke HTTP.
func (s *step) noTLS(err error) bool {
	problem, detail := tlsProblem(err)
	s.out.TLS.Note = detail
	var head tls.RecordHeaderError
	if s.t.port != 443 && errors.As(err, &head) && bytes.HasPrefix(head.RecordHeader[:], []byte("HTTP/")) {
		s.out.TLS.Note = "speaks plain HTTP"
		return false
	}
	switch {
	case s.t.port == 443:
		s.fail(problem, detail)
	case problem == TLSReset:
		s.warn(problem, detail+"; or this port speaks another protocol")
	}
	return true
}

// tlsProblem returns the problem that ended a handshake.
func tlsProblem(err error) (Problem, string) {
	var head tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.As(err, &head):
		return NotTLS, fmt.Sprintf("the answer is not TLS, it begins with %q", head.RecordHeader[:])
	case timedOut(err):
		return TLSTimedOut, "no answer to the ClientHello in time"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return TLSReset, "reset after the ClientHello"
	case ended(err):
		return TLSClosed, "closed after the ClientHello"
	case errors.As(err, &op) && op.Op == "remote error":
		return TLSAlert, "alert: " + strings.TrimPrefix(op.Err.Error(), "tls: ")
	}
	return TLSAlert, err.Error()
}

// certificate describes the server's certificate and records what is wrong with
// it. For an internal server, or a server without a name, the problem is only a
// warning.
func (s *step) certificate(chain []*x509.Certificate) {
	now := s.r.cfg.Now()
	c := certificateOf(chain[0], now)
	s.out.TLS.Cert = c
	problem, detail := judgeChain(chain, s.t.host(), s.r.cfg.Roots, now)
	c.Verified = problem == None
	switch {
	case problem == None:
	case s.at.own, problem == CertUnchecked:
		s.warn(problem, detail)
	default:
		s.fail(problem, detail)
	}
}

// certificateOf describes a certificate.
func certificateOf(leaf *x509.Certificate, now time.Time) *Certificate {
	c := &Certificate{
		Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(), Names: append([]string{}, leaf.DNSNames...), NotBefore: leaf.NotBefore.UTC(), NotAfter: leaf.NotAfter.UTC(),
		DaysLeft: int(leaf.NotAfter.Sub(now).Hours() / 24),
	}
	for _, ip := range leaf.IPAddresses {
		c.Names = append(c.Names, ip.String())
	}
	c.Names = c.Names[:min(len(c.Names), 16)]
	return c
}

// judgeChain returns the first problem of a certificate, in this order:
// authority, name, dates. The detail has all problems.
func judgeChain(chain []*x509.Certificate, host string, roots *x509.CertPool, now time.Time) (Problem, string) {
	leaf := chain[0]
	var problems []Problem
	var details []string
	add := func(p Problem, format string, args ...any) {
		problems, details = append(problems, p), append(details, fmt.Sprintf(format, args...))
	}
	at := now // a time at which the leaf is valid, so that verify judges only the rest of the chain's dates
	late, early := now.After(leaf.NotAfter), now.Before(leaf.NotBefore)
	if late {
		at = leaf.NotAfter
	} else if early {
		at = leaf.NotBefore
	}
	if err := verify(chain, roots, at); err != nil {
		p, detail := chainProblem(err, leaf, roots)
		add(p, "%s", detail)
	}
	if err := leaf.VerifyHostname(hostForm(host)); err != nil {
		add(CertWrongName, "the certificate is for %s, not for %s", namesOf(leaf), host)
	}
	if late {
		add(CertExpired, "expired on %s", leaf.NotAfter.UTC().Format(time.DateTime))
	} else if early {
		add(CertEarly, "not valid before %s", leaf.NotBefore.UTC().Format(time.DateTime))
	}
	if len(problems) == 0 {
		return None, ""
	}
	return problems[0], strings.Join(details, "; ")
}

// verify checks a chain against the authorities. It does not check the name.
func verify(chain []*x509.Certificate, roots *x509.CertPool, at time.Time) error {
	if roots == nil {
		return errNoRoots
	}
	opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: at}
	for _, c := range chain[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(opts)
	return err
}

var errNoRoots = errors.New("this host has no certificate authorities")

// chainProblem returns the problem for an error of x509.
func chainProblem(err error, leaf *x509.Certificate, roots *x509.CertPool) (Problem, string) {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case roots == nil:
		return CertUnchecked, err.Error()
	case errors.As(err, &unknown) && bytes.Equal(leaf.RawSubject, leaf.RawIssuer):
		return CertSelf, "self-signed: " + leaf.Issuer.String()
	case errors.As(err, &unknown):
		return CertUnknown, "issued by " + leaf.Issuer.String() + ", which this host does not trust"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return CertExpired, "an intermediate is out of date: " + invalid.Cert.Subject.String()
	}
	return CertInvalid, err.Error()
}

// hostForm returns a host in the form that VerifyHostname expects.
func hostForm(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// namesOf lists the first few names of a certificate.
func namesOf(c *x509.Certificate) string {
	names := c.DNSNames
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return c.Subject.String()
	}
	if len(names) > 4 {
		names = append(names[:4:4], "…")
	}
	return strings.Join(names, ", ")
}
