// [dns]: the upstreams, the zones with upstreams of their own, and the authorities that
// the certificates of upstreams are checked with.

package site

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

func (c *Config) readDNS(t *tomldoc.Table, disk Disk) {
	c.DNS.Upstreams = upstreams(t, "upstreams")
	if !t.Has("upstreams") {
		c.DNS.Upstreams = []string{"system"}
	} else if len(c.DNS.Upstreams) == 0 && !c.withoutDNS() {
		t.Errorf("upstreams", `is empty: list "system", "udp://address", "tcp://address", "tls://address?name=NAME" or "https://address/path?name=NAME"%s`, c.whenEmpty())
	}
	for _, u := range c.DNS.Upstreams {
		if up, err := rules.ParseUpstream(u); err == nil && (rules.Own{Listeners: c.Listen.DNS}).Is(up.Addr) {
			t.Doc.Errorf(t.LineOf("upstreams", u), "upstreams: %s is sallyport's own [listen] dns: sallyport would ask itself", u)
		}
	}
	c.readAuthorities(t, disk)
	c.readDNSSEC(t)
	c.DNS.Denied = t.Choice("denied", "nxdomain", "refused", "nodata")
	c.readSynthetic(t, disk)
	for _, z := range t.Subs("zone") {
		c.readZone(z)
	}
	c.warnOfPlain(t)
	if len(c.DNS.Upstreams) == 0 && c.withoutDNS() {
		c.warnWithoutDNS(t)
	}
	t.Done()
}

// readDNSSEC reads [dns] dnssec, and refuses upstreams whose word about an answer proves
// nothing, because a host on the way could change it.
func (c *Config) readDNSSEC(t *tomldoc.Table) {
	c.DNS.DNSSEC = t.Choice("dnssec", "off", "log", "require")
	switch c.DNS.DNSSEC {
	case "off":
		c.Unproven = rules.UnprovenPassed
		return
	case "log":
		c.Unproven = rules.UnprovenLogged
	}
	for _, s := range c.DNS.Upstreams {
		if s == "system" {
			t.Errorf("dnssec", `is %q, which needs upstreams that are known: list the validating resolver itself in place of "system", like "tls://192.0.2.53?name=dns.corp.example" or "udp://127.0.0.1"`, c.DNS.DNSSEC)
		} else if u, err := rules.ParseUpstream(s); err == nil && !u.Over.Proven() && !u.Addr.Addr().IsLoopback() {
			t.Doc.Errorf(t.LineOf("upstreams", s), "upstreams: dnssec = %q needs a validating resolver on a way that cannot be forged: ask %s by tls:// or https://, or run a validating resolver on this host and ask it by its loopback address", c.DNS.DNSSEC, s)
		}
	}
}

func (c *Config) readZone(z *tomldoc.Table) {
	suffix, err := rules.ParseIDN(z.Str("suffix"))
	if err != nil {
		z.Errorf("suffix", "%v%s", err, alone(z.Str("suffix")))
	} else if managed(suffix) {
		z.Errorf("suffix", "%q is a public suffix, under which anyone can register a name; name the internal domain", suffix)
	}
	ups := upstreams(z, "upstreams")
	if z.Lacks("upstreams") {
		z.Missing("upstreams", `list the zone's own servers, like ["udp://10.0.0.53:53"]`)
	}
	if slices.ContainsFunc(c.DNS.Zones, func(o Zone) bool { return o.Suffix == suffix }) {
		z.Errorf("suffix", "%q has a [[dns.zone]] already", suffix)
	}
	c.DNS.Zones = append(c.DNS.Zones, Zone{suffix, ups})
	c.Zones = append(c.Zones, suffix)
	z.Done()
}

// upstreams reads a list of upstreams.
func upstreams(t *tomldoc.Table, key string) []string {
	list := t.Strs(key)
	for _, s := range list {
		if _, err := rules.ParseUpstream(s); err != nil && s != "system" {
			t.Doc.Errorf(t.LineOf(key, s), "%s: %v", key, err)
		}
	}
	return list
}

// warnOfPlain warns if some of [dns] upstreams prove who they are and others do not: then
// a host on the way that blocks the former is asked through the latter.
func (c *Config) warnOfPlain(t *tomldoc.Table) {
	var plain string
	proven := false
	for _, s := range c.DNS.Upstreams {
		if u, err := rules.ParseUpstream(s); err == nil && u.Over.Proven() {
			proven = true
		} else if plain == "" && (err == nil || s == "system") {
			plain = s
		}
	}
	if proven && plain != "" {
		t.Doc.Warnf(t.LineOf("upstreams", plain), "upstreams: %s is asked without encryption when the other upstreams do not answer, so a host that blocks them can forge its answers: leave it out, or write it as tls:// or https://", plain)
	}
}

// maxAuthorities bounds the file of [dns] upstreams_ca.
const maxAuthorities = 1 << 20

// readAuthorities reads [dns] upstreams_ca.
func (c *Config) readAuthorities(t *tomldoc.Table, disk Disk) {
	const key = "upstreams_ca"
	name := t.Str(key)
	if name == "" {
		return
	}
	path, data, err := c.read(disk, Input{Key: "[dns] " + key, Line: t.Line(key), Path: name}, maxAuthorities)
	if err == nil {
		c.DNS.Authorities, err = authorities(data)
	}
	if err != nil {
		t.Errorf(key, "%s: %v", path, err)
	}
}

// authorities parses certificates in PEM.
func authorities(data []byte) (*x509.CertPool, error) {
	pool, n := x509.NewCertPool(), 0
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		n++
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("block %d of the file is a %s: the file must have certificates only", n, block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the file cannot be read: %w", n, err)
		}
		if cert.BasicConstraintsValid && !cert.IsCA && !bytes.Equal(cert.RawIssuer, cert.RawSubject) {
			return nil, fmt.Errorf("certificate %d of the file, of %q, is no authority: the file must have the certificate that signed it; or pin the server's key with spki=", n, cert.Subject)
		}
		pool.AddCert(cert)
	}
	if n == 0 {
		return nil, errors.New("the file has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----")
	}
	return pool, nil
}
