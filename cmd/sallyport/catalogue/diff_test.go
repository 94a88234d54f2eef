package catalogue

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/denials/journal"
	"sallyport/denials/journaltest"
	"sallyport/rules"
)

const revision7 = `name    = "made-up"
product = "A product that was made up"
roles   = ["server"]
binds   = ["console"]
[document]
title   = "Ports"
version = "7"
[[feature]]
name    = "cloud"
meaning = "the cloud is used"
[[port]]
name    = "log"
default = 514
[[rule]]
id      = "update"
from    = "server"
to      = ["update.example"]
tcp     = [80, 443]
purpose = "Updates"
section = "1"
[[rule]]
id      = "mirror"
from    = "server"
to      = ["mirror.example"]
tcp     = [443]
purpose = "Mirror"
section = "1"
[[rule]]
id      = "relay"
from    = "server"
to      = ["relay.example"]
tcp     = [443]
purpose = "Relay"
section = "1"
[[rule]]
id      = "log"
from    = "server"
to      = ["role:console"]
tcp     = ["log"]
purpose = "Logs"
section = "2"
`

const diffSite = `[listen]
http = ["127.0.0.1:3128"]
[profiles]
paths = ["7.toml"]
[[client]]
name     = "servers"
sources  = ["10.20.0.0/24"]
profiles = ["made-up"]
features = ["cloud"]
ports    = { log = 1514 }
[client.addresses]
console  = ["10.20.1.1"]
[[client]]
name     = "others"
sources  = ["10.21.0.0/24"]
profiles = ["symantec-liveupdate"]
[journal]
path  = "denials.jsonl"
flows = "flows.jsonl"
`

// diffScene is a directory with two revisions, a site that reads the old one, and its
// journal of the last days.
func diffScene(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	eight := strings.NewReplacer(`version = "7"`, `version = "8"`, `"update.example"`, `"update.example", "update2.example"`, "[80, 443]", "[443]",
		"[[feature]]\nname    = \"cloud\"\nmeaning = \"the cloud is used\"\n", "",
		revision7[strings.Index(revision7, "[[rule]]\nid      = \"mirror\""):strings.Index(revision7, "[[rule]]\nid      = \"log\"")], "").Replace(revision7)
	for name, text := range map[string]string{"7.toml": revision7, "8.toml": eight, "site.toml": diffSite} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	site, err := gateway.LoadSite(filepath.Join(dir, "site.toml"), nil, now)
	if err != nil {
		t.Fatal(err)
	}
	lines := map[bool][]journal.Record{}
	seq := uint64(0)
	add := func(ago time.Duration, client, host string, port uint16) {
		a := journaltest.Attempt(t, client, host, port)
		d := site.Policy.Decide(a)
		seq++
		r := journal.RecordOf(now.Add(-ago), a, d)
		r.Boot, r.Seq = "b", seq
		lines[d.Verdict == rules.Allow] = append(lines[d.Verdict == rules.Allow], r)
	}
	const day = 24 * time.Hour
	add(40*day, "10.20.0.9", "update2.example", 443) // too old
	add(3*day, "10.20.0.9", "mirror.example", 443)
	add(2*day, "10.20.0.9", "update2.example", 443)
	add(2*day, "10.20.0.9", "evil.example", 443)
	add(day, "10.20.0.9", "update.example", 80)
	add(day, "10.20.0.9", "update.example", 443)
	unresolved := journaltest.Attempt(t, "10.20.0.9", "relay.example", 443)
	// This denial is of an earlier configuration: either revision would permit it.
	earlier := journaltest.Attempt(t, "10.20.0.9", "update.example", 443)
	r := journal.RecordOf(now.Add(-day), earlier, (*rules.Policy)(nil).Decide(earlier))
	r.Boot, r.Seq = "b", seq+1
	lines[false] = append(lines[false], r)
	// The name of this permitted attempt was not resolved, so there was no final decision.
	r = journal.RecordOf(now.Add(-2*day), unresolved, site.Policy.Decide(unresolved))
	r.Event, r.Detail, r.Boot, r.Seq = journal.EventClose, rules.DialUnresolved.String(), "b", seq+2
	lines[true] = append(lines[true], r)
	journaltest.File(t, filepath.Join(dir, "denials.jsonl"), lines[false]...)
	journaltest.File(t, filepath.Join(dir, "flows.jsonl"), lines[true]...)
	return dir
}

// ran runs profiles diff, and returns its exit status and output.
func ran(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	c := New()
	var out, errs bytes.Buffer
	c.SetArgs(append([]string{"diff"}, args...))
	c.SetOut(&out)
	c.SetErr(&errs)
	c.SilenceErrors, c.SilenceUsage = true, true
	err := c.ExecuteContext(t.Context())
	var exit *commandline.ExitError
	switch {
	case err == nil:
		return 0, out.String(), errs.String()
	case errors.As(err, &exit):
		return exit.Code, out.String(), errs.String() + err.Error()
	}
	t.Fatal(err)
	return 0, "", ""
}

