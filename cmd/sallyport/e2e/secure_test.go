//go:build linux

// Secure: curl, OpenSSL, Python and HAProxy use the HTTP proxy over TLS, with certificates that
// OpenSSL has issued and revoked as docs/identity.md shows.

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// opensslCA are the commands of docs/identity.md, for the names of this test.
const opensslCA = `set -e
cat > crl.cnf <<'EOF'
[ca]
default_ca = site
[site]
database         = index.txt
crlnumber        = crlnumber
certificate      = ca.pem
private_key      = ca.key
default_md       = sha256
default_crl_days = 30
EOF
touch index.txt
echo 01 > crlnumber
authority() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$1 CA" -keyout "$1.key" -out "$1.pem"
}
issue() { # NAME SUBJECTALTNAME USAGE DAYS AUTHORITY
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -addext "subjectAltName=$2" -addext "extendedKeyUsage=$3" -keyout "$1.key" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA "$5.pem" -CAkey "$5.key" -CAcreateserial -days "$4" -copy_extensions copy -out "$1.pem"
}
authority ca
authority other
issue proxy DNS:proxy.corp.example,IP:` + gateway4 + ` serverAuth 365 ca
issue es DNS:es.corp.example clientAuth 365 ca
issue lost DNS:es.corp.example clientAuth 365 ca
issue mallory DNS:mallory.corp.example clientAuth 365 ca
issue late DNS:es.corp.example clientAuth -1 ca
issue stray DNS:es.corp.example clientAuth 365 other
openssl ca -config crl.cnf -gencrl -out clients.crl
chmod 640 *.key
`

const secureDoor = "https://" + gateway4 + ":3131"

// secureListen has the listener beside those that the lab needs.
const secureListen = `[listen]
https = ["` + gateway4 + `:3131", "127.0.0.1:3131"]
tls_cert = "proxy.pem"
tls_key = "proxy.key"
client_ca = "ca.pem"
client_crl = "clients.crl"
http = ["127.0.0.1:3128"]
dns = ["127.0.0.1:5300"]
admin = "127.0.0.1:9180"
proxy_protocol_from = ["127.0.0.1"]
[dns]
upstreams = ["udp://` + resolver4 + `:53"]
`

// A secured is a gateway with the listener, and the files of its authority.
type secured struct {
	*gateway
	l *lab
	t *testing.T
}

func (s *secured) sh(script string) {
	s.t.Helper()
	if r := s.l.gateway.run(s.t, s.dir, "", "sh", "-c", script); r.code != 0 {
		s.t.Fatalf("%v", r)
	}
}

// curl asks over TLS, with the certificate of that name; "": none.
func (s *secured) curl(from client, name string, args ...string) result {
	s.t.Helper()
	all := []string{"-x", secureDoor, "--proxy-cacert", filepath.Join(s.dir, "ca.pem")}
	if name != "" {
		all = append(all, "--proxy-cert", filepath.Join(s.dir, name+".pem"), "--proxy-key", filepath.Join(s.dir, name+".key"))
	}
	return s.l.curl(s.t, from, append(all, args...)...)
}

func TestSecureProxy(t *testing.T) {
	need(t, "curl", "openssl", "haproxy", "/usr/bin/python3")
	l := newLab(t)
	s := &secured{newGateway(t, l.gateway), l, t}
	s.sh(opensslCA)
	s.configure(t, strings.Replace(configurationOf(secureListen, fleet[:1]), "[[client]]\n", "[[client]]\ncertificate = [\"DNS:es.corp.example\"]\n", 1))
	s.start(t, "run", "--config", "sallyport.toml")
	s.waitReady(t)
	manager := fleet[0]
	for _, url := range []string{"https://license.sangfor.com/", "http://upd.sangfor.com/"} {
		if r := s.curl(manager, "es", url); r.code != 0 || !strings.Contains(r.stdout, "origin ") {
			t.Errorf("%v", r)
		}
	}
	s.preflight("ok", "one of proxy.corp.example, ", "shows this certificate", "has signed it; clients must trust that authority")
	s.python(manager)
	s.balanced(manager)
	s.refused(manager)
	s.notTLS(manager)
	s.renegotiates(manager)
	s.renewed(manager)
	s.ends(manager)
}

