// Parents: which [[parent]] tables are refused, and what the accepted ones mean.

package site

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// via is a correct parent of two lines below its header.
const via = "[[parent]]\nname = \"corporate\"\nurl = \"http://proxy.corp.example:3128\"\n"

func TestParentRefusals(t *testing.T) {
	with := func(line string) string { return via + line + "\n" + one }
	url := func(text string) string { return "[[parent]]\nname = \"a\"\nurl = \"" + text + "\"\n" + one }
	const forms = `"http://proxy.corp.example:3128", "https://…:3129" or "socks5://…:1080"`
	for _, c := range []struct{ what, text, want string }{
		{"a parent", via + one, ""},
		{"the one parent, as a table", "[parent]\nurl = \"socks5://10.9.9.9:1080\"\n" + one, ""},
		{"no name", "[[parent]]\nurl = \"http://10.9.9.9:3128\"\n" + one, `site.toml:1: the 1st [[parent]]: name is missing: give the parent a name, like "corporate"`},
		{"a name with a meaning", "[[parent]]\nname = \"direct\"\nurl = \"http://10.9.9.9:3128\"\n" + one, `site.toml:2: name: "direct" has a meaning of its own: no parent; choose another name`},
		{"no identifier", "[[parent]]\nname = \"the proxy\"\nurl = \"http://10.9.9.9:3128\"\n" + one, `site.toml:2: name: "the proxy" is not a parent's name: letters, digits, dots and hyphens`},
		{"one name twice", via + via + one, `site.toml:5: name: "corporate" is already used on line 1`},
		{"no url", "[[parent]]\nname = \"a\"\n" + one, `site.toml:1: parent "a": url is missing: say where the parent listens, like ` + forms},
		{"no protocol", url("proxy.corp.example:3128"), `site.toml:3: url: "proxy.corp.example:3128" has no protocol: write it like ` + forms},
		{"another protocol", url("ftp://proxy.corp.example:21"), `site.toml:3: url: "ftp://proxy.corp.example:21": a parent speaks http, https or socks5, like ` + forms},
		{"curl's name of SOCKS5", url("socks5h://10.9.9.9:1080"), `site.toml:3: url: "socks5h://10.9.9.9:1080": write "socks5://"; the key by says whether the parent resolves names`},
		{"no port", url("http://proxy.corp.example"), `site.toml:3: url: "http://proxy.corp.example": the port is missing, like :3128`},
		{"a path", url("http://proxy.corp.example:3128/wpad.dat"), `site.toml:3: url: "http://proxy.corp.example:3128/wpad.dat": a parent has no path: write "http://proxy.corp.example:3128"`},
		{"a slash only", url("http://proxy.corp.example:3128/"), ""},
		{"a password in the URL is not repeated", url("http://me:hunter2@proxy.corp.example:3128"), `site.toml:3: url: has a user or a password in it: write them into a file as one line user:password, and name the file in auth_file`},
		{"our own listener", "[listen]\nhttp = [\"10.0.0.9:3128\"]\n" + url("http://10.0.0.9:3128"), `site.toml:5: url: 10.0.0.9:3128 is sallyport's own listener: sallyport would ask itself; name the site's proxy`},
		{"our own listener on every address", "[listen]\nsocks5 = [\"0.0.0.0:1080\"]\n" + url("socks5://127.0.0.1:1080"), `site.toml:5: url: 127.0.0.1:1080 is sallyport's own listener: sallyport would ask itself; name the site's proxy`},
		{"neither address nor name", with(`by = "ip"`), `site.toml:4: by: "ip" is not one of "address", "name"`},
		{"a role is not direct", with(`direct = ["10.0.0.0/8", "role:manager"]`), `site.toml:4: direct: "role:manager" is a role: list names, wildcards, addresses or prefixes`},
		{"bits behind the length", with(`direct = ["10.0.0.1/8"]`), `site.toml:4: direct: "10.0.0.1/8" has bits set after its prefix length: write "10.0.0.0/8" or "10.0.0.1"`},
		{"a key nobody knows", with(`username = "me"`), `site.toml:4: unknown key "username": known here: auth_file, by, ca, cert, default, direct, health, key, name, url`},
		{"an authority without TLS", with(`ca = "ca.pem"`), "site.toml:4: ca: is for an https parent, and url says http\nsite.toml:4: ca: ca.pem: files are not read here"},
		{"two kinds that take each other's place", "[[parent]]\nname = \"a\"\nurl = \"http://10.9.9.9:3128\"\ndefault = true\n[[parent]]\nname = \"b\"\nurl = \"socks5://10.9.9.9:1080\"\ndefault = true\n" + one,
			`site.toml:5: parent "b": default: parents that take each other's place must be of one kind: http and https, or socks5`},

		{"a client with an unknown parent", via + one + "parent = \"corporat\"\n", `site.toml:8: parent: there is no parent "corporat": did you mean "corporate"?`},
		{"a client without one", via + one + "parent = \"direct\"\n", ""},
		{"no parent at all", one + "parent = \"corporate\"\n", `site.toml:5: parent: there is no parent "corporate"; the configuration has no [[parent]]`},
		{"direct beside a parent", via + one + "parent = [\"corporate\", \"direct\"]\n", `site.toml:8: parent: "direct" excludes every parent: write "direct" alone, or leave it out of the list`},
		{"an empty list", via + one + "parent = []\n", "site.toml:8: parent: is empty: name a [[parent]], or write \"direct\""},
		{"a rule with an unknown parent", via + one + reasoned("T-1") + "parent = \"dmz\"\n", `site.toml:14: parent: there is no parent "dmz"; the parents are "corporate", "direct"`},
		{"one by name, one by address", via + "[[parent]]\nname = \"b\"\nurl = \"http://10.9.9.8:3128\"\nby = \"name\"\n" + one + "parent = [\"corporate\", \"b\"]\n",
			`site.toml:12: parent: "corporate" and "b": parents that take each other's place must have the same value of by`},

		{"no resolver, and a parent by address", "[dns]\nupstreams = []\n" + via + one, `site.toml:2: upstreams: is empty: list "system", "udp://address", "tcp://address", "tls://address?name=NAME" or "https://address/path?name=NAME"; it may be empty only if every [[parent]] has by = "name"`},
		{"no resolver, and a parent by name at an address", "[dns]\nupstreams = []\n[[parent]]\nname = \"a\"\nurl = \"http://10.9.9.9:3128\"\nby = \"name\"\n" + one, ""},
		{"no resolver for the parent's own name", "[dns]\nupstreams = []\n" + via + "by = \"name\"\n" + one,
			`site.toml:3: parent "corporate": url: nothing resolves proxy.corp.example, because [dns] upstreams is empty: write the address, or add the name to [hosts] or to a [[dns.zone]]`},
		{"the parent's own name in hosts", "[dns]\nupstreams = []\n[hosts]\n\"proxy.corp.example\" = \"10.9.9.9\"\n" + via + "by = \"name\"\n" + one, ""},
		{"no resolver, and clients that ask", "[listen]\ndns = [\"127.0.0.1:53\"]\n[dns]\nupstreams = []\n[[parent]]\nname = \"a\"\nurl = \"http://10.9.9.9:3128\"\nby = \"name\"\n" + one + "parent = \"direct\"\n",
			"site.toml:4: warning: upstreams: is empty: the DNS filter answers only names in [hosts] and [[dns.zone]], and SERVFAIL for every other permitted name\n" +
				`site.toml:9: warning: client "one" has parent = "direct", and [dns] upstreams is empty: only names in [hosts] and [[dns.zone]] can be reached`},
	} {
		if got := strings.Join(problemsOf(t, c.text), "\n"); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, c.want)
		}
	}
}