func TestDiffOfASite(t *testing.T) {
	dir := diffScene(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	code, out, errs := ran(t, "made-up", in("8.toml"), "--config", in("site.toml"), "--since", "30d")
	if code != 1 || errs != "" {
		t.Errorf("exit %d, %s", code, errs)
	}
	for _, want := range []string{
		"profile  version: 7 -> 8", "profile  features: - cloud: the cloud is used",
		"changed  update", "to: + update2.example", "tcp: 80, 443 -> 443", "removed  mirror: server to mirror.example, tcp 443",
		"clients of " + in("site.toml") + " with this profile: servers\n",
		`refused  client servers: the profile has no feature "cloud"`,
		"gained   servers (10.20.0.0/24): made-up/update: update2.example: tcp 443\n",
		"lost     servers (10.20.0.0/24): made-up/update: update.example: tcp 80\n",
		"lost     servers (10.20.0.0/24): made-up/mirror: mirror.example: tcp 443\n",
		"in use   made-up/mirror, which NEW does not have: client servers, attempts 1, look-ups 0",
		"in use   made-up/relay, which NEW does not have: client servers, attempts 1, look-ups 0",
		"denies   relay.example:443 of servers 10.20.0.9: 1 permitted",
		"permits  update2.example:443 of servers 10.20.0.9: 1 denied as not_listed",
		"denies   update.example:80 of servers 10.20.0.9: 1 permitted", "denies   mirror.example:443 of servers 10.20.0.9: 1 permitted",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, not := range []string{"evil.example", "update.example:443", "others", "10.20.1.1", "2 denied"} {
		if strings.Contains(out, not) {
			t.Errorf("%q in\n%s", not, out)
		}
	}
}

func TestDiffOfASiteAsJSON(t *testing.T) {
	dir := diffScene(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	code, out, _ := ran(t, in("7.toml"), in("8.toml"), "--config", in("site.toml"), "--since", "30d", "--json")
	var j diffJSON
	if err := json.Unmarshal([]byte(out), &j); err != nil || code != 1 {
		t.Fatalf("exit %d, %v\n%s", code, err, out)
	}
	if len(j.Rules) != 3 || len(j.Site.Gained) != 1 || j.Site.Gained[0].To != "update2.example" || len(j.Site.Lost) != 3 || len(j.Site.Refused) != 1 {
		t.Errorf("%+v", j.Site)
	}
	if len(j.Journal.Used) != 2 || j.Journal.Used[0].Rule != "made-up/mirror" || j.Journal.Used[1].Rule != "made-up/relay" || len(j.Journal.Permitted) != 1 || j.Journal.Permitted[0].Rule != "made-up/update" || len(j.Journal.Denied) != 3 {
		t.Errorf("%+v", j.Journal)
	}
}

func TestDiffExitStatus(t *testing.T) {
	dir := diffScene(t)
	if err := os.WriteFile(filepath.Join(dir, "new.toml"), []byte(strings.ReplaceAll(diffSite, `.jsonl"`, `-absent.jsonl"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{in("7.toml"), in("7.toml")}, 0, "the two revisions are equal"},
		{[]string{"cyber-command", "cyber-command"}, 0, "the two revisions are equal"},
		{[]string{in("7.toml"), in("8.toml")}, 1, "2 removed"},
		{[]string{in("7.toml"), in("8.toml"), "--since", "30d", "--file", in("flows.jsonl")}, 1, "made-up/mirror, which NEW does not have"},
		{[]string{in("7.toml"), in("8.toml"), "--since", "30d", "--file", in("flows.jsonl")}, 1, "give --config FILE to ask NEW about the recorded denials"},
		{[]string{in("7.toml")}, 2, "takes two profiles: OLD and NEW"},
		{[]string{in("7.toml"), in("9.toml")}, 2, "9.toml: no such file"},
		{[]string{in("7.toml"), in("site.toml")}, 2, "site.toml:"},
		{[]string{in("7.toml"), in("8.toml"), "--since", "30d"}, 2, "--since needs the journal: give --config FILE or --file FILE"},
		{[]string{in("7.toml"), in("8.toml"), "--file", "x"}, 2, "--file needs --since TIME"},
		{[]string{in("7.toml"), in("8.toml"), "--since", "last tuesday", "--file", "x"}, 2, "--since: "},
		{[]string{in("7.toml"), "cyber-command", "--config", in("site.toml")}, 2, `has the name "made-up", and cyber-command the name "cyber-command"`},
		{[]string{in("7.toml"), in("8.toml"), "--since", "30d", "--config", in("new.toml")}, 2, "leave out --since, or give a journal with --file FILE"},
		{[]string{"nobody", "cyber-command"}, 2, `there is no profile "nobody"; the profiles are cyber-command`},
	} {
		if code, out, errs := ran(t, c.args...); code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%q: exit %d, want %d and %q\n%s%s", c.args, code, c.code, c.want, out, errs)
		}
	}
}

// OLD may be another text than the profile that the site has in force.
func TestDiffSaysThatOldIsNotInForce(t *testing.T) {
	t.Chdir(diffScene(t))
	draft := strings.Replace(revision7, "[80, 443]", "[443]", 1)
	if err := os.WriteFile("draft-7.toml", []byte(draft), 0o600); err != nil {
		t.Fatal(err)
	}
	const warning = "sallyport: warning: OLD, draft-7.toml, is not the profile that site.toml reads (7.toml, revision "
	if _, _, stderr := ran(t, "draft-7.toml", "8.toml", "--config", "site.toml"); !strings.HasPrefix(stderr, warning) || !strings.Contains(stderr, "give made-up as OLD") {
		t.Errorf("%q", stderr)
	}
	for _, args := range [][]string{{"7.toml", "8.toml", "--config", "site.toml"}, {"made-up", "8.toml", "--config", "site.toml"}, {"draft-7.toml", "8.toml"}} {
		if _, _, stderr := ran(t, args...); strings.Contains(stderr, "warning") {
			t.Errorf("%q: %q", args, stderr)
		}
	}
}
