// Certificate: checks the certificate that a client has shown: its authority, its dates, and whether
// it is revoked.

package proof

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// A CertificateResult is what came out of a check.
type CertificateResult uint8

// The results. The zero value accepts nothing.
const (
	Untrusted CertificateResult = iota // no authority of client_ca has signed it, or it is broken
	Accepted                           // its names are proven
	Expired                            // or not valid yet
	Revoked                            // a revocation list has it
	Unlisted                           // its authority has no current revocation list
)

// CertificateResults is how many results there are.
const CertificateResults = Unlisted + 1

// String returns the result as metrics write it.
func (r CertificateResult) String() string {
	return [CertificateResults]string{"untrusted", "accepted", "expired", "revoked", "no_list"}[min(r, CertificateResults-1)]
}

// A Checked is the answer to Verify.
type Checked struct {
	Result CertificateResult
	Names  []string  // what the certificate proves, if it is accepted: a URI, "DNS:…", "CN=…"
	Fault  string    // else: why not, for people
	Until  time.Time // when the answer must be asked for again
}

// Verify checks a certificate, with those of intermediate authorities behind it, as of now.
func (a *Authorities) Verify(shown []*x509.Certificate, now time.Time) Checked {
	if a == nil || len(shown) == 0 {
		return Checked{Fault: "the listener takes no certificates of clients: [listen] client_ca names no authorities"}
	}
	leaf, between := shown[0], x509.NewCertPool()
	for _, c := range shown[1:] {
		between.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: a.pool, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return faulty(leaf, err, now)
	}
	out := Checked{Result: Unlisted, Names: namesOf(leaf)}
	for _, chain := range chains {
		result, fault, until := a.revoked(chain, now)
		if result == Revoked {
			return Checked{Result: Revoked, Fault: fault}
		}
		if result == Accepted {
			for _, c := range chain {
				until = earlier(until, c.NotAfter)
			}
			out.Result, out.Until = Accepted, until
		} else if out.Result != Accepted {
			out.Fault = fault
		}
	}
	if out.Result != Accepted {
		return Checked{Result: out.Result, Fault: out.Fault}
	}
	if len(out.Names) == 0 {
		return Checked{Result: Untrusted, Fault: fmt.Sprintf("the certificate %s has no name: it needs a common name, a DNS name or a URI", textOf(leaf))}
	}
	out.Fault = ""
	return out
}

// revoked looks for each certificate of a chain in the list of the authority that has signed it.
// Each needs such a list, if there are lists at all.
func (a *Authorities) revoked(chain []*x509.Certificate, now time.Time) (result CertificateResult, fault string, until time.Time) {
	if a.lists == nil {
		return Accepted, "", time.Time{}
	}
	result = Accepted
	for i, c := range chain[:len(chain)-1] {
		issuer := chain[i+1]
		l := a.lists[keyOf(issuer)]
		if l == nil {
			result, fault = Unlisted, fmt.Sprintf("[listen] client_crl has no list of %s, so %s counts as revoked", textOf(issuer), textOf(c))
			continue
		}
		if at, is := l.at[string(c.SerialNumber.Bytes())]; is {
			return Revoked, fmt.Sprintf("the certificate %s was revoked on %s", textOf(c), day(at)), until
		}
		switch {
		case now.After(l.until):
			result, fault = Unlisted, fmt.Sprintf("the list of %s in [listen] client_crl ended on %s, so %s counts as revoked: renew the list", textOf(issuer), day(l.until), textOf(c))
		case now.Before(l.from):
			result, fault = Unlisted, fmt.Sprintf("the list of %s in [listen] client_crl begins on %s, so %s counts as revoked: set the clock of this host", textOf(issuer), day(l.from), textOf(c))
		}
		until = earlier(until, l.until)
	}
	return result, fault, until
}

// earlier returns the earlier of two times. The zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// faulty says why a certificate does not lead to an authority.
func faulty(leaf *x509.Certificate, err error, now time.Time) Checked {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		c := leaf
		if invalid.Cert != nil {
			c = invalid.Cert
		}
		if now.Before(c.NotBefore) {
			return Checked{Result: Expired, Fault: fmt.Sprintf("the certificate %s is not valid before %s", textOf(c), day(c.NotBefore))}
		}
		return Checked{Result: Expired, Fault: fmt.Sprintf("the certificate %s expired on %s", textOf(c), day(c.NotAfter))}
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return Checked{Fault: fmt.Sprintf("the certificate %s is not for clients: its extended key usage lacks clientAuth", textOf(leaf))}
	case errors.As(err, &unknown):
		return Checked{Fault: fmt.Sprintf("the certificate %s was issued by %s, and no authority of [listen] client_ca has signed it", textOf(leaf), capped(leaf.Issuer.String()))}
	}
	return Checked{Fault: fmt.Sprintf("the certificate %s is not accepted: %s", textOf(leaf), capped(err.Error()))}
}
