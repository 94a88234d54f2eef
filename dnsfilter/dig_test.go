// Dig: a real client, with and without cookies, EDNS and TCP.

package dnsfilter

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
	"sallyport/rules/site"
)

// TestDig asserts what BIND's dig gets for new names below a wildcard. dig
// proves its address by TCP after a truncated reply, or by its cookie. dig
// accepts our cookie as valid.
func TestDig(t *testing.T) {
	dig, err := exec.LookPath("dig")
	if err != nil {
		t.Skip("needs dig: apt-get install bind9-dnsutils")
	}
	const text = "[[client]]\nname = \"site\"\nsources = [\"127.0.0.0/8\"]\nprofiles = []\n" +
		"[[rule]]\nid = \"names\"\nclient = \"site\"\nreason = \"test\"\nto = [\"a.example\", \"*.b.example\"]\ntcp = [443]\n" +
		"[dns]\nupstreams = [\"udp://127.0.0.1:53\"]\n"
	c, problems := site.Parse("test.toml", site.Disk{Dir: t.TempDir()}, []byte(text), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, rules.Own{}, time.Now())
	s := serve(t, 1, func(c *setup) { c.Gate = p })
	s.reach = rules.Decision.Reach
	for i := range 10 {
		for _, rr := range records(t, fmt.Sprintf("n%d.b.example. 300 IN A 192.0.1.%d", i, i)) {
			s.up.add(rr)
		}
	}
	at, port, _ := strings.Cut(s.addr, ":")
	run := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), dig, append([]string{"-r", "@" + at, "-p", port, "+tries=1"}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("dig %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	given := regexp.MustCompile(`COOKIE: (\w{48}) \(good\)`)
	cookie := given.FindStringSubmatch(run("a.example"))
	if cookie == nil {
		t.Fatal("dig is given no good cookie")
	}
	const retried = "Truncated, retrying in TCP mode"
	for i, c := range []struct {
		how  []string
		tcp  bool
		want string
	}{
		{nil, true, "(TCP)"},
		{[]string{"+cookie=" + cookie[1]}, false, "(UDP)"},
		{[]string{"+cookie=0123456789abcdef0100000000000000ffffffffffffffff"}, true, "(TCP)"},
		{[]string{"+nocookie"}, true, "(TCP)"},
		{[]string{"+noedns"}, true, "(TCP)"},
		{[]string{"+tcp"}, false, "(TCP)"},
		{[]string{"+bufsize=512", "+dnssec", "+nsid", "+subnet=192.0.2.0/24"}, true, "(TCP)"},
		{[]string{"+ednsopt=65001:beef", "+padding=128"}, true, "(TCP)"},
	} {
		out := run(append(c.how, fmt.Sprintf("n%d.b.example", i))...)
		if !strings.Contains(out, fmt.Sprintf("192.0.1.%d", i)) || strings.Contains(out, retried) != c.tcp || !strings.Contains(out, c.want) {
			t.Errorf("dig %q:\n%s", c.how, out)
		}
	}
	if out := run("+ignore", "+nocookie", "n9.b.example"); !strings.Contains(out, " tc ") || strings.Contains(out, "192.0.1.9") {
		t.Errorf("who ignores TC:\n%s", out)
	}
	if out := run("+ednsopt=10:00", "+nocookie", "a.example"); !strings.Contains(out, "FORMERR") {
		t.Errorf("a cookie of one octet:\n%s", out)
	}
}
