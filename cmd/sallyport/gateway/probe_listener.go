// Probe, listener: checks the files of [listen] https, and asks a gateway that runs for its
// certificate.

package gateway

import (
	"context"
	"crypto/x509"
	"time"

	"sallyport/cmd/sallyport/preflight"
	"sallyport/rules/site"
)

// probeListener checks the listener for TLS; nil: the configuration has none.
func probeListener(ctx context.Context, cfg *site.Config, roots *x509.CertPool, timeout time.Duration, now time.Time) *preflight.Listener {
	s := cfg.Secure
	if s == nil {
		return nil
	}
	l := &preflight.Listener{Status: preflight.NotTried}
	for _, at := range cfg.Listen.HTTPS {
		l.Addresses = append(l.Addresses, at.String())
	}
	for _, err := range s.Unread {
		l.Add("files", preflight.Failed, "%v: run preflight as the user of sallyport, or let that user read the file", err)
	}
	found := map[string]bool{}
	for _, f := range s.Findings(now) {
		status := preflight.Warning
		if f.Refuses {
			status = preflight.Failed
		}
		found[f.Key] = true
		l.Add(f.Key, status, "%s", f.Text)
	}
	for _, d := range s.Dated() {
		if !found[d.Key] {
			l.Add(d.Key, preflight.OK, "good until %s", d.Until.UTC().Format("2006-01-02 15:04 UTC"))
		}
	}
	if len(s.Unread) == 0 {
		switch {
		case len(s.Authorities) == 0:
			l.Add("client_ca", preflight.OK, "not set: clients are not asked for certificates")
		case s.Revoked == nil:
			l.Add("client_crl", preflight.OK, "not set: no certificate of a client is revoked")
		}
	}
	if s.Certificate.Leaf == nil {
		return l
	}
	chain := []*x509.Certificate{s.Certificate.Leaf}
	for _, der := range s.Certificate.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			chain = append(chain, c)
		} else {
			l.Add("chain", preflight.Failed, "certificate %d of tls_cert cannot be read: %v", len(chain)+1, err)
			return l
		}
	}
	l.Judge(chain, roots, s.Authorities, now)
	l.Try(ctx, chain[0], timeout, cfg.Listen.ProxyProtocolFrom)
	return l
}
