// Listen, dates: warns of certificates and revocation lists of [listen] https that are out of date.

package site

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"sallyport/rules"
)

// A Dated is a file of [listen] https, with the instant from which it is good for nothing.
type Dated struct {
	Key   string // of [listen]
	Until time.Time
}

// Dated returns the files that are good for a while only: the earliest end in each.
func (s *Secure) Dated() (out []Dated) {
	if s == nil || s.Certificate.Leaf == nil {
		return nil
	}
	out = append(out, Dated{"tls_cert", s.Certificate.Leaf.NotAfter})
	add := func(key string, until time.Time) {
		if last := &out[len(out)-1]; last.Key != key {
			out = append(out, Dated{key, until})
		} else if until.Before(last.Until) {
			last.Until = until
		}
	}
	for _, a := range s.Authorities {
		add("client_ca", a.NotAfter)
	}
	for _, l := range s.Revoked {
		add("client_crl", l.NextUpdate)
	}
	return out
}

// A SecureFinding is something about a file of [listen] https, as of an instant.
type SecureFinding struct {
	Key     string // of [listen]
	Refuses bool   // clients are refused now; else they will be, if nothing is done
	Text    string // what, and what to do
}

// Findings returns what is out of date at an instant, and what soon will be.
func (s *Secure) Findings(now time.Time) (out []SecureFinding) {
	if s == nil {
		return nil
	}
	add := func(key string, refuses bool, format string, args ...any) {
		out = append(out, SecureFinding{key, refuses, s.paths[key] + ": " + fmt.Sprintf(format, args...)})
	}
	if leaf := s.Certificate.Leaf; leaf != nil {
		switch {
		case now.After(leaf.NotAfter):
			add("tls_cert", true, "the certificate expired on %s, so clients refuse it: renew it", day(leaf.NotAfter))
		case now.Before(leaf.NotBefore):
			add("tls_cert", true, "the certificate is not valid before %s, so clients refuse it: set the clock of this host, or wait", day(leaf.NotBefore))
		case now.Add(soon).After(leaf.NotAfter) && leaf.NotAfter.Sub(leaf.NotBefore) > 2*soon:
			add("tls_cert", false, "the certificate expires on %s: renew it", day(leaf.NotAfter))
		}
	}
	for _, a := range s.Authorities {
		switch {
		case now.After(a.NotAfter):
			add("client_ca", true, "the authority %q expired on %s, so every client with a certificate of it is denied", a.Subject, day(a.NotAfter))
		case now.Add(soon).After(a.NotAfter) && a.NotAfter.Sub(a.NotBefore) > 2*soon:
			add("client_ca", false, "the authority %q expires on %s, and with it all certificates that it has issued: add the next one to the file", a.Subject, day(a.NotAfter))
		}
		if s.Revoked != nil && !s.listed(a) {
			add("client_crl", true, "there is no list of the authority %q, so every client with a certificate of it is denied: add its list to the file", a.Subject)
		}
	}
	for _, l := range s.Revoked {
		switch {
		case now.After(l.NextUpdate):
			add("client_crl", true, "the list of %q ended on %s, so every client with a certificate of that authority is denied: renew the list", l.Issuer, day(l.NextUpdate))
		case now.Before(l.ThisUpdate):
			add("client_crl", true, "the list of %q begins on %s, so every client with a certificate of that authority is denied: set the clock of this host", l.Issuer, day(l.ThisUpdate))
		case l.NextUpdate.Sub(now) < min(l.NextUpdate.Sub(l.ThisUpdate)/4, 3*24*time.Hour):
			add("client_crl", false, "the list of %q ends on %s, and then every client with a certificate of that authority is denied: renew the list", l.Issuer, day(l.NextUpdate))
		}
	}
	return out
}

// CheckDates returns warnings about the files of [listen] https that are out of date at an instant,
// or soon will be.
func (c *Config) CheckDates(now time.Time) (out rules.Problems) {
	for _, f := range c.Secure.Findings(now) {
		out = append(out, rules.Problem{File: c.File, Line: c.Secure.lines[f.Key], Warning: true, Text: f.Key + ": " + f.Text})
	}
	return out
}

// listed reports whether client_crl has a list with the name of an authority.
func (s *Secure) listed(a *x509.Certificate) bool {
	return slices.ContainsFunc(s.Revoked, func(l *x509.RevocationList) bool { return bytes.Equal(l.RawIssuer, a.RawSubject) })
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