// preflight asks what it finds about the listener: its status, and texts of its checks. The running
// gateway writes no record of that.
func (s *secured) preflight(status string, want ...string) {
	s.t.Helper()
	mark := s.journal().mark()
	r := s.l.gateway.run(s.t, s.dir, "", builtBinary(s.t), "preflight", "--config", "sallyport.toml", "--host", "license.sangfor.com", "--json", "--timeout", "20s")
	var report struct {
		Listener struct {
			Status string
			Checks []struct{ What, Status, Detail string }
		} `json:"tls_listener"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		s.t.Fatalf("%v\n%v", err, r)
	}
	if report.Listener.Status != status {
		s.t.Errorf("status %q, want %q: %+v", report.Listener.Status, status, report.Listener.Checks)
	}
	for _, text := range want {
		if !strings.Contains(fmt.Sprint(report.Listener.Checks), text) {
			s.t.Errorf("no check says %q: %+v", text, report.Listener.Checks)
		}
	}
	if s.journal().mark() != mark {
		s.t.Error("preflight made a record")
	}
}

// python tunnels through the TLS of the proxy, with TLS to the origin inside.
func (s *secured) python(from client) {
	s.t.Helper()
	script := fmt.Sprintf(`import socket, ssl, sys
outer = ssl.create_default_context(cafile=%[1]q + "/ca.pem")
outer.load_cert_chain(%[1]q + "/es.pem", %[1]q + "/es.key")
conn = outer.wrap_socket(socket.create_connection((%[2]q, 3131), 20, (%[3]q, 0)), server_hostname="proxy.corp.example")
conn.sendall(b"GET http://upd.sangfor.com/ HTTP/1.1\r\nHost: upd.sangfor.com\r\nConnection: close\r\n\r\n")
print(conn.version(), conn.selected_alpn_protocol())
while b := conn.recv(65536):
    sys.stdout.write(b.decode("latin-1"))
`, s.dir, gateway4, from.v4())
	if r := s.l.tool(s.t, "/usr/bin/python3", "-c", script); r.code != 0 || !strings.Contains(r.stdout, "TLSv1.3") || !strings.Contains(r.stdout, "origin ") {
		s.t.Errorf("%v", r)
	}
}

// balanced reaches the listener through HAProxy, which passes TLS on behind a PROXY header.
func (s *secured) balanced(from client) {
	s.t.Helper()
	cfg := filepath.Join(s.t.TempDir(), "haproxy.cfg")
	text := "defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n" +
		"listen secure\n    bind " + gateway4 + ":4131\n    server gate 127.0.0.1:3131 send-proxy-v2\n"
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	ha := newGateway(s.t, s.l.gateway)
	ha.startCommand(s.t, "haproxy", "-db", "-f", cfg)
	ha.waitListening(s.t, gateway4+":4131")
	through := func(name string) result {
		return s.curl(from, name, "-x", "https://"+gateway4+":4131", "https://license.sangfor.com/")
	}
	if r := through("es"); r.code != 0 || !strings.Contains(r.stdout, "origin ") {
		s.t.Errorf("%v", r)
	}
	mark := s.journal().mark()
	if r := through("mallory"); r.code == 0 {
		s.t.Errorf("%v", r)
	}
	if r := s.journal().mustDeny(s.t, mark, denial{reason: "unauthenticated"}); r.Client != from.v4() {
		s.t.Error(r.line)
	}
}

// refused tries the certificates that open nothing. curl shows why, and the record has it.
func (s *secured) refused(manager client) {
	s.t.Helper()
	s.sh("openssl ca -config crl.cnf -revoke lost.pem && openssl ca -config crl.cnf -gencrl -out new.crl && mv new.crl clients.crl")
	s.signal(s.t, syscall.SIGHUP)
	eventually(s.t, 30*time.Second, "the list is in force", func() error {
		return lacks(s.curl(manager, "lost", "-v", "https://license.sangfor.com/").all(), "was revoked on")
	})
	packets := s.l.rec.mark(s.t)
	for _, c := range []struct {
		from         client
		name         string
		reason, want string
	}{
		{manager, "", "unauthenticated", ""}, {manager, "lost", "unauthenticated", `CN=lost" was revoked on`},
		{manager, "late", "unauthenticated", `CN=late" expired on`}, {manager, "stray", "unauthenticated", `was issued by "CN=other CA"`},
		{manager, "mallory", "unauthenticated", "DNS:mallory.corp.example"}, {fleet[1], "es", "unknown_client", ""},
	} {
		mark := s.journal().mark()
		if r := s.curl(c.from, c.name, "-v", "https://license.sangfor.com/"); r.code == 0 || !strings.Contains(r.all(), "X-Sallyport-Reason: "+c.reason) || !strings.Contains(r.all(), c.want) {
			s.t.Errorf("%s: %v", c.name, r)
		}
		if r := s.journal().mustDeny(s.t, mark, denial{reason: c.reason}); !strings.Contains(strings.ReplaceAll(r.line, `\"`, `"`), c.want) || r.Client != c.from.v4() {
			s.t.Errorf("%s: %s", c.name, r.line)
		}
	}
	s.leftNothing(packets)
}

