// Listener: what clients see of the gateway's own listener for TLS: its certificate, its names, its
// chain, and whether a running gateway shows that certificate.

package preflight

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A Listener is the listener for TLS of the configuration.
type Listener struct {
	Addresses []string     `json:"addresses"`
	Status    Status       `json:"status"` // the worst of the checks
	Cert      *Certificate `json:"certificate,omitempty"`
	Checks    []Check      `json:"checks"`
}

// A Check is one property of the listener, with what to do about it in the detail.
type Check struct {
	What   string `json:"what"` // a key of [listen], "names", "chain" or "handshake"
	Status Status `json:"status"`
	Detail string `json:"detail"`
}

// Add adds a check.
func (l *Listener) Add(what string, status Status, format string, args ...any) {
	l.Checks = append(l.Checks, Check{what, status, fmt.Sprintf(format, args...)})
	rank := func(s Status) int { return slices.Index([]Status{NotTried, OK, Warning, Failed}, s) }
	if rank(status) > rank(l.Status) {
		l.Status = status
	}
}

// Judge checks the certificate of the listener and those behind it in its file. roots are the
// authorities that this host trusts, own are those of the site's clients.
func (l *Listener) Judge(chain []*x509.Certificate, roots *x509.CertPool, own []*x509.Certificate, now time.Time) {
	l.Cert = certificateOf(chain[0], now)
	l.Cert.Verified = l.judgeChain(chain, roots, own, now)
	l.judgeNames(chain[0])
}

// judgeNames checks that clients can reach the listener by a name in its certificate.
func (l *Listener) judgeNames(leaf *x509.Certificate) {
	if len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
		l.Add("names", Failed, "the certificate has neither a DNS name nor an address (subjectAltName), so clients refuse it: issue it for the name by which they reach this proxy")
		return
	}
	if len(leaf.ExtKeyUsage) > 0 && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny) {
		l.Add("names", Failed, "the certificate is not for servers (extendedKeyUsage lacks serverAuth), so clients refuse it: issue another one")
		return
	}
	var bare []string
	for _, text := range l.Addresses {
		if at, err := netip.ParseAddrPort(text); err == nil && !at.Addr().IsUnspecified() {
			if leaf.VerifyHostname(hostForm(at.Addr().String())) != nil && !at.Addr().IsLoopback() {
				bare = append(bare, at.Addr().String())
			}
		}
	}
	switch {
	case len(leaf.DNSNames) == 0 && len(bare) > 0:
		l.Add("names", Warning, "the certificate is for %s, and not for %s, where the listener is: clients that use this address refuse it", namesOf(leaf), strings.Join(bare, ", "))
	case len(bare) > 0:
		l.Add("names", OK, "clients must write the proxy as https:// and one of %s; %s is not in the certificate", namesOf(leaf), strings.Join(bare, ", "))
	default:
		l.Add("names", OK, "clients must write the proxy as https:// and one of %s", namesOf(leaf))
	}
}