// The files of a parent: a problem names the file and the line, and never has its content.
func TestParentFiles(t *testing.T) {
	chain, key := certificate(t)
	disk := Disk{Dir: "/etc/sallyport", Files: memory{
		"/etc/sallyport/login": "sally:hunter2\n", "/etc/sallyport/two": "a:hunter2\nb:hunter2\n", "/etc/sallyport/word": "hunter2\n", "/etc/sallyport/secret": "!perm",
		"/etc/sallyport/nopass": "sally:\n", "/etc/sallyport/ca.pem": chain, "/etc/sallyport/cert.pem": chain, "/etc/sallyport/key.pem": key, "/etc/sallyport/no.pem": "hunter2",
	}}
	for _, c := range []struct{ what, url, keys, want string }{
		{"a login", "http://10.9.9.9:3128", `auth_file = "login"`, ""},
		{"more than one line", "http://10.9.9.9:3128", `auth_file = "two"`, `site.toml:4: auth_file: two: has more than one line, or control characters: write one line user:password`},
		{"no colon", "http://10.9.9.9:3128", `auth_file = "word"`, `site.toml:4: auth_file: word: is not one line user:password`},
		{"no file", "http://10.9.9.9:3128", `auth_file = "none"`, `site.toml:4: auth_file: /etc/sallyport/none: no such file or directory: create it, or correct the path; relative paths begin at the directory of the configuration`},
		{"not for this user", "http://10.9.9.9:3128", `auth_file = "secret"`, `site.toml:4: warning: auth_file: /etc/sallyport/secret: permission denied: the user of sallyport must be able to read it; sallyport cannot start as this user`},
		{"no name of a file", "http://10.9.9.9:3128", `auth_file = ""`, `site.toml:4: auth_file: is empty: name a file, or leave the key out`},
		{"SOCKS5 without a password", "socks5://10.9.9.9:1080", `auth_file = "nopass"`, `site.toml:4: auth_file: nopass: SOCKS5 takes a user and a password of 1 to 255 octets each (RFC 1929)`},
		{"HTTP without a password", "http://10.9.9.9:3128", `auth_file = "nopass"`, ""},
		{"all of TLS", "https://10.9.9.9:3129", "ca = \"ca.pem\"\ncert = \"cert.pem\"\nkey = \"key.pem\"", ""},
		{"no certificate in it", "https://10.9.9.9:3129", `ca = "no.pem"`, `site.toml:4: ca: /etc/sallyport/no.pem: the file has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----`},
		{"half a certificate", "https://10.9.9.9:3129", `cert = "cert.pem"`, `site.toml:1: parent "a": set both cert and key, or neither`},
		{"a key that is none", "https://10.9.9.9:3129", "cert = \"cert.pem\"\nkey = \"ca.pem\"", `site.toml:5: key: /etc/sallyport/ca.pem: the file has a CERTIFICATE and no key: name the file of the key`},
	} {
		text := "[[parent]]\nname = \"a\"\nurl = \"" + c.url + "\"\n" + c.keys + "\n" + one
		cfg, problems := Parse("site.toml", disk, []byte(text), testProfiles(t))
		var lines []string
		for _, p := range problems {
			lines = append(lines, p.String())
		}
		got := strings.Join(lines, "\n")
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, c.want)
		}
		if strings.Contains(fmt.Sprintf("%s %+v %#v", got, cfg, cfg), "hunter2") {
			t.Errorf("%s: a text form of the configuration has the password", c.what)
		}
		if cfg == nil {
			continue
		}
		for _, in := range cfg.Inputs {
			if secret := strings.Contains(in.Path, "login") || strings.Contains(in.Path, "key") || strings.Contains(in.Path, "secret") || strings.Contains(in.Path, "nopass"); in.Secret != secret {
				t.Errorf("%s: %s is secret: %t", c.what, in.Path, in.Secret)
			}
		}
		if p := cfg.Parents[0]; c.what == "a login" && p.Login != (rules.Login{User: "sally", Password: "hunter2"}) || c.what == "not for this user" && p.Unread == nil || c.what == "all of TLS" && (p.Roots == nil || p.Certificate == nil) {
			t.Errorf("%s: %v", c.what, p)
		}
	}
}

// certificate returns a certificate that signs itself, and its key, in PEM form.
func certificate(t *testing.T) (chain, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "proxy"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}))
}
