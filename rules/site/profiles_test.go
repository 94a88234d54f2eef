// Tests of the profiles that a configuration reads from files.

package site

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// ofBackup is a profile of nine lines.
const ofBackup = `name  = "backup"
roles = ["server"]
[document]
title = "Ports of Backup 7"
version = "7.2"
[[rule]]
id = "licence"
from = "server"
to = ["licence.backup.example"]
tcp = [443]
purpose = "Licence check"
section = "3"
`

// asProduct is ofBackup under the name of a shipped profile.
func asProduct(replaces string) string {
	return strings.Replace(ofBackup, `"backup"`, `"product"`+replaces, 1)
}

// withProfiles returns a configuration of one client with these profiles, which reads profiles
// from these paths.
func withProfiles(paths, profiles string) string {
	return "[profiles]\npaths = [" + paths + "]\n[[client]]\nname = \"c\"\nsources = [\"10.1.1.1\"]\nprofiles = [" + profiles + "]\n"
}

func TestProfileFiles(t *testing.T) {
	shipped := testProfiles(t)
	i := slices.IndexFunc(shipped, func(p *rules.Profile) bool { return p.Name == "product" })
	product := shipped[i]
	if product.Document.Version != "01" {
		t.Fatalf("version %q", product.Document.Version)
	}
	two := strings.Replace(ofBackup, `"backup"`, `"archive"`, 1)
	for _, c := range []struct {
		what, paths, profiles string
		files                 memory
		want                  string // the profiles in force after the shipped profiles, or the problems
	}{
		{"a file", `"backup.toml"`, `"backup"`, memory{"/d/backup.toml": ofBackup}, "backup"},
		{"a directory, without other and hidden files", `"p/"`, `"archive", "backup"`, memory{
			"/d/p/b.toml": ofBackup, "/d/p/a.toml": two, "/d/p/.c.toml": "nonsense", "/d/p/README": "nonsense", "/d/p/a.toml~": "nonsense", "/d/p/sub/x.toml": "nonsense"}, "archive backup"},
		{"a directory without a slash, and an absolute path", `"p", "/srv/a.toml"`, `"backup"`, memory{"/d/p/b.toml": ofBackup, "/srv/a.toml": two}, "backup archive"},
		{"a profile that no client has", `"p"`, `"another"`, memory{"/d/p/b.toml": ofBackup}, "backup"},
		{"in place of a shipped one, by its version", `"p"`, `"product"`, memory{"/d/p/b.toml": asProduct("\nreplaces = \"01\"")}, ""},
		{"in place of a shipped one, by its revision", `"p"`, `"product"`, memory{"/d/p/b.toml": asProduct("\nreplaces = \"" + product.Revision + "\"")}, ""},

		{"no such directory", `"none/"`, ``, memory{}, "c.toml:2: paths: /d/none: no such file or directory: create it, or correct the path; relative paths begin at the directory of the configuration"},
		{"no such file", `"none.toml"`, ``, memory{}, "c.toml:2: paths: /d/none.toml: no such file or directory: create it, or correct the path; relative paths begin at the directory of the configuration"},
		{"a file of another kind", `"list.txt"`, ``, memory{"/d/list.txt": "x"}, "c.toml:2: paths: /d/list.txt: is not a directory, and the path of a file ends in .toml"},
		{"an empty directory", `"p/"`, ``, memory{"/d/p/README": ""}, "c.toml:2: paths: /d/p: there is no profile in this directory: put a file that ends in .toml there, or remove the path"},
		{"a directory without permission", `"p"`, ``, memory{"/d/p": "!perm"}, "c.toml:2: paths: /d/p: permission denied: the user of sallyport must be able to read it"},
		{"a file without permission", `"p"`, `"backup"`, memory{"/d/p/b.toml": "!perm"}, "c.toml:2: paths: /d/p/b.toml: permission denied: the user of sallyport must be able to read it\n" +
			"c.toml:6: unknown profile \"backup\"; the profiles are \"product\", \"another\"; it may be in /d/p/b.toml, which has errors"},
		{"a file that is too large", `"p"`, ``, memory{"/d/p/b.toml": "!large"}, "c.toml:2: paths: /d/p/b.toml: the file is larger than 4 MiB: divide it, or remove what is not needed"},
		{"no path", `""`, ``, memory{}, `c.toml:2: paths: "" is not a path: name a directory with profiles, or a file that ends in .toml`},
		{"standard input", `"-"`, ``, memory{}, `c.toml:2: paths: "-" is not a path: name a directory with profiles, or a file that ends in .toml`},
		{"one file by two paths", `"p", "p/b.toml"`, ``, memory{"/d/p/b.toml": ofBackup}, "c.toml:2: paths: /d/p/b.toml is listed already: remove one of the two paths to it"},
		{"one directory by two paths", `"p", "x/../p/"`, ``, memory{"/d/p/b.toml": ofBackup}, "c.toml:2: paths: /d/p/b.toml is listed already: remove one of the two paths to it"},

		{"no TOML, and a client that needs it", `"p"`, `"backup"`, memory{"/d/p/b.toml": "name = \"backup\"\nname"}, "/d/p/b.toml:2: \"name\": write key = value\n" +
			"c.toml:6: unknown profile \"backup\"; the profiles are \"product\", \"another\"; it may be in /d/p/b.toml, which has errors"},
		{"errors of two files and of the configuration", `"p"`, `"backup", "archiv"`, memory{
			"/d/p/a.toml": strings.Replace(two, "tcp = [443]", "tcp = [0]", 1), "/d/p/b.toml": strings.Replace(ofBackup, `"server"]`, `"agent"]`, 1)},
			"/d/p/a.toml:10: tcp: port 0 is not from 1 to 65535\n/d/p/b.toml:8: from: \"server\" is not one of the profile's roles; the roles are \"agent\"\nc.toml:6: unknown profile \"archiv\": did you mean \"archive\"?"},
		{"a profile without roles", `"p"`, `"backup"`, memory{"/d/p/b.toml": "name = \"backup\"\n[document]\ntitle = \"T\"\n"},
			"/d/p/b.toml: roles is missing: list the roles of the document, the default one first\nc.toml:6: profile \"backup\" and its clients are not checked further, because /d/p/b.toml has errors"},
		{"one name in two files", `"p"`, `"backup"`, memory{"/d/p/a.toml": ofBackup, "/d/p/b.toml": "# a comment\n" + ofBackup},
			`/d/p/b.toml:2: name: the profile "backup" is also in /d/p/a.toml, on line 1: remove one of the two, or rename it`},
		{"the name of a shipped profile", `"p"`, `"product"`, memory{"/d/p/b.toml": asProduct("")},
			`/d/p/b.toml:1: name: "product" is the name of a shipped profile: choose another name, or, to replace the shipped one, write replaces = "` + product.Revision + `"`},
		{"in place of an earlier one", `"p"`, `"product"`, memory{"/d/p/b.toml": asProduct("\nreplaces = \"00\"")},
			`/d/p/b.toml:2: replaces: the shipped profile product has version 01, revision ` + product.Revision + `, not "00": compare the two profiles, then write replaces = "` + product.Revision + `"`},
		{"in place of no shipped one", `"p"`, `"backup"`, memory{"/d/p/b.toml": "replaces = \"7\"\n" + ofBackup},
			`/d/p/b.toml:1: replaces: no shipped profile has the name "backup", so that there is nothing to replace; the shipped profiles are "product", "another"`},
	} {
		cfg, problems := Parse("c.toml", Disk{Dir: "/d", Files: c.files}, []byte(withProfiles(c.paths, c.profiles)), shipped)
		got := problems.Error()
		if cfg != nil {
			got = ""
			for _, p := range cfg.Profiles {
				if !slices.Contains(shipped, p) && p.Replaced == nil {
					got = strings.TrimSpace(got + " " + p.Name)
				}
			}
		}
		if got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, got, c.want)
		}
	}
}