// leftNothing reports a packet that left the gateway since mark, other than a look-up in advance.
func (s *secured) leftNothing(packets int) {
	s.t.Helper()
	for _, p := range s.l.rec.since(s.t, packets) {
		if p.dst.Port() != 53 {
			s.t.Errorf("left the gateway: %v", p)
		}
	}
}

// notTLS speaks plain HTTP with the listener, and does not trust its certificate.
func (s *secured) notTLS(manager client) {
	s.t.Helper()
	packets, mark := s.l.rec.mark(s.t), s.journal().mark()
	if r := s.l.curl(s.t, manager, "-x", "http://"+gateway4+":3131", "-v", "https://license.sangfor.com/"); r.code == 0 || !strings.Contains(r.all(), "write the proxy as https://") {
		s.t.Errorf("%v", r)
	}
	s.journal().mustDeny(s.t, mark, denial{reason: "malformed_request"})
	mark = s.journal().mark()
	if r := s.l.curl(s.t, manager, "-x", secureDoor, "--proxy-cacert", filepath.Join(s.dir, "other.pem"), "https://license.sangfor.com/"); r.code == 0 {
		s.t.Errorf("%v", r)
	}
	if r := s.journal().mustDeny(s.t, mark, denial{reason: "malformed_request"}); !strings.Contains(r.line, "it must trust the authority of [listen] tls_cert") {
		s.t.Error(r.line)
	}
	s.leftNothing(packets)
}

// renegotiates asks for another handshake in TLS 1.2, which nothing answers.
func (s *secured) renegotiates(manager client) {
	s.t.Helper()
	packets, mark := s.l.rec.mark(s.t), s.journal().mark()
	script := fmt.Sprintf("cd %s && (sleep 1; echo R; sleep 2) | openssl s_client -connect %s:3131 -bind %s -tls1_2 -CAfile ca.pem -cert es.pem -key es.key 2>&1", s.dir, gateway4, manager.v4())
	if r := s.l.tool(s.t, "sh", "-c", script); !strings.Contains(r.all(), "RENEGOTIATING") {
		s.t.Errorf("%v", r)
	}
	if r := s.journal().mustDeny(s.t, mark, denial{reason: "malformed_request"}); !strings.Contains(r.line, "renegotiation") {
		s.t.Error(r.line)
	}
	s.leftNothing(packets)
}

// renewed replaces the server's certificate and the list, without a restart; a list that has ended
// denies all, and /readyz says so.
func (s *secured) renewed(manager client) {
	s.t.Helper()
	s.sh("openssl x509 -req -in proxy.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 10 -copy_extensions copy -out new.pem && openssl x509 -in new.pem -noout -serial > serial && mv new.pem proxy.pem")
	serial, err := os.ReadFile(filepath.Join(s.dir, "serial"))
	if err != nil {
		s.t.Fatal(err)
	}
	show := fmt.Sprintf("openssl s_client -connect %s:3131 </dev/null 2>/dev/null | openssl x509 -noout -serial", gateway4)
	eventually(s.t, 30*time.Second, "the new certificate is shown", func() error {
		return lacks(s.l.tool(s.t, "sh", "-c", show).stdout, strings.TrimSpace(string(serial)))
	})
	s.sh("openssl ca -config crl.cnf -gencrl -crl_lastupdate 20200101000000Z -crl_nextupdate 20200102000000Z -out new.crl && mv new.crl clients.crl")
	eventually(s.t, 30*time.Second, "the list that has ended is in force", func() error {
		return lacks(s.curl(manager, "es", "-v", "https://license.sangfor.com/").all(), "ended on 2020-01-02")
	})
	eventually(s.t, 30*time.Second, "/readyz says so", func() error {
		_, body, err := s.admin("/readyz")
		if err != nil {
			return err
		}
		return lacks(body, `clients.crl: the list of "CN=ca CA" ended on 2020-01-02 00:00 UTC`)
	})
	s.preflight("failed", "{client_crl failed ", `the list of "CN=ca CA" ended on 2020-01-02`)
	s.sh("openssl ca -config crl.cnf -gencrl -out new.crl && mv new.crl clients.crl")
	eventually(s.t, 30*time.Second, "the next list is in force", func() error {
		return lacks(s.curl(manager, "es", "https://license.sangfor.com/").stdout, "origin ")
	})
	_, body, err := s.admin("/metrics")
	for _, want := range []string{`sallyport_tls_expiry_timestamp_seconds{file="client_crl"}`, `sallyport_client_certificates_total{result="revoked"}`, `sallyport_tls_handshakes_total{result="failed"}`} {
		if err != nil || !strings.Contains(body, want) {
			s.t.Errorf("/metrics lacks %s, %v", want, err)
		}
	}
}
