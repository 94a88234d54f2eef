//go:build linux

// Proven upstreams: sallyport asks Unbound, dnsdist and Knot Resolver by DNS over TLS and
// over HTTPS, and none of them in any other way.

package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// provenSite is a gateway with one upstream, its DNS listener and the file with the authority.
const provenSite = `
[listen]
dns = ["127.0.0.1:%d"]
[[client]]
name = "lab"
sources = ["127.0.0.0/8"]
profiles = []
[[rule]]
id = "r"
client = "lab"
to = ["www.plain.example", "*.signed.example"]
tcp = [443]
reason = "test"
[dns]
upstreams = [%q]
upstreams_ca = %q
[journal]
path = "d%[1]d.jsonl"
`

// pemFiles writes a certificate and its key, and returns the pin of the key.
func pemFiles(t *testing.T, dir string, cert *tls.Certificate) (pin string) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: leaf.Raw}, "key.pem": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	hash := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return "sha256/" + base64.StdEncoding.EncodeToString(hash[:])
}

// canary counts what comes to port 53 of an address, by UDP and TCP.
func canary(t *testing.T, n *netns, address string, count *atomic.Int32) {
	t.Helper()
	pc, err := n.listenPacket(address + ":53")
	if err != nil {
		t.Fatal(err)
	}
	l, err := n.listen(address + ":53")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close(); l.Close() })
	go func() {
		for buf := make([]byte, 512); ; count.Add(1) {
			if _, _, err := pc.ReadFrom(buf); err != nil {
				return
			}
		}
	}()
	go func() {
		for ; ; count.Add(1) {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
}

// TestProvenUpstreams asserts that names resolve through real resolvers of DNS over TLS and
// HTTPS, by name and by pin; that a resolver with another name or another key gets no
// question; and that nothing comes to port 53 of any of them.
func TestProvenUpstreams(t *testing.T) {
	need(t, "dig", "unbound", "dnsdist", "kresd")
	n := newNetns(t, "proven")
	world := &signedWorld{root: newZoneKey(t, "."), example: newZoneKey(t, "signed.example.")}
	serveDNS(t, n, world, "127.0.0.53:53")
	dir := t.TempDir()
	ca := newAuthority(t, dir)
	cert, err := ca.issue("dns.corp.example", -time.Hour, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	pin := pemFiles(t, dir, cert)
	files := map[string]string{
		"unbound.conf": "server:\n interface: 127.0.0.61@853\n interface: 127.0.0.61@443\n tls-service-pem: cert.pem\n tls-service-key: key.pem\n do-daemonize: no\n chroot: \"\"\n username: \"\"\n" +
			" directory: \"" + dir + "\"\n pidfile: \"\"\n do-not-query-localhost: no\n use-syslog: no\n module-config: iterator\nremote-control:\n control-enable: no\nforward-zone:\n name: \".\"\n forward-addr: 127.0.0.53\n",
		"dnsdist.conf": "setLocal('127.0.0.62:5353')\nsetACL('127.0.0.0/8')\nsetSecurityPollSuffix('')\naddTLSLocal('127.0.0.62:853', 'cert.pem', 'key.pem')\n" +
			"addDOHLocal('127.0.0.62:443', 'cert.pem', 'key.pem', '/dns-query')\nnewServer('127.0.0.53:53')\n",
		"kresd.conf": "net.listen('127.0.0.63', 853, { kind = 'tls' })\nnet.listen('127.0.0.63', 443, { kind = 'doh2' })\nnet.tls('cert.pem', 'key.pem')\ncache.size = 10 * MB\n" +
			"policy.add(policy.all(policy.STUB({'127.0.0.53'})))\n",
	}
	type gateway struct {
		what  string
		port  int
		works bool
	}
	var gateways []gateway
	port := 5400
	for server, address := range map[string]string{"Unbound": "127.0.0.61", "dnsdist": "127.0.0.62", "Knot Resolver": "127.0.0.63"} {
		for form, url := range map[string]string{"TLS": "tls://" + address + "?", "HTTPS": "https://" + address + "/dns-query?"} {
			for who, works := range map[string]bool{
				"name=dns.corp.example": true, "spki=" + pin: true, "name=dns.corp.example&spki=" + pin: true,
				"name=other.corp.example": false, "spki=sha256/" + strings.Repeat("A", 43) + "=": false,
			} {
				port++
				gateways = append(gateways, gateway{server + " over " + form + ", " + who, port, works})
				files[fmt.Sprintf("%d.toml", port)] = fmt.Sprintf(provenSite, port, url+who, ca.file)
			}
		}
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var plain atomic.Int32
	for _, address := range []string{"127.0.0.61", "127.0.0.62", "127.0.0.63"} {
		canary(t, n, address, &plain)
	}
	background(t, n, dir, "unbound", "-d", "-c", "unbound.conf")
	background(t, n, dir, "dnsdist", "--supervised", "--disable-syslog", "-C", "dnsdist.conf")
	background(t, n, dir, "kresd", "-n", "-c", "kresd.conf", dir)
	for _, address := range []string{"127.0.0.61:853", "127.0.0.61:443", "127.0.0.62:853", "127.0.0.62:443", "127.0.0.63:853", "127.0.0.63:443"} {
		waitServed(t, n, address)
	}
	for _, g := range gateways {
		background(t, n, dir, builtBinary(t), "run", "--config", fmt.Sprintf("%d.toml", g.port))
	}
	for _, g := range gateways {
		ask := func(name string) string {
			return n.run(t, dir, "", "dig", "@127.0.0.1", "-p", fmt.Sprint(g.port), "+tries=2", "+time=20", "+noall", "+comments", "+answer", name, "A").stdout
		}
		if !g.works {
			if out := digWhenServed(t, n, dir, g.port, "a.signed.example", "+tries=2", "+time=20"); !strings.Contains(out, "status: SERVFAIL") {
				t.Errorf("%s: %s", g.what, out)
			}
			if !strings.HasPrefix(g.what, "Unbound") {
				continue
			}
			r := n.run(t, dir, "", builtBinary(t), "preflight", "--config", fmt.Sprintf("%d.toml", g.port), "--timeout", "20s")
			if !strings.Contains(r.stdout, "not for other.corp.example") && !strings.Contains(r.stdout, "the server has another key, spki="+pin) || !strings.Contains(r.stdout, "  do: ") {
				t.Errorf("%s: preflight does not say why: %v", g.what, r)
			}
			continue
		}
		out := ""
		for deadline := time.Now().Add(time.Minute); !strings.Contains(out, "93.184.61.10") && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
			out = ask("www.plain.example")
		}
		for _, name := range []string{"www.plain.example", "a.signed.example", "b.signed.example"} {
			if out := ask(name); !strings.Contains(out, "NOERROR") || !strings.Contains(out, "93.184.61.10") {
				t.Errorf("%s: %s: %s", g.what, name, out)
			}
		}
	}
	if plain.Load() != 0 {
		t.Errorf("%d datagrams and connections came to port 53", plain.Load())
	}
}

// waitServed waits until a server listens at an address.
func waitServed(t *testing.T, n *netns, address string) {
	t.Helper()
	eventually(t, time.Minute, "a server at "+address, func() error {
		c, err := n.dialBriefly(address)
		if err == nil {
			c.Close()
		}
		return err
	})
}

// digWhenServed asks for the A records of a name at a port of this host. It waits until
// something listens there.
func digWhenServed(t *testing.T, n *netns, dir string, port int, name string, options ...string) (out string) {
	t.Helper()
	args := append([]string{"@127.0.0.1", "-p", fmt.Sprint(port), "+noall", "+comments", "+answer", name, "A"}, options...)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if out = n.run(t, dir, "", "dig", args...).stdout; !strings.Contains(out, "connection refused") {
			break
		}
	}
	return out
}

// TestDNSSECRequired asserts that a signed name resolves through a validating resolver, and
// that an answer with a wrong signature, and one without a signature, is denied as dns_bogus.
func TestDNSSECRequired(t *testing.T) {
	need(t, "dig", "unbound")
	n := newNetns(t, "dnssec")
	world := &signedWorld{root: newZoneKey(t, "."), example: newZoneKey(t, "signed.example.")}
	serveDNS(t, n, world, "127.0.0.53:53")
	dir := t.TempDir()
	ca := newAuthority(t, dir)
	cert, err := ca.issue("dns.corp.example", -time.Hour, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	pemFiles(t, dir, cert)
	anchor := strings.ReplaceAll(world.root.key.ToDS(dns.SHA256).String(), "\t", " ")
	site := fmt.Sprintf(provenSite, 5400, "tls://127.0.0.61?name=dns.corp.example", ca.file)
	for file, text := range map[string]string{
		"s.toml": strings.Replace(site, "[dns]\n", "[dns]\ndnssec = \"require\"\n", 1),
		"unbound.conf": "server:\n interface: 127.0.0.61@853\n tls-service-pem: cert.pem\n tls-service-key: key.pem\n do-daemonize: no\n chroot: \"\"\n username: \"\"\n" +
			" directory: \"" + dir + "\"\n pidfile: \"\"\n do-not-query-localhost: no\n use-syslog: no\n ede: yes\n module-config: \"validator iterator\"\n trust-anchor: \"" + anchor + "\"\n" +
			"remote-control:\n control-enable: no\nforward-zone:\n name: \".\"\n forward-addr: 127.0.0.53\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	background(t, n, dir, "unbound", "-d", "-c", "unbound.conf")
	background(t, n, dir, builtBinary(t), "run", "--config", "s.toml")
	ask := func(name string) string {
		return n.run(t, dir, "", "dig", "@127.0.0.1", "-p", "5400", "+tries=2", "+time=20", "+cdflag", "+noall", "+comments", "+answer", name, "A").stdout
	}
	for deadline := time.Now().Add(time.Minute); !strings.Contains(ask("a.signed.example"), "93.184.61.10") && time.Now().Before(deadline); {
		time.Sleep(200 * time.Millisecond)
	}
	for name, wants := range map[string][]string{
		"b.signed.example":     {"status: NOERROR", "93.184.61.10"},
		"bogus.signed.example": {"status: SERVFAIL", "EDE: 6 (DNSSEC Bogus): (dns_bogus"},
		"www.plain.example":    {"status: SERVFAIL", "EDE: 6 (DNSSEC Bogus): (dns_bogus"},
	} {
		out := ask(name)
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in %s", name, want, out)
			}
		}
	}
	eventually(t, longestWait, "the records", func() error {
		r := n.run(t, dir, "", builtBinary(t), "denials", "list", "--reason", "dns_bogus", "--config", "s.toml")
		if err := lacks(r.stdout, "bogus.signed.example", "www.plain.example"); err != nil {
			return errorf("%v: %v", err, r)
		}
		return nil
	})
}