// A profile from a file is a profile like any other. Its rules say where they come from.
func TestProfileFileInForce(t *testing.T) {
	shipped := testProfiles(t)
	i := slices.IndexFunc(shipped, func(p *rules.Profile) bool { return p.Name == "product" })
	files := memory{"/d/p/backup.toml": ofBackup, "/d/p/product.toml": asProduct("\nreplaces = \"01\"")}
	c, problems := Parse("c.toml", Disk{Dir: "/d", Files: files}, []byte(withProfiles(`"p"`, `"backup", "product"`)), shipped)
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	backup, replaced := c.Clients[0].Profiles[0].Profile, c.Clients[0].Profiles[1].Profile
	if got, want := backup.Rules[0].Source(), "Ports of Backup 7, version 7.2, section 3; profile revision "+backup.Revision; got != want {
		t.Errorf("source %q, want %q", got, want)
	}
	old := shipped[i]
	want := fmt.Sprintf("Ports of Backup 7, version 7.2, section 3; profile revision %s, in place of the shipped version 01, revision %s", replaced.Revision, old.Revision)
	if got := replaced.Rules[0].Source(); got != want {
		t.Errorf("source of the replacement %q, want %q", got, want)
	}
	if c.Profiles[i] != replaced || replaced.Replaced != old || slices.Contains(c.Profiles, old) || len(c.Profiles) != len(shipped)+1 {
		t.Errorf("the replaced profile is still in force: %v", c.Profiles)
	}
	if shipped[i] != old || old.Origin != "" || old.Rules[0].Origin != "" {
		t.Error("the shipped profiles were changed: they belong to the caller")
	}
	if want := []Input{{Key: profilesKey, Line: 2, Path: "/d/p", Dir: true}, {Key: profilesKey, Line: 2, Path: "/d/p/backup.toml"}, {Key: profilesKey, Line: 2, Path: "/d/p/product.toml"}}; !slices.Equal(c.Inputs, want) {
		t.Errorf("inputs %v, want %v", c.Inputs, want)
	}
	relative, problems := Parse("etc/c.toml", Disk{Dir: "etc", Files: memory{"etc/p/backup.toml": ofBackup}}, []byte(withProfiles(`"p/"`, `"backup"`)), shipped)
	if relative == nil || relative.Inputs[1].Path != "etc/p/backup.toml" {
		t.Errorf("below a relative directory: %v", problems)
	}
	again, _ := Parse("c.toml", Disk{Dir: "/d", Files: memory{"/d/p/backup.toml": ofBackup + "# a comment\n"}}, []byte(withProfiles(`"p"`, `"backup"`)), shipped)
	if again.Clients[0].Profiles[0].Profile.Revision != backup.Revision || again.Revision == c.Revision {
		t.Errorf("a comment changes the revision of the configuration, and not the one of the profile: %s, %s", again.Revision, c.Revision)
	}
}

