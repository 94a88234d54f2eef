// Users tests: users_file and certificate, what is refused, and that no message has a hash.

package site

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"sallyport/rules"
)

// oneFile is a disk on which every path has one text.
type oneFile string

func (f oneFile) Read(string, int) ([]byte, error)      { return []byte(f), nil }
func (f oneFile) List(string, string) ([]string, error) { return nil, nil }

const hash10 = "$2y$10$w5rbbMHyWJMmDIhk9hgHNOaqjmPbEzcGNd9LhIfu5sGYJ9Ez3uF1i"

const demanding = `[[client]]
name       = "one"
users_file = "users"
profiles   = []
[listen]
http = ["127.0.0.1:3128"]
`

func TestUsersFile(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"usual", "# the team\n\nalice:" + hash10 + "\nj\u00f6rg:" + hash10 + "\r\n", ""},
		{"empty", "# nobody\n", "dir/users: the file has no user: an editor or a script may be writing it; write lines NAME:HASH, made with htpasswd -nB NAME"},
		{"no colon", "alice\n", "dir/users:1: the line is not NAME:HASH: make it with htpasswd -nB NAME"},
		{"a password", "\nalice:secret\n", "dir/users:2: user alice: the hash is not bcrypt (60 octets that begin with $2): make it with htpasswd -nB alice"},
		{"MD5", "alice:$apr1$x$yyyyyyyyyyyyyyyyyyyyyy\n", "dir/users:1: user alice: the hash is not bcrypt"},
		{"cut", "alice:" + hash10[:59] + "\n", "dir/users:1: user alice: the hash is not bcrypt"},
		{"another cost", "alice:" + strings.Replace(hash10, "$10$", "$15$", 1) + "\n", "dir/users:1: user alice: the cost of the hash is above 14"},
		{"a low cost", "alice:" + strings.Replace(hash10, "$10$", "$05$", 1) + "\n", "dir/users:1: warning: user alice: the cost of the hash is low"},
		{"twice", "alice:" + hash10 + "\nalice:" + hash10 + "\n", "dir/users:2: user alice is in this file twice"},
		{"a space", "al ice:" + hash10 + "\n", "dir/users:1: the name of a user has no colons, spaces and control characters, and is UTF-8"},
		{"no name", ":" + hash10 + "\n", "dir/users:1: the name of the user is empty"},
		{"a long name", strings.Repeat("a", 65) + ":" + hash10 + "\n", "dir/users:1: the name of the user has more than 64 octets"},
	} {
		cfg, problems := Parse("site.toml", Disk{Dir: "dir", Files: oneFile(c.text)}, []byte(demanding), nil)
		text := problems.Error()
		for _, p := range problems {
			text += p.String() + "\n"
		}
		if c.want == "" != (len(problems) == 0) || !strings.Contains(text, c.want) || strings.Contains(text, hash10[7:30]) || strings.Contains(text, "secret") {
			t.Errorf("%s: %s", c.name, text)
		}
		if c.want == "" && (len(cfg.Passwords) != 2 || !cfg.Clients[0].Users.Names["j\u00f6rg"] || len(cfg.Inputs) != 1 || !cfg.Inputs[0].Secret) {
			t.Errorf("%s: %v, %+v", c.name, cfg.Passwords, cfg.Inputs)
		}
	}
}

