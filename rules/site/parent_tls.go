// Parents, TLS: the authorities and the client certificate for an https parent.

package site

import (
	"crypto/tls"
	"crypto/x509"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// mostPEM is the size limit of a file with certificates or a key.
const mostPEM = 4 << 20

// readParentTLS reads ca, cert and key.
func (c *Config) readParentTLS(t *tomldoc.Table, p *rules.Parent, disk Disk) {
	for _, key := range []string{"ca", "cert", "key"} {
		if t.Has(key) && p.Scheme != rules.ParentHTTPS && p.Scheme != "" {
			t.Errorf(key, "is for an https parent, and url says %s", p.Scheme)
		}
	}
	if t.Has("cert") != t.Has("key") {
		t.Doc.Errorf(t.Line(""), "parent %q: set both cert and key, or neither", p.Name)
	}
	if data, ok := c.readParentFile(t, p, "ca", disk, mostPEM); ok {
		p.Roots = x509.NewCertPool()
		if !p.Roots.AppendCertsFromPEM(data) {
			t.Errorf("ca", "%s: has no certificate in PEM form", t.Str("ca"))
		}
	}
	cert, haveCert := c.readParentFile(t, p, "cert", disk, mostPEM)
	key, haveKey := c.readParentFile(t, p, "key", disk, mostPEM)
	if !haveCert || !haveKey {
		return
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Errorf("cert", "%s and %s: %v", t.Str("cert"), t.Str("key"), err)
		return
	}
	p.Certificate = &pair
}