func TestProfileFileLimits(t *testing.T) {
	files := memory{}
	for i := range maxProfiles + 1 {
		files[fmt.Sprintf("/d/p/%04d.toml", i)] = strings.Replace(ofBackup, "backup", fmt.Sprintf("backup-%d", i), 1)
	}
	_, problems := Parse("c.toml", Disk{Dir: "/d", Files: files}, []byte(withProfiles(`"p"`, ``)), nil)
	if got := problems.Error(); got != "c.toml:2: paths: there are more than 1000 profile files" {
		t.Errorf("%.300s", got)
	}
	doc, top := tomldoc.Parse("c.toml", []byte(withProfiles(`"p"`, ``)))
	r := &profileReader{c: &Config{}, disk: Disk{Dir: "/d", Files: memory{"/d/p/a.toml": ofBackup}}, t: top.Sub("profiles"), bytes: maxProfileBytes}
	r.readFile("p/a.toml", 2) // the earlier files have all that is permitted
	if got := doc.Problems().Error(); got != "c.toml:2: paths: the profile files have more than 64 MiB together" || len(r.found) != 0 {
		t.Errorf("%.300s, %v", got, r.found)
	}
}

// No profile file makes Parse panic. One that is accepted has a name of its own, or says which
// shipped profile it replaces; the shipped profiles stay as they are.
func FuzzProfileFile(f *testing.F) {
	shipped := testProfiles(f)
	var first string
	for _, p := range shipped {
		first += p.Name + p.Revision + p.Rules[0].Source()
		f.Add(asProduct("\nreplaces = \"" + p.Revision + "\""))
	}
	for _, s := range []string{"", ofBackup, asProduct(""), asProduct("\nreplaces = \"01\""), asProduct("\nreplaces = \"\"")} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, problems := Parse("c.toml", Disk{Dir: "/d", Files: memory{"/d/p/a.toml": text, "/d/p/b.toml": ofBackup}}, []byte(withProfiles(`"p"`, `"backup", "product"`)), shipped)
		if (c == nil) != (problems.Err() != nil) {
			t.Fatalf("a configuration %v with %v", c != nil, problems)
		}
		lines := map[string]int{"c.toml": 6, "/d/p/a.toml": strings.Count(text, "\n") + 1, "/d/p/b.toml": strings.Count(ofBackup, "\n") + 1}
		for _, p := range problems {
			if last, known := lines[p.File]; !known || p.Line < 0 || p.Line > last {
				t.Fatalf("%v: there are %d lines", p, last)
			}
		}
		var now string
		for _, p := range shipped {
			now += p.Name + p.Revision + p.Rules[0].Source()
		}
		if now != first {
			t.Fatal("a file changed the shipped profiles")
		}
		if c == nil {
			return
		}
		names := map[string]bool{}
		for _, p := range c.Profiles {
			isShipped := slices.Contains(shipped, p)
			taken := slices.ContainsFunc(shipped, func(o *rules.Profile) bool { return o.Name == p.Name })
			if names[p.Name] || isShipped != (p.Origin == "") || !isShipped && taken != (p.Replaced != nil) {
				t.Fatalf("%q: shipped %v, name taken %v, origin %q, replaced %v", p.Name, isShipped, taken, p.Origin, p.Replaced)
			}
			names[p.Name] = true
		}
		rules.Compile(&c.Spec, rules.Own{}, today)
	})
}

// The errors of a broken profile file come first. Its clients get one line, and no list of
// what they lack without the profile.
func TestABrokenProfileFileIsTheCause(t *testing.T) {
	text := `[profiles]
paths = ["p"]
[[client]]
name = "pacs"
sources = ["10.0.0.1"]
profiles = ["backup"]
role = "server"
[client.addresses]
storage = ["10.1.0.1"]
[[client]]
name = "other"
sources = ["10.0.0.2"]
[[client.profile]]
name = "backup"
[client.addresses]
storage = ["10.1.0.1", "a b"]
`
	broken := ofBackup + "[[rule]]\ntcp = [8000-8010]\n"
	_, problems := Parse("c.toml", Disk{Dir: "/d", Files: memory{"/d/p/b.toml": broken}}, []byte(text), testProfiles(t))
	line := strings.Count(broken, "\n")
	want := fmt.Sprintf("/d/p/b.toml:%d: tcp: write a range as a text: \"8000-8010\"\nc.toml:6: profile \"backup\" and its clients are not checked further, because /d/p/b.toml has errors", line)
	if problems.Error() != want {
		t.Errorf("%v\nwant\n%s", problems, want)
	}
}
