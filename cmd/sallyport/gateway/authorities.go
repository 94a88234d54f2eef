// Authorities: which certificates of upstreams are trusted.

package gateway

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"sallyport/rules"
	"sallyport/rules/site"
)

// authoritiesOf returns the authorities for the certificates of a configuration's upstreams.
// It is nil if no upstream has a certificate to check. Those of the host are read once, when
// a configuration first needs them: after the hardening they cannot be read any more.
func authoritiesOf(cfg *site.Config) (*x509.CertPool, error) {
	if cfg.DNS.Authorities != nil || !checksCertificates(cfg) {
		return cfg.DNS.Authorities, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("%s: [dns] upstreams: the authorities of this host: %w", cfg.File, err)
	}
	if pool.Equal(x509.NewCertPool()) {
		return nil, fmt.Errorf("%s: [dns] upstreams: %w", cfg.File, errNoAuthorities)
	}
	return pool, nil
}

var errNoAuthorities = errors.New("this host has no certificate authorities to check the certificates of tls:// and https:// upstreams with: install ca-certificates, or name a file in [dns] upstreams_ca")

// checksCertificates reports whether an upstream must have a certificate for its name.
func checksCertificates(cfg *site.Config) bool {
	lists := [][]string{cfg.DNS.Upstreams}
	for _, z := range cfg.DNS.Zones {
		lists = append(lists, z.Upstreams)
	}
	return slices.ContainsFunc(slices.Concat(lists...), func(text string) bool {
		u, err := rules.ParseUpstream(text)
		return err == nil && u.Over.Proven() && u.Name != ""
	})
}

// systemRoots returns the certificate authorities of this host; nil if it has none.
func systemRoots() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil || pool.Equal(x509.NewCertPool()) {
		return nil
	}
	return pool
}