// judgeChain checks that the file has the certificates by which clients find an authority that they
// trust. It reports whether this host trusts the certificate.
func (l *Listener) judgeChain(chain []*x509.Certificate, roots *x509.CertPool, own []*x509.Certificate, now time.Time) bool {
	at := now // a time at which the leaf is valid: its dates have their own check
	if leaf := chain[0]; now.After(leaf.NotAfter) {
		at = leaf.NotAfter
	} else if now.Before(leaf.NotBefore) {
		at = leaf.NotBefore
	}
	for _, c := range chain[1:] {
		if at.After(c.NotAfter) || at.Before(c.NotBefore) {
			l.Add("chain", Failed, "%q in the file is valid from %s until %s, so clients refuse the certificate: put the current one into tls_cert", c.Subject, day(c.NotBefore), day(c.NotAfter))
			return false
		}
	}
	if verify(chain, roots, at) == nil {
		l.Add("chain", OK, "complete: this host trusts it")
		return true
	}
	last := chain[0]
	for _, c := range chain[1:] {
		if !bytes.Equal(last.RawIssuer, c.RawSubject) || last.CheckSignatureFrom(c) != nil {
			l.Add("chain", Warning, "%q follows %q in the file and has not signed it: write the certificate first, then its authority, then that one's", c.Subject, last.Subject)
			return false
		}
		last = c
	}
	issuer := func(c *x509.Certificate) bool {
		return bytes.Equal(last.RawIssuer, c.RawSubject) && last.CheckSignatureFrom(c) == nil
	}
	switch i := slices.IndexFunc(own, issuer); {
	case bytes.Equal(last.RawIssuer, last.RawSubject):
		l.Add("chain", OK, "complete: it ends at %q, which signs itself; clients must trust that certificate", last.Subject)
	case i >= 0 && bytes.Equal(own[i].RawIssuer, own[i].RawSubject):
		l.Add("chain", OK, "complete: %q, which is in client_ca, has signed it; clients must trust that authority", own[i].Subject)
	default:
		l.Add("chain", Warning, "the file ends before %q, the issuer of %q: if that is an intermediate authority, append its certificate to tls_cert; if clients trust it itself, all is well", last.Issuer, last.Subject)
	}
	return false
}

// Try makes a handshake with each address, as a client does, and compares the certificate that it
// sees with want. It sends no request, so that a running gateway writes no record. balancers send a
// header before TLS.
func (l *Listener) Try(ctx context.Context, want *x509.Certificate, timeout time.Duration, balancers []netip.Prefix) {
	for _, text := range l.Addresses {
		at, err := netip.ParseAddrPort(text)
		if err != nil {
			continue
		}
		if addr := at.Addr(); addr.IsUnspecified() && addr.Is4() {
			at = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
		} else if addr.IsUnspecified() {
			at = netip.AddrPortFrom(netip.IPv6Loopback(), at.Port())
		}
		if slices.ContainsFunc(balancers, func(p netip.Prefix) bool { return p.Contains(at.Addr()) }) { // the source will be the same address
			l.Add("handshake", NotTried, "%s: this host is in proxy_protocol_from there, so a handshake needs the header of a balancer", text)
			continue
		}
		one, cancel := context.WithTimeout(ctx, timeout)
		shown, err := certificateAt(one, at)
		cancel()
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			l.Add("handshake", NotTried, "%s: no process listens there now", text)
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
			l.Add("handshake", Failed, "%s: closed during the handshake: see the journal and /readyz of the running sallyport", text)
		case err != nil:
			l.Add("handshake", Failed, "%s: %v: another program may listen there, or the running sallyport has another configuration", text, err)
		case !shown.Equal(want):
			l.Add("handshake", Warning, "%s: the running sallyport shows another certificate, %q until %s: see /readyz for why it did not take this one", text, shown.Subject, day(shown.NotAfter))
		default:
			l.Add("handshake", OK, "%s: the running sallyport shows this certificate", text)
		}
	}
}

// certificateAt returns the certificate that a listener shows. It trusts any: Judge has checked the one that
// must come.
func certificateAt(ctx context.Context, at netip.AddrPort) (*x509.Certificate, error) {
	tcp, err := (&net.Dialer{}).DialContext(ctx, "tcp", at.String())
	if err != nil {
		return nil, err
	}
	defer tcp.Close()
	layer := tls.Client(tcp, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	if err := layer.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return layer.ConnectionState().PeerCertificates[0], nil
}

// write prints the checks.
func (l *Listener) write(w io.Writer) {
	fmt.Fprintf(w, "\nTLS listener %s", strings.Join(l.Addresses, ", "))
	if c := l.Cert; c != nil {
		fmt.Fprintf(w, ": %s, by %s, until %s, %d days", visible(commonName(c.Subject)), visible(commonName(c.Issuer)), c.NotAfter.Format(time.DateOnly), c.DaysLeft)
	}
	fmt.Fprintln(w)
	for _, c := range l.Checks {
		fmt.Fprintf(w, "  %-4s  %-10s  %s\n", marks[c.Status][0], c.What, visible(c.Detail))
	}
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