func TestIdentityKeys(t *testing.T) {
	client := func(lines string) string {
		return "[[client]]\nname = \"one\"\n" + lines + "\nprofiles = []\n"
	}
	second := "[[client]]\nname = \"two\"\nsources = [\"10.1.0.0/16\"]\nprofiles = []\n"
	for _, c := range []struct{ name, text, want string }{
		{"names of certificates", client(`certificate = ["DNS:ES.corp.example.", "CN=Es Manager", "spiffe://corp.example/es"]`), `site.toml:3: warning: certificate: no listener takes certificates of clients, so every attempt of client "one" is denied as unauthenticated: set [listen] https with tls_cert, tls_key and client_ca`},
		{"not a name", client(`certificate = ["es.corp.example"]`), `site.toml:3: certificate: "es.corp.example" is none of "CN=text", "DNS:name" and a URI like "spiffe://corp.example/es"`},
		{"a bare name", client(`certificate = ["es-manager"]`), `site.toml:3: certificate: "es-manager" is none of "CN=text", "DNS:name" and a URI like "spiffe://corp.example/es": did you mean "CN=es-manager"?`},
		{"a bare name with dots", client(`certificate = ["es.corp.example"]`), `: did you mean "DNS:es.corp.example" or "CN=es.corp.example"?`},
		{"a mark in small letters", client(`certificate = ["cn=es"]`), `: did you mean "CN=es"?`},
		{"another sign after the mark", client(`certificate = ["dns=es.corp.example"]`), `: did you mean "DNS:es.corp.example"?`},
		{"a subject as openssl prints it", client(`certificate = ["subject=C = SG, CN = es manager, O = Corp"]`), `: did you mean "CN=es manager"?`},
		{"a URI with a mark", client(`certificate = ["URI:spiffe://corp.example/es"]`), `: did you mean "spiffe://corp.example/es"?`},
		{"a login", client(`certificate = ["user:alice"]`), `: a login is in no certificate; name a users_file with the user alice`},
		{"a broken name", client(`certificate = ["DNS:es..example"]`), `site.toml:3: certificate: "DNS:es..example" `},
		{"no common name", client(`certificate = ["CN="]`), `has no common name`},
		{"twice", client(`certificate = ["DNS:a.example", "DNS:A.example"]`), `site.toml:3: certificate: "DNS:a.example" is listed twice`},
		{"empty", client(`certificate = []`), `site.toml:3: certificate: is empty`},
		{"neither address nor identity", client(``), `sources is missing`},
		{"no sources on purpose", client("sources = []\nusers_file = \"users\""), `sources is missing`},
		{"no file", client(`users_file = ""`), `site.toml:3: users_file: is empty`},
		{"an open client after it", client("sources = [\"10.1.0.0/16\"]\nusers_file = \"users\"") + second, ""},
		{"an open client before it", second + client("sources = [\"10.1.0.0/16\"]\nusers_file = \"users\""), `site.toml:7: sources: can never match: client "two" above already has all of these addresses`},
		{"passwords in the clear", client(`users_file = "users"`) + "[listen]\nsocks5 = [\"10.0.0.1:1080\"]\n", `site.toml:3: warning: users_file: passwords cross the network readable on [listen] socks5 10.0.0.1:1080`},
	} {
		cfg, problems := Parse("site.toml", Disk{Files: oneFile("alice:" + hash10 + "\n")}, []byte(c.text), nil)
		text := ""
		for _, p := range problems {
			text += p.String() + "\n"
		}
		if c.want == "" != (text == "") || !strings.Contains(text, c.want) {
			t.Errorf("%s: %s", c.name, text)
		}
		if c.name == "names of certificates" && cfg != nil && strings.Join(cfg.Clients[0].Certificates, " ") != "DNS:es.corp.example CN=Es Manager spiffe://corp.example/es" {
			t.Errorf("%q", cfg.Clients[0].Certificates)
		}
	}
}

// One mistake has one line: what would follow from the absent value is not reported.
func TestIdentityMistakesHaveOneLine(t *testing.T) {
	const client = "[[client]]\nname = \"one\"\nprofiles = []\n"
	const tls = "[listen]\nhttps = [\"127.0.0.1:3131\"]\nclient_ca = \"none.pem\"\n"
	for _, c := range []struct{ name, text, users, want string }{
		{"a plain password", client + "users_file = \"users\"\n", "alice:secret\n", "users:1: user alice: the hash is not bcrypt (60 octets that begin with $2): make it with htpasswd -nB alice"},
		{"a wrong name and no address", client + "certificate = [\"es-manager\"]\n", "", `site.toml:4: certificate: "es-manager" is none of "CN=text", "DNS:name" and a URI like "spiffe://corp.example/es": did you mean "CN=es-manager"?`},
		{"no list and no address", client + "certificate = \"CN=es\"\n", "", `site.toml:4: certificate: must be a list of strings, not a string`},
		{"a wrong path of client_ca", tls + "tls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n" + client + "certificate = [\"CN=one\"]\n", "", "site.toml:3: client_ca: none.pem: file does not exist: create it, or correct the path; relative paths begin at the directory of the configuration"},
		{"a wrong address of https", "[listen]\nhttps = [\"127.0.0.1\"]\ntls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n" + client + "sources = [\"10.1.2.3\"]\n", "", `site.toml:2: https: "127.0.0.1" is not address:port, like "127.0.0.1:3128" or "[::1]:3128"`},
	} {
		server := newIssuer(t, "proxy", false, 100*24*time.Hour, "proxy.corp.example")
		_, problems := Parse("site.toml", Disk{Files: tlsFiles{"users": c.users, "cert.pem": server.pem(), "key.pem": server.keyPEM()}}, []byte(c.text), nil)
		if len(problems) != 1 || problems[0].String() != c.want {
			t.Errorf("%s: %v\nwant %s", c.name, problems, c.want)
		}
	}
}

func FuzzUsersFile(f *testing.F) {
	for _, s := range []string{"alice:" + hash10, "# x\n\nalice:" + hash10 + "\r\nbob:" + hash10, "alice:secret", ":", "a\x00b:" + hash10} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		cfg, problems := Parse("site.toml", Disk{Files: oneFile(b)}, []byte(demanding), nil)
		if cfg == nil {
			if problems.Err() == nil {
				t.Fatal("no configuration and no error")
			}
			return
		}
		for user, hash := range cfg.Passwords {
			cost, err := bcrypt.Cost([]byte(hash))
			if err != nil || cost > maxCost || rules.CheckUser(user) != "" || !cfg.Clients[0].Users.Names[user] {
				t.Fatalf("%q: %d, %v", user, cost, err)
			}
		}
	})
}
