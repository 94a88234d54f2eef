// Tests of the files of [listen] https: what is read, and what is said about mistakes in them.

package site

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io/fs"
	"math/big"
	"strings"
	"testing"
	"time"
)

// tlsFiles are the files of a host by their paths below /etc/sallyport.
type tlsFiles map[string]string

func (f tlsFiles) Read(path string, _ int) ([]byte, error) {
	name := strings.TrimPrefix(path, "/etc/sallyport/")
	if name == "locked.pem" {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
	}
	if text, ok := f[name]; ok {
		return []byte(text), nil
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}
func (tlsFiles) List(string, string) ([]string, error) { return nil, nil }

// An issuer makes certificates and revocation lists for these tests.
type issuer struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// newIssuer returns a certificate that signs itself, an authority or not, that ends after some time.
func newIssuer(t *testing.T, name string, authority bool, ends time.Duration, hosts ...string) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-1000 * time.Hour), NotAfter: time.Now().Add(ends),
		BasicConstraintsValid: true, IsCA: authority, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte(name), DNSNames: hosts}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{t, cert, key}
}

func (i *issuer) pem() string { return pemText("CERTIFICATE", i.cert.Raw) }

func (i *issuer) keyPEM() string {
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	return pemText("PRIVATE KEY", der)
}

// list returns a revocation list in DER.
func (i *issuer) list(from, until time.Duration, extra ...pkix.Extension) []byte {
	now := time.Now()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(from), NextUpdate: now.Add(until), ExtraExtensions: extra}, i.cert, i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	return der
}

