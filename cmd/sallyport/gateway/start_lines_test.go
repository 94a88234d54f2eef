// Tests of the commands that a start proposes: each has an address that answers.

package gateway

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/rules"
)

func TestTriesNameAnAddressThatAnswers(t *testing.T) {
	local := []*rules.Client{{Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}}
	manager := []*rules.Client{{Sources: []netip.Prefix{netip.MustParsePrefix("10.20.30.40/32")}}}
	own := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("fe80::1"), netip.MustParseAddr("10.20.30.1"), netip.MustParseAddr("2001:db8::1")}
	for name, c := range map[string]struct {
		where   map[string]string
		clients []*rules.Client
		own     []netip.Addr
		want    string
	}{
		"this host is a client": {map[string]string{"http": "127.0.0.1:3128", "dns": "127.0.0.1:5300"}, local, own,
			"try:\n  curl -x http://127.0.0.1:3128 https://evil.example/\n  dig @127.0.0.1 -p 5300 db.vendor.example\n"},
		"another host is": {map[string]string{"http": "10.20.30.1:3128"}, manager, own,
			"try, from the address of a client:\n  curl -x http://10.20.30.1:3128 https://evil.example/\n"},
		"a gateway listens everywhere": {map[string]string{"dns": "[::]:5300"}, manager, own,
			"try, from the address of a client:\n  dig @10.20.30.1 -p 5300 db.vendor.example\n"},
		"everywhere, on a host with loopback alone": {map[string]string{"http": "0.0.0.0:3128", "dns": "[::]:5300"}, local, own[:3],
			"try:\n  curl -x http://127.0.0.1:3128 https://evil.example/\n  dig @::1 -p 5300 db.vendor.example\n"},
		"nothing to try": {map[string]string{"socks5": "127.0.0.1:1080"}, local, own, ""},
	} {
		if got := linesToTry(c.where, c.clients, c.own, "db.vendor.example"); got != c.want {
			t.Errorf("%s:\n%sbut wanted\n%s", name, got, c.want)
		}
	}
}

// The lines of a start propose a name that the policy permits, count one rule as one, and say that
// a login alone makes a client.
func TestStartLinesAreOfThePolicy(t *testing.T) {
	g, _, write := readyGateway(t)
	dir := filepath.Dir(g.source.file)
	hash := "alice:$2y$10$w5rbbMHyWJMmDIhk9hgHNOaqjmPbEzcGNd9LhIfu5sGYJ9Ez3uF1i\n"
	if err := os.WriteFile(filepath.Join(dir, "lab.users"), []byte(hash), 0o600); err != nil {
		t.Fatal(err)
	}
	write("[listen]\nhttp = [\"127.0.0.1:0\"]\ndns = [\"127.0.0.1:0\"]\n[dns]\nupstreams = [\"udp://127.0.0.1:9\"]\n[journal]\npath = \"denials.jsonl\"\n" +
		"[[client]]\nname = \"lab\"\nusers_file = \"lab.users\"\nprofiles = []\n" +
		"[[rule]]\nid = \"db\"\nclient = \"lab\"\nto = [\"*.eu.vendor.example\", \"db.vendor.example\"]\ntcp = [5432]\nreason = \"T-1\"\n")
	cfg, _, err := g.source.LoadToRun()
	if err != nil {
		t.Fatal(err)
	}
	g.Reload("test")
	g.booted = cfg
	lines := g.startLines(g.live.Policy())
	for _, want := range []string{", 1 client, 1 rule in force, mode enforce\n", "\n  client      lab from any address\n"} {
		if !strings.Contains(lines, want) {
			t.Errorf("no %q in\n%s", want, lines)
		}
	}
	if got := nameToAsk(g.live.Policy()); got != "db.vendor.example" {
		t.Errorf("the start proposes to ask for %s", got)
	}
	if got := nameToAsk(nil); got != "evil.example" {
		t.Errorf("without rules the start proposes to ask for %s", got)
	}
}
