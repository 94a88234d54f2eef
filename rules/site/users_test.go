// Users tests: users_file and certificate, what is refused, and that no message has a hash.

package site

import (
	"strings"
	"testing"

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
