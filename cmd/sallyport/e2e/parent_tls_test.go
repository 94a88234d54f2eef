//go:build linux

// Parent, TLS: stunnel in front of Tinyproxy wants TLS and a client certificate.

package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stunnelParent accepts TLS with a client certificate of the lab's authority. %[1]s is the
// directory of its files.
const stunnelParent = `
foreground = yes
pid =
[parent]
accept = ` + parentAt + `
connect = ` + ntlmAt + `
cert = %[1]s/parent.pem
CAfile = %[1]s/ca.pem
verifyChain = yes
`

// pemOf returns a certificate of the lab's authority and its key, in PEM form.
func (l *lab) pemOf(t *testing.T, name string, until time.Duration) string {
	t.Helper()
	c, err := l.ca.issue(name, -2*time.Hour, until)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}

func TestParentStunnel(t *testing.T) {
	need(t, "stunnel4", "tinyproxy", "curl", "openssl")
	for _, c := range []struct {
		what, name, keys, fault, hint string
		until                         time.Duration
	}{
		{"with a client certificate", resolver4, "cert = \"mine.pem\"\nkey = \"mine.pem\"\n", "", "", time.Hour},
		{"without one", resolver4, "", "parent_tls", "wants a client certificate: set cert and key of its [[parent]].", time.Hour},
		{"a certificate for another name", "proxy.corp.example", "cert = \"mine.pem\"\nkey = \"mine.pem\"\n", "parent_tls", "makes no TLS connection that sallyport trusts", time.Hour},
		{"a certificate out of date", resolver4, "cert = \"mine.pem\"\nkey = \"mine.pem\"\n", "parent_tls", "makes no TLS connection that sallyport trusts", -time.Hour},
	} {
		t.Run(c.what, func(t *testing.T) {
			l := newLab(t)
			l.startProxy(t, strings.ReplaceAll(tinyproxyParent, "Port 8118", "Port 8119"), ntlmAt, "tinyproxy", "-d", "-c")
			l.parentFiles = map[string]string{"parent.pem": l.pemOf(t, c.name, c.until)}
			l.startParent(t, stunnelParent, "stunnel4")
			g := newGateway(t, l.gateway)
			replace(t, filepath.Join(g.dir, "login"), login+"\n")
			replace(t, filepath.Join(g.dir, "mine.pem"), l.pemOf(t, "sallyport", time.Hour))
			private(t, g.dir, "login", "mine.pem")
			g.configure(t, withParent("url = \"https://"+parentAt+"\"\nauth_file = \"login\"\nca = \""+l.ca.file+"\"\n"+c.keys, systemResolver))
			g.start(t, "run", "--config", "sallyport.toml")
			g.waitReady(t)
			mark := l.rec.mark(t)
			r := l.curl(t, named("es-manager"), "-v", "-x", viaHTTP, "https://license.sangfor.com/")
			if c.fault == "" && (r.code != 0 || !strings.Contains(r.stdout, "tls=true host=license.sangfor.com")) ||
				c.fault != "" && (r.code == 0 || !strings.Contains(r.stderr, "X-Sallyport-Fault: "+c.fault) || !strings.Contains(r.stderr, c.hint)) {
				t.Errorf("%v\n%s", r, g.out.String())
			}
			l.onlyToParent(t, mark, true)
			if c.fault != "" {
				g.waitLog(t, "fault="+c.fault, c.hint)
				g.waitFlow(t, `"detail":"dial: `+c.fault+`"`)
			}
		})
	}
}
