// Names: what a certificate says about its owner, each name read as the kind that it is.

package proof

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"strings"
	"time"

	"sallyport/rules"
)

// Bounds of what is taken from a certificate.
const (
	maxNames = 100
	maxName  = 300 // octets
)

// The extension with a certificate's other names, the tag of a URI in it (RFC 5280, section 4.2.1.6),
// and the type of a common name (appendix A.1).
const (
	alternativeNames = "2.5.29.17"
	tagURI           = 6
	commonName       = "2.5.4.3"
)

// namesOf returns the names in a certificate, in the form of [[client]] certificate. It leaves out
// names that cannot be listed there, and what comes after maxNames.
func namesOf(c *x509.Certificate) (names []string) {
	add := func(name, why string) {
		if why == "" && len(names) < maxNames && len(name) <= maxName {
			names = append(names, name)
		}
	}
	for _, uri := range urisOf(c) {
		add(rules.CertificateURI(uri))
	}
	for _, d := range c.DNSNames {
		add(rules.CertificateDNSName(d))
	}
	if commonNames(c) == 1 { // of several, another reader may take another one
		add(rules.CertificateCommonName(c.Subject.CommonName))
	}
	return names
}

// urisOf returns the URIs of a certificate octet by octet. The field URIs of x509.Certificate has
// parsed ones, which lack an empty fragment.
func urisOf(c *x509.Certificate) (uris []string) {
	for _, e := range c.Extensions {
		if e.Id.String() != alternativeNames {
			continue
		}
		var list []asn1.RawValue
		if rest, err := asn1.Unmarshal(e.Value, &list); err != nil || len(rest) > 0 {
			return nil
		}
		for _, v := range list {
			if v.Class == asn1.ClassContextSpecific && v.Tag == tagURI && !v.IsCompound {
				uris = append(uris, string(v.Bytes))
			}
		}
	}
	return uris
}

// commonNames returns how many common names the subject of a certificate has.
func commonNames(c *x509.Certificate) (n int) {
	for _, attribute := range c.Subject.Names {
		if attribute.Type.String() == commonName {
			n++
		}
	}
	return n
}

// textOf names a certificate for people.
func textOf(c *x509.Certificate) string {
	if text := c.Subject.String(); text != "" {
		return capped(text)
	}
	if names := namesOf(c); len(names) > 0 {
		return capped(names[0])
	}
	return "with serial number " + capped(fmt.Sprintf("%X", c.SerialNumber))
}

// capped returns text of an unknown client in quotes, and not too much of it.
func capped(s string) string {
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
