// [dns]: upstreams that prove who they are, and the authorities for their certificates.

package site

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// pemOf returns a certificate of that name in PEM. An authority signs itself; any other
// certificate has another issuer.
func pemOf(t *testing.T, name string, authority bool) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IsCA: authority, BasicConstraintsValid: true}
	issuer := c
	if !authority {
		issuer = &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "issuer"}}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestProvenUpstreams(t *testing.T) {
	disk := Disk{Dir: "/etc/sallyport", Files: memory{
		"/etc/sallyport/ca.pem": "our own\n" + pemOf(t, "one", true) + pemOf(t, "two", true), "/etc/sallyport/empty.pem": "\n", "/etc/sallyport/leaf.pem": pemOf(t, "server", false),
		"/etc/sallyport/key.pem": "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n", "/etc/sallyport/broken.pem": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
		"/etc/sallyport/secret.pem": "!perm",
	}}
	const both = `upstreams = ["tls://192.0.2.53:853?name=dns.corp.example", "https://192.0.2.53/dns-query?name=dns.corp.example"]` + "\n"
	for _, c := range []struct{ what, text, problem string }{
		{"the two examples", "[dns]\n" + both, ""},
		{"a zone", "[[dns.zone]]\nsuffix = 'corp.example'\n" + both, ""},
		{"authorities", "[dns]\n" + both + "upstreams_ca = 'ca.pem'\n", ""},
		{"no name", "[dns]\nupstreams = [\n'tls://192.0.2.53']\n", "c.toml:3: upstreams: tls: the upstream must prove who it is"},
		{"no name in a zone", "[[dns.zone]]\nsuffix = 'corp.example'\nupstreams = ['https://10.0.0.53/dns-query']\n", "c.toml:3: upstreams: https: the upstream must prove who it is"},
		{"our own listener", "[listen]\ndns = ['127.0.0.1:853']\n[dns]\nupstreams = ['tls://127.0.0.1?name=a.example']\n", "c.toml:4: upstreams: tls://127.0.0.1?name=a.example is sallyport's own"},
		{"beside one without a proof", "[dns]\nupstreams = [\n\"tls://192.0.2.53?name=a.example\",\n\"udp://192.0.2.53\"]\n", "c.toml:4: warning: upstreams: udp://192.0.2.53 is asked without encryption when the other upstreams do not answer"},
		{"dnssec with system", "[dns]\ndnssec = 'require'\n", `c.toml:2: dnssec: is "require", which needs upstreams that are known`},
		{"dnssec with an upstream that can be forged", "[dns]\ndnssec = 'log'\nupstreams = ['udp://127.0.0.1',\n'tcp://192.0.2.53']\n", `c.toml:4: upstreams: dnssec = "log" needs a validating resolver on a way that cannot be forged: ask tcp://192.0.2.53 by tls://`},
		{"dnssec with a zone of its own", "[dns]\ndnssec = 'require'\n" + both + "[[dns.zone]]\nsuffix = 'corp.example'\nupstreams = ['udp://10.0.0.53']\n", ""},
		{"dnssec on loopback", "[dns]\ndnssec = 'require'\nupstreams = ['udp://127.0.0.1', 'tcp://[::1]']\n", ""},
		{"an unknown dnssec", "[dns]\ndnssec = 'on'\n", `c.toml:2: dnssec: "on"`},
		{"no file", "[dns]\nupstreams_ca = 'none.pem'\n", "c.toml:2: upstreams_ca: /etc/sallyport/none.pem: no such file or directory: create it"},
		{"a file that cannot be read", "[dns]\nupstreams_ca = 'secret.pem'\n", "c.toml:2: upstreams_ca: /etc/sallyport/secret.pem: permission denied"},
		{"an empty key", "[dns]\nupstreams_ca = ''\n", ""},
		{"an empty file", "[dns]\nupstreams_ca = 'empty.pem'\n", "c.toml:2: upstreams_ca: /etc/sallyport/empty.pem: the file has no certificate in PEM"},
		{"a key", "[dns]\nupstreams_ca = 'key.pem'\n", "c.toml:2: upstreams_ca: /etc/sallyport/key.pem: block 1 of the file is a PRIVATE KEY"},
		{"a broken certificate", "[dns]\nupstreams_ca = 'broken.pem'\n", "c.toml:2: upstreams_ca: /etc/sallyport/broken.pem: certificate 1 of the file cannot be read"},
		{"a server's certificate", "[dns]\nupstreams_ca = 'leaf.pem'\n", `c.toml:2: upstreams_ca: /etc/sallyport/leaf.pem: certificate 1 of the file, of "CN=server", is no authority`},
	} {
		cfg, problems := Parse("c.toml", disk, []byte(c.text+one), testProfiles(t))
		found := slices.ContainsFunc(problems, func(p rules.Problem) bool { return strings.HasPrefix(p.String(), c.problem) })
		if c.problem == "" && (cfg == nil || len(problems) > 0) || c.problem != "" && !found {
			t.Errorf("%s: %q, want %q", c.what, []rules.Problem(problems), c.problem)
		}
		if c.what != "authorities" {
			continue
		}
		if cfg.DNS.Authorities == nil || len(cfg.DNS.Upstreams) != 2 || !slices.Equal(cfg.Inputs, []Input{{Key: "[dns] upstreams_ca", Line: 3, Path: "/etc/sallyport/ca.pem"}}) {
			t.Errorf("%s: %+v, inputs %v: the file must be watched", c.what, cfg.DNS, cfg.Inputs)
		}
	}
}
