// Tests of the warning about datagrams of clients behind a parent.

package site

import (
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// A parent carries no datagrams. So check warns of each rule that permits some for a client behind
// one, unless no listener takes datagrams, the rule goes direct, or only DNS is asked.
func TestDatagramsBehindAParent(t *testing.T) {
	const parent = "[[parent]]\nname = \"corporate\"\nurl = \"http://10.9.9.9:3128\"\n"
	const client = "[[client]]\nname = \"c\"\nsources = [\"10.1.0.1\"]\nprofiles = []\n"
	rule := func(keys string) string {
		return "[[rule]]\nid = \"time\"\nclient = \"c\"\nto = [\"time.corp.example\"]\nreason = \"clocks\"\n" + keys + "\n"
	}
	const socks = "[listen]\nsocks5 = [\"127.0.0.1:1080\"]\n"
	for _, c := range []struct{ what, text, want string }{
		{"a rule of the site", socks + parent + client + rule("udp = [123]"),
			`site.toml:10: warning: client "c": rule site/time permits datagrams: no parent carries datagrams, so they leave this host straight to their destinations: if that way is open, write parent = "direct" into the rule`},
		{"a rule that goes direct", socks + parent + client + rule("udp = [123]\nparent = \"direct\""), ""},
		{"TCP", socks + parent + client + rule("tcp = [123]"), ""},
		{"DNS, which the filter answers", socks + parent + client + rule("udp = [53]"), ""},
		{"no listener that takes datagrams", parent + client + rule("udp = [123]"), ""},
		{"no parent", socks + client + rule("udp = [123]"), ""},
		{"rules of a profile", socks + parent + strings.Replace(client, "profiles = []", "profiles = [\"product\"]", 1),
			`site.toml:6: warning: client "c": rules product/anything, product/time permit datagrams: no parent carries datagrams, so they leave this host straight to their destinations: open that way, or leave out with without what the site does not need`},
		{"a rule of a profile", socks + parent + strings.Replace(client, "profiles = []", "profiles = [\"product\"]\nwithout = [\"anything\"]", 1),
			`site.toml:6: warning: client "c": rule product/time permits datagrams: no parent carries datagrams, so they leave this host straight to their destinations: open that way, or leave out with without what the site does not need`},
	} {
		config, problems := Parse("site.toml", Disk{}, []byte(c.text), testProfiles(t))
		if config == nil {
			t.Fatalf("%s: %v", c.what, problems)
		}
		policy, _ := rules.Compile(&config.Spec, testOwn(), time.Now())
		got := problemsText(config.CheckDatagrams(policy))
		if strings.TrimSpace(got) != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, got, c.want)
		}
	}
}
