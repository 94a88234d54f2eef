// Parts of a configuration: broken texts still show their parts, and no part is
// invented.

package site

import "testing"

func TestAdminOfABrokenFile(t *testing.T) {
	const tables = "[listen]\nadmin = \"127.0.0.1:9180\"\n[admin]\ntoken_file = \"token\"\n"
	for _, c := range []struct{ what, text, admin, token string }{
		{"good", tables, "127.0.0.1:9180", "etc/token"},
		{"unknown key", "modus = 1\n" + tables, "127.0.0.1:9180", "etc/token"},
		{"unknown profile", tables + "[[client]]\nprofiles = [\"x\"]\n", "127.0.0.1:9180", "etc/token"},
		{"unknown key beside it", "[listen]\nhtpp = 1\nadmin = \"unix:a.sock\"\n", "unix:etc/a.sock", ""},
		{"syntax above", "mode = enforce\n" + tables, "127.0.0.1:9180", "etc/token"},
		{"syntax below", tables + "[[rule]\nid = \n", "127.0.0.1:9180", "etc/token"},
		{"cut off", tables + "[journal]\npath = \"den", "127.0.0.1:9180", "etc/token"},
		{"dotted", "listen.admin = \"127.0.0.1:9180\"\nmode = 1\n", "127.0.0.1:9180", ""},
		{"syntax within", "[listen]\nadmin = 127.0.0.1\n", "", ""},
		{"none", "[listen]\nhttp = []\n", "", ""},
		{"empty", "", "", ""},
	} {
		admin, cfg, err := AdminOf("s.toml", "etc", []byte(c.text))
		if admin != c.admin || cfg.TokenFile != c.token || (err == nil) != (c.admin != "") {
			t.Errorf("%s: %q, token %q, %v", c.what, admin, cfg.TokenFile, err)
		}
	}
}

func TestJournalOfABrokenFile(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"default", "", "etc/denials.jsonl"},
		{"mistakes elsewhere", "modus = 1\n[journal]\npath = \"/var/log/d.jsonl\"\nmax_age_days = 0\n", "/var/log/d.jsonl"},
		{"syntax elsewhere", "modus =\n[journal]\npath = \"d.jsonl\"\n[[rule\n", "etc/d.jsonl"},
		{"output", "[journal]\npath = \"-\"\n", "-"},
		{"syntax within", "[journal]\npath = d.jsonl\n", ""},
	} {
		got, err := JournalOf("s.toml", "etc", []byte(c.text))
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", c.what, got, err)
		}
	}
}

func TestListenOfABrokenFile(t *testing.T) {
	for _, c := range []struct {
		what, text string
		ports      int
		good       bool
	}{
		{"good", "[listen]\nhttp = [\"127.0.0.1:1\"]\ndns = [\"[::]:2\", \"0.0.0.0:2\"]\n", 3, true},
		{"mistakes elsewhere", "modus = 1\n[listen]\nhttp = [\"127.0.0.1:1\"]\n", 1, true},
		{"syntax elsewhere", "modus =\n[listen]\nhttp = [\"127.0.0.1:1\"]\n[[rule\n", 1, true},
		{"one wrong address", "[listen]\nhttp = [\"127.0.0.1:1\", \"here\"]\n", 1, true},
		{"none", "", 0, true},
		{"syntax within", "[listen]\nhttp = 127.0.0.1\n", 0, false},
	} {
		l, err := ListenOf("s.toml", []byte(c.text))
		if n := len(l.HTTP) + len(l.DNS); n != c.ports || (err == nil) != c.good {
			t.Errorf("%s: %d addresses, %v", c.what, n, err)
		}
	}
}
