// Tests of many texts at once: every error of every text, and the findings about them.

package lint

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"sallyport/rules"
	"sallyport/rules/profile"
)

func TestTextsReportsEveryErrorOfEveryText(t *testing.T) {
	sound := head + row("w", "server", `"d1.cloudfront.net"`, "tcp = [443]")
	texts := []Text{
		{File: "broken.toml", Data: []byte(head + "[[rule]]\nid = \"r\"\nfrom = \"boss\"\nto = [\"*.com\", \"d2.cloudfront.net\"]\ntcp = [0]\n")},
		{File: "sound.toml", Data: []byte(sound)},
		{File: "twice.toml", Data: []byte(sound)},
		{File: "syntax.toml", Data: []byte("name = \n")},
		{File: "large.toml", Data: []byte(sound + strings.Repeat("#", profile.MaxSize))},
		{File: "absent.toml", Err: errors.New("no such file or directory")},
	}
	profiles, findings := Texts(texts, nil)
	if len(profiles) != 1 || profiles[0].File != "sound.toml" {
		t.Errorf("profiles: %v", profiles)
	}
	var lines []string
	for _, f := range findings {
		lines = append(lines, f.String())
	}
	for i, want := range []string{
		`broken.toml:9: rule "r": purpose is missing`,
		`broken.toml:9: warning: rule "r": section is missing`,
		`broken.toml:9: warning: rule "r": d2.cloudfront.net`,
		`broken.toml:11: from: "boss" is not one of the profile's roles`,
		`broken.toml:12: to: "*.com": anyone can register a name`,
		`broken.toml:13: tcp: port 0 is not from 1 to 65535`,
		`sound.toml:1: warning: party "agent": no rule is from it or to it`,
		`sound.toml:6: warning: port "control": no rule has it in tcp or udp`,
		`sound.toml:9: warning: rule "w": d1.cloudfront.net`,
		`twice.toml:1: name: the profile "backup" is also in sound.toml`,
		`twice.toml:9: warning: rule "w": d1.cloudfront.net`,
		`syntax.toml:1: `,
		`large.toml: the file is larger than 4 MiB`,
		`absent.toml: no such file or directory`,
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Fatalf("line %d is not %q:\n%s", i, want, strings.Join(lines, "\n"))
		}
	}
	j := NewJSON(profiles, findings)
	if j.Good || j.Errors != 8 || j.Warnings != 6 || j.Noted != 0 || len(j.Findings) != len(lines) {
		t.Errorf("%+v", j)
	}
	raw, err := json.Marshal(j.Findings[8])
	if want := `{"file":"sound.toml","line":9,"severity":"warning","check":"shared","rule":"backup/w","text":"rule \"w\": d1.cloudfront.net`; err != nil || !strings.HasPrefix(string(raw), want) {
		t.Errorf("%s", raw)
	}
	empty, err := json.Marshal(NewJSON(nil, nil))
	if want := `{"good":true,"profiles":[],"errors":0,"warnings":0,"noted":0,"findings":[]}`; err != nil || string(empty) != want {
		t.Errorf("%s", empty)
	}
}

// A file that replaces a shipped profile must say which one, as it must when it is loaded. The
// text of a shipped profile itself has no such line.
func TestTextsComparesWhatIsReplaced(t *testing.T) {
	const rest = "roles = [\"server\"]\n[document]\ntitle = \"T\"\nversion = \"2\"\n"
	shipped := parsed(t, "s.toml", "name = \"shipped\"\n"+rest)
	for text, want := range map[string]string{
		"name = \"shipped\"\n" + rest:                                          "",
		"name = \"shipped\"\nreplaces = \"2\"\n" + rest:                        "",
		"name = \"shipped\"\nreplaces = \"" + shipped.Revision + "\"\n" + rest: "",
		"name = \"shipped\"\nreplaces = \"1\"\n" + rest:                        `f.toml:2: replaces: the shipped profile shipped has version 2, revision ` + shipped.Revision + `, not "1": compare the two profiles, then write replaces = "` + shipped.Revision + `"`,
		"name = \"shippet\"\nreplaces = \"2\"\n" + rest:                        `f.toml:2: replaces: no shipped profile has the name "shippet", so that there is nothing to replace: did you mean "shipped"?`,
		"replaces = \"\"\nname = \"shipped\"\n" + rest:                         "f.toml:1: replaces: is empty",
	} {
		profiles, findings := Texts([]Text{{File: "f.toml", Data: []byte(text)}}, []*rules.Profile{shipped})
		got := ""
		if len(findings) > 0 {
			got = findings[0].String()
		}
		if !strings.HasPrefix(got, want) || (want == "") != (len(profiles) == 1 && got == "") {
			t.Errorf("%s\n%q, want %q", text, got, want)
		}
	}
}

// No text makes the checks panic, and each finding about a sound profile has a line and the
// name of its rule.
func FuzzTexts(f *testing.F) {
	f.Add(head + row("r", "server", `"d1.cloudfront.net", "*.vendor.com", "10.1.2.3", "0.0.0.0/0", "role:agent"`, `tcp = ["control", "1-65535"]`))
	f.Add(head + row("a", "server", `"upd.snagfor.com", "udp.sangfor.com", "a.b", "ab", "b"`, "any = true", `note = "ALL"`))
	f.Add(head)
	k := parsed(f, "k.toml", head+row("k", "server", `"upd.sangfor.com", "x.co.uk"`, "tcp = [1, 2, 8443]"))
	f.Fuzz(func(t *testing.T, text string) {
		profiles, findings := Texts([]Text{{File: "f.toml", Data: []byte(text)}}, []*rules.Profile{k})
		if (len(profiles) == 1) != NewJSON(profiles, findings).Good {
			t.Errorf("%d profiles, %v", len(profiles), findings)
		}
		for _, f := range findings {
			if f.File != "f.toml" || f.Text == "" || len(profiles) == 1 && (f.Line == 0 || (f.Rule == "") != (f.Check == Unused) || !f.Warning) {
				t.Errorf("%+v", f)
			}
		}
	})
}
