// Parents, TLS: the authorities and the client certificate for a parent or a sink.

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
	p.Roots, p.Certificate = c.readTLS(t, "parent", p.Name, &p.Unread, disk)
}

// readTLS reads ca, cert and key of a [[parent]] or a [[sink]].
func (c *Config) readTLS(t *tomldoc.Table, of, name string, unread *error, disk Disk) (roots *x509.CertPool, certificate *tls.Certificate) {
	table := "[[" + of + "]]"
	if t.Has("cert") != t.Has("key") {
		t.Doc.Errorf(t.Line(""), "%s %q: set both cert and key, or neither", of, name)
	}
	if data, ok := c.readPrivate(t, table, unread, "ca", disk, mostPEM); ok {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(data) {
			path := under(disk.Dir, t.Str("ca"))
			t.Errorf("ca", "%s: %s", path, lacksCertificate(kindsOf(data), data, path))
		}
	}
	cert, haveCert := c.readPrivate(t, table, unread, "cert", disk, mostPEM)
	key, haveKey := c.readPrivate(t, table, unread, "key", disk, mostPEM)
	if !haveCert || !haveKey {
		return roots, nil
	}
	pair, fault := ParsePair(under(disk.Dir, t.Str("cert")), under(disk.Dir, t.Str("key")), cert, key)
	if fault != nil {
		t.Errorf(map[bool]string{false: "cert", true: "key"}[fault.OfKey], "%s", fault.Text)
		return roots, nil
	}
	return roots, &pair
}