func TestSecureListener(t *testing.T) {
	const day = 24 * time.Hour
	server, ca, other := newIssuer(t, "proxy", false, 100*day, "proxy.corp.example"), newIssuer(t, "CA", true, 100*day), newIssuer(t, "Other", true, 100*day)
	expired, nameless := newIssuer(t, "old", false, -time.Hour, "proxy.corp.example"), newIssuer(t, "nameless", false, 100*day)
	delta := pkix.Extension{Id: []int{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}
	files := tlsFiles{
		"cert.pem": server.pem(), "key.pem": server.keyPEM(), "other.key": other.keyPEM(), "old.pem": expired.pem(), "old.key": expired.keyPEM(),
		"chain.pem": ca.pem() + server.pem(), "cert.der": string(server.cert.Raw), "nameless.pem": nameless.pem(), "nameless.key": nameless.keyPEM(), "soon.pem": "", "empty.pem": "", "text.pem": "hello\n",
		"locked.key": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
		"ca.pem":     ca.pem(), "both.pem": ca.pem() + other.pem(), "expired.ca": newIssuer(t, "Late", true, -time.Hour).pem(),
		"ca.crl": pemText("X509 CRL", ca.list(-time.Hour, day)), "ca.der": string(ca.list(-time.Hour, day)), "other.crl": pemText("X509 CRL", other.list(-time.Hour, day)),
		"ends.crl": pemText("X509 CRL", ca.list(-6*day, day)), "soon.ca": newIssuer(t, "Soon", true, 2*day).pem(),
		"ended.crl": pemText("X509 CRL", ca.list(-2*day, -day)), "early.crl": pemText("X509 CRL", ca.list(day, 2*day)), "delta.crl": pemText("X509 CRL", ca.list(-time.Hour, day, delta)),
		"forged.crl": pemText("X509 CRL", newIssuer(t, "CA", true, day).list(-time.Hour, day)),
	}
	const pair = "tls_cert = 'cert.pem'\ntls_key = 'key.pem'\n"
	for _, c := range []struct{ name, lines, want string }{
		{"without clients' certificates", pair, ""},
		{"with them", pair + "client_ca = 'ca.pem'\nclient_crl = 'ca.crl'", ""},
		{"a list in DER", pair + "client_ca = 'ca.pem'\nclient_crl = 'ca.der'", ""},
		{"no files", "", "c.toml:2: https: set tls_cert and tls_key beside it, the PEM files of the certificate and its key: tls_cert is missing"},
		{"no key", "tls_cert = 'cert.pem'", "c.toml:2: https: set tls_cert and tls_key beside it, the PEM files of the certificate and its key: tls_key is missing"},
		{"a missing file", "tls_cert = 'none.pem'\ntls_key = 'key.pem'", "c.toml:3: tls_cert: /etc/sallyport/none.pem: file does not exist: create it, or correct the path"},
		{"a file of another user", pair[:22] + "tls_key = 'locked.pem'", "c.toml:4: warning: tls_key: /etc/sallyport/locked.pem: permission denied: the user of sallyport must be able to read it; sallyport cannot start as this user"},
		{"another key", "tls_cert = 'cert.pem'\ntls_key = 'other.key'", "c.toml:3: tls_cert: /etc/sallyport/cert.pem: the key in /etc/sallyport/other.key belongs to another certificate: name the two files that were made together"},
		{"a passphrase", "tls_cert = 'cert.pem'\ntls_key = 'locked.key'", "c.toml:4: tls_key: /etc/sallyport/locked.key: the key needs a passphrase"},
		{"no certificate in it", "tls_cert = 'text.pem'\ntls_key = 'key.pem'", "c.toml:3: tls_cert: /etc/sallyport/text.pem: the file has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"},
		{"the two files exchanged", "tls_cert = 'key.pem'\ntls_key = 'cert.pem'", "c.toml:3: tls_cert: /etc/sallyport/key.pem has the key, and /etc/sallyport/cert.pem has the certificate: exchange the two paths"},
		{"the certificate twice", "tls_cert = 'cert.pem'\ntls_key = 'cert.pem'", "c.toml:4: tls_key: /etc/sallyport/cert.pem: the file has a CERTIFICATE and no key: name the file of the key"},
		{"the key twice", "tls_cert = 'key.pem'\ntls_key = 'key.pem'", "c.toml:3: tls_cert: /etc/sallyport/key.pem: the file has a PRIVATE KEY and no certificate: name the file of the certificate"},
		{"the authority first", "tls_cert = 'chain.pem'\ntls_key = 'key.pem'", "c.toml:3: tls_cert: /etc/sallyport/chain.pem: the key in /etc/sallyport/key.pem belongs to certificate 2 of the file: that certificate must be the first one"},
		{"a certificate in DER", "tls_cert = 'cert.der'\ntls_key = 'key.pem'", "c.toml:3: tls_cert: /etc/sallyport/cert.der: the file seems to be DER, and must be PEM: openssl x509 -inform der -in /etc/sallyport/cert.der -out NEW"},
		{"expired", "tls_cert = 'old.pem'\ntls_key = 'old.key'", "c.toml:3: warning: tls_cert: /etc/sallyport/old.pem: the certificate expired on "},
		{"without a name", "tls_cert = 'nameless.pem'\ntls_key = 'nameless.key'", "c.toml:3: warning: tls_cert: /etc/sallyport/nameless.pem has neither a DNS name nor an address (subjectAltName)"},
		{"a leaf as an authority", pair + "client_ca = 'cert.pem'", `c.toml:5: client_ca: /etc/sallyport/cert.pem: certificate 1, of "CN=proxy", is no authority`},
		{"a key as an authority", pair + "client_ca = 'key.pem'", "c.toml:5: client_ca: /etc/sallyport/key.pem: block 1 of the file is a PRIVATE KEY"},
		{"no authority in it", pair + "client_ca = 'empty.pem'", "c.toml:5: client_ca: /etc/sallyport/empty.pem: the file has no certificate in PEM"},
		{"an authority that expired", pair + "client_ca = 'expired.ca'", `c.toml:5: warning: client_ca: /etc/sallyport/expired.ca: the authority "CN=Late" expired on `},
		{"a list without authorities", pair + "client_crl = 'ca.crl'", "c.toml:5: client_crl: needs client_ca"},
		{"a list of another authority", pair + "client_ca = 'ca.pem'\nclient_crl = 'other.crl'", `c.toml:6: client_crl: /etc/sallyport/other.crl: list 1: no authority of client_ca has signed the list of "CN=Other"`},
		{"a forged list", pair + "client_ca = 'ca.pem'\nclient_crl = 'forged.crl'", `c.toml:6: client_crl: /etc/sallyport/forged.crl: list 1: no authority of client_ca has signed the list of "CN=CA"`},
		{"a delta list", pair + "client_ca = 'ca.pem'\nclient_crl = 'delta.crl'", "c.toml:6: client_crl: /etc/sallyport/delta.crl: list 1: it has the critical extension 2.5.29.27"},
		{"a certificate as a list", pair + "client_ca = 'ca.pem'\nclient_crl = 'ca.pem'", "c.toml:6: client_crl: /etc/sallyport/ca.pem: the file has a CERTIFICATE"},
		{"no list in it", pair + "client_ca = 'ca.pem'\nclient_crl = 'text.pem'", "c.toml:6: client_crl: /etc/sallyport/text.pem: the file has no revocation list"},
		{"a list that ended", pair + "client_ca = 'ca.pem'\nclient_crl = 'ended.crl'", `c.toml:6: warning: client_crl: /etc/sallyport/ended.crl: the list of "CN=CA" ended on `},
		{"a list that has not begun", pair + "client_ca = 'ca.pem'\nclient_crl = 'early.crl'", `c.toml:6: warning: client_crl: /etc/sallyport/early.crl: the list of "CN=CA" begins on `},
		{"a list that soon ends", pair + "client_ca = 'ca.pem'\nclient_crl = 'ends.crl'", `c.toml:6: warning: client_crl: /etc/sallyport/ends.crl: the list of "CN=CA" ends on `},
		{"an authority that soon expires", pair + "client_ca = 'soon.ca'", `c.toml:5: warning: client_ca: /etc/sallyport/soon.ca: the authority "CN=Soon" expires on `},
		{"an authority without a list", pair + "client_ca = 'both.pem'\nclient_crl = 'ca.crl'", `c.toml:6: warning: client_crl: /etc/sallyport/ca.crl: there is no list of the authority "CN=Other"`},
	} {
		text := "[listen]\nhttps = ['127.0.0.1:3131']\n" + c.lines + "\n[[client]]\nname = 'one'\ncertificate = ['CN=one']\nprofiles = []\n"
		cfg, problems := Parse("c.toml", Disk{Dir: "/etc/sallyport", Files: files}, []byte(text), nil)
		if cfg != nil {
			problems = append(problems, cfg.CheckDates(time.Now())...)
		}
		var got []string
		for _, p := range problems {
			if !strings.Contains(p.String(), "no listener takes certificates") && !strings.Contains(p.String(), "reach every") {
				got = append(got, p.String())
			}
		}
		all := strings.Join(got, "\n")
		if c.want == "" != (len(got) == 0) || !strings.Contains(all, c.want) {
			t.Errorf("%s:\n%s\nwant %s", c.name, all, c.want)
		}
		if strings.Contains(all, "PRIVATE KEY-----") {
			t.Errorf("%s: a key is in a message", c.name)
		}
		if c.want == "" && (len(cfg.Secure.Certificate.Certificate) == 0 || len(cfg.Inputs) < 2 || cfg.Inputs[0].Secret || !cfg.Inputs[1].Secret) {
			t.Errorf("%s: %+v", c.name, cfg.Inputs)
		}
	}
}

// The files belong to https, and a client with a certificate needs client_ca.
func TestSecureKeysWithoutListener(t *testing.T) {
	ca := newIssuer(t, "CA", true, time.Hour)
	files := tlsFiles{"ca.pem": ca.pem(), "cert.pem": ca.pem(), "key.pem": ca.keyPEM()}
	for _, c := range []struct{ text, want string }{
		{"[listen]\nclient_ca = 'ca.pem'\n", "c.toml:2: client_ca: belongs to https, which lists no address"},
		{"[listen]\ntls_cert = 'cert.pem'\ntls_key = 'key.pem'\n", "c.toml:2: tls_cert: belongs to https, which lists no address"},
		{"[listen]\nhttps = ['127.0.0.1:3131']\ntls_cert = 'cert.pem'\ntls_key = 'key.pem'\n[[client]]\nname = 'one'\nsources = ['10.1.1.1']\ncertificate = ['CN=one']\nprofiles = []\n",
			`c.toml:8: warning: certificate: no listener takes certificates of clients, so every attempt of client "one" is denied as unauthenticated`},
		{"[listen]\nhttp = ['127.0.0.1:3131']\nhttps = ['127.0.0.1:3131']\ntls_cert = 'cert.pem'\ntls_key = 'key.pem'\n", "c.toml:3: https: 127.0.0.1:3131 is already used by http"},
	} {
		_, problems := Parse("c.toml", Disk{Dir: "/etc/sallyport", Files: files}, []byte(c.text), nil)
		all := ""
		for _, p := range problems {
			all += p.String() + "\n"
		}
		if !strings.Contains(all, c.want) {
			t.Errorf("%s\n%s\nwant %s", c.text, all, c.want)
		}
	}
}

// The files that end are known with their ends, for metrics and pages.
func TestDated(t *testing.T) {
	server, ca, late := newIssuer(t, "proxy", false, 50*time.Hour, "proxy.corp.example"), newIssuer(t, "CA", true, 40*time.Hour), newIssuer(t, "Late", true, 30*time.Hour)
	files := tlsFiles{"cert.pem": server.pem(), "key.pem": server.keyPEM(), "ca.pem": ca.pem() + late.pem(), "crl.pem": pemText("X509 CRL", ca.list(-time.Hour, 20*time.Hour))}
	cfg, problems := Parse("c.toml", Disk{Dir: "/etc/sallyport", Files: files}, []byte("[listen]\nhttps = ['127.0.0.1:3131']\ntls_cert = 'cert.pem'\ntls_key = 'key.pem'\nclient_ca = 'ca.pem'\nclient_crl = 'crl.pem'\n"), nil)
	if cfg == nil {
		t.Fatal(problems)
	}
	got := ""
	for _, d := range cfg.Secure.Dated() {
		got += d.Key + " " + time.Until(d.Until).Round(time.Hour).String() + "\n"
	}
	if got != "tls_cert 50h0m0s\nclient_ca 30h0m0s\nclient_crl 20h0m0s\n" {
		t.Error(got)
	}
}
