//go:build linux

// Parent scene: proxies of the site between the gateway and the internet: Debian's Squid,
// Tinyproxy and Dante. Each listens on the internet's side of the lab, below whose listeners the
// recorder is.

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The place of the site's proxy, and its login.
const (
	parentAt = resolver4 + ":8118"
	login    = "sally:hunter2"
)

// squidParent wants a login by basic_ncsa_auth, and permits CONNECT to 443 and 80 only.
const squidParent = `
http_port ` + parentAt + `
pid_filename none
access_log none
cache_log stdio:/dev/stderr
cache deny all
pinger_enable off
dns_nameservers ` + resolver4 + `
shutdown_lifetime 0 seconds
coredump_dir none
visible_hostname corporate
auth_param basic program /usr/lib/squid/basic_ncsa_auth %[1]s/passwords
auth_param basic children 2
acl known proxy_auth REQUIRED
acl tunnels port 443 80
acl CONNECT method CONNECT
acl forbidden dstdomain download.sangfor.com
acl forbidden_too dst 93.184.255.0/24
acl forbidden_path urlpath_regex ^/forbidden
http_access deny CONNECT !tunnels
http_access deny !known
http_access deny forbidden
http_access deny forbidden_path
http_access allow known
`

const tinyproxyParent = `
Port 8118
Listen ` + resolver4 + `
Timeout 30
BasicAuth sally hunter2
ConnectPort 443
`

const danteParent = `
logoutput: stderr
internal: ` + resolver4 + ` port = 8118
external: ` + resolver4 + `
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
socks block { from: 0.0.0.0/0 to: 0.0.0.0/0 port = 8443 }
socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 protocol: tcp }
`

// startParent starts the site's proxy.
func (l *lab) startParent(t *testing.T, text, name string, args ...string) {
	t.Helper()
	l.startProxy(t, text, parentAt, name, args...)
}

// startProxy starts a proxy on the internet's side, and waits until it listens at an address. %[1]s
// in text is a directory that the proxy's user can read. It has the hash of the login, the lab's
// authority and l.parentFiles.
func (l *lab) startProxy(t *testing.T, text, at, name string, args ...string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "parent")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	hash := l.internet.run(t, l.dir, "", "openssl", "passwd", "-apr1", "hunter2")
	if hash.code != 0 {
		t.Fatal(hash)
	}
	file := filepath.Join(dir, "parent.conf")
	replace(t, filepath.Join(dir, "passwords"), "sally:"+hash.stdout)
	for name, text := range l.parentFiles {
		replace(t, filepath.Join(dir, name), text)
	}
	authority, err := os.ReadFile(l.ca.file)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, filepath.Join(dir, "ca.pem"), string(authority))
	replace(t, file, strings.ReplaceAll(text, "%[1]s", dir))
	p := newGateway(t, l.internet)
	p.startCommand(t, name, append(args, file)...)
	p.waitListening(t, at)
}

// private makes files readable for their owner only.
func private(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Chmod(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// withParent is a configuration of one client behind a parent.
func withParent(parent, more string) string {
	return fmt.Sprintf(`
[listen]
http   = ["10.77.0.1:3128"]
socks5 = ["10.77.0.1:1080"]
admin  = "127.0.0.1:9180"
[journal]
flows = "flows.jsonl"
[limits]
dial = "4s"
[[parent]]
name = "corporate"
%s
%s
[[client]]
name     = "es-manager"
sources  = ["10.77.0.0/24"]
profiles = ["endpoint-secure-onprem"]
`, parent, more)
}

// systemResolver asks the lab's resolver.
const systemResolver = "[dns]\nupstreams = [\"udp://" + resolver4 + ":53\"]\n"

// behindParent starts a gateway whose login file has text.
func (l *lab) behindParent(t *testing.T, auth, config string) *gateway {
	t.Helper()
	g := newGateway(t, l.gateway)
	if err := os.WriteFile(filepath.Join(g.dir, "login"), []byte(auth+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.configure(t, config)
	g.start(t, "run", "--config", "sallyport.toml")
	g.waitReady(t)
	return g
}

// onlyToParent reports every packet since mark that went elsewhere. With dns, queries to the
// resolver are expected.
func (l *lab) onlyToParent(t *testing.T, mark int, dns bool) {
	t.Helper()
	packets := 0
	for _, p := range l.rec.since(t, mark) {
		switch {
		case p.dst == netip.MustParseAddrPort(parentAt):
			packets++
		case dns && p.dst == netip.MustParseAddrPort(resolver4+":53"):
		case p.dst == netip.MustParseAddrPort(l.rec.sink): // the recorder's own
		default:
			t.Errorf("a packet that did not go to the parent: %v", p)
		}
	}
	if packets == 0 {
		t.Error("no packet reached the parent")
	}
}

// flows returns the journal of permitted flows.
func (g *gateway) flows(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(g.dir, "flows.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// waitFlow waits until the journal of permitted flows has texts, and returns the journal. A record
// can be later than the client's answer.
func (g *gateway) waitFlow(t *testing.T, texts ...string) (flows string) {
	t.Helper()
	eventually(t, longestWait, "the record of the flow", func() error {
		flows = g.flows(t)
		if err := lacks(flows, texts...); err != nil {
			return errorf("%v in\n%s", err, flows)
		}
		return nil
	})
	return flows
}

// waitLog waits until the log has texts, and returns the log.
func (g *gateway) waitLog(t *testing.T, texts ...string) (log string) {
	t.Helper()
	eventually(t, longestWait, "a line of the log", func() error {
		log = g.out.String()
		return lacks(log, texts...)
	})
	return log
}
