// Tests of what profiles and profiles show print: the document with its age, the
// revision, the notes, and what comes from a file.

package catalogue

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
	"sallyport/rules/profile"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// backup reads a profile with a document of these keys.
func backup(t *testing.T, document string) *rules.Profile {
	t.Helper()
	p, err := profile.Parse("backup.toml", []byte("name = \"backup\"\nproduct = \"Backup\\u200e 7\"\nroles = [\"server\"]\n[document]\ntitle = \"Ports of Backup\"\n"+document+
		"\n[[rule]]\nid = \"licence\"\nfrom = \"server\"\nto = [\"a.example\", \"b.example\"]\ntcp = [443]\npurpose = \"Licence\"\nsection = \"3\"\nnote = \"the cell is merged\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestShow(t *testing.T) {
	sum := strings.Repeat("0f", 32)
	p := backup(t, "version = \"7.2\"\nreleased = 2026-08-30\nurl = \"https://backup.example/ports\"\nretrieved = 2026-10-01\nlanguage = \"en\"\nnote = \"the cover is older than the change log\"\nsha256 = \""+sum+"\"")
	p.Origin = "profile revision " + p.Revision + ", in place of the shipped version 7.1"
	var out bytes.Buffer
	if err := showProfile(&out, p, noon); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"document: Ports of Backup, version 7.2, released 2026-08-30 (3 months ago)\n",
		"url:      https://backup.example/ports\n",
		"read:     2026-10-01, language en, sha256 " + sum + "\n",
		"note:     the cover is older than the change log\n",
		"revision: " + p.Revision + "\n",
		"file:     backup.toml: profile revision " + p.Revision + ", in place of the shipped version 7.1\n",
		"\nlicence  server  a.example  tcp 443  3              Licence\n",
		"\nnotes:\n  licence: the cell is merged\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\u200e") {
		t.Errorf("a control character reaches the terminal: %q", out.String())
	}
}

// A note of several rules is shown once, where the first of them stands.
func TestShowGroupsEqualNotes(t *testing.T) {
	p := backup(t, "")
	for _, r := range []rules.Rule{{ID: "b", Note: "N"}, {ID: "c"}, {ID: "d", Note: "the cell is merged"}, {ID: "e", Note: "N"}} {
		p.Rules = append(p.Rules, &r)
	}
	var out bytes.Buffer
	showNotes(&out, p)
	if want := "\nnotes:\n  licence, d: the cell is merged\n  b, e: N\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	showNotes(&out, &rules.Profile{Rules: []*rules.Rule{{ID: "a"}}})
	if out.Len() > 0 {
		t.Errorf("no note: %q", out.String())
	}
}

func TestAgeOfDocuments(t *testing.T) {
	for _, c := range []struct {
		document, day, age string
		old                bool
	}{
		{"released = 2026-11-30", "2026-11-30", "0 days ago", false},
		{"released = 2026-12-24", "2026-12-24", "0 days ago", false},
		{"released = 2026-10-03", "2026-10-03", "58 days ago", false},
		{"released = 2026-05-30", "2026-05-30", "6 months ago", false},
		{"released = 2024-11-30", "2024-11-30", "2 years ago", false},
		{"released = 2024-11-29", "2024-11-29", "2 years ago", true},
		{"released = 2020-02-29", "2020-02-29", "6 years ago", true},
		{"retrieved = 2024-01-01", "2024-01-01", "2 years ago", true},
		{"released = 2024-01-01\nretrieved = 2026-11-01", "2024-01-01", "2 years ago", true},
		{"", "-", "of unknown age", false},
	} {
		p := backup(t, c.document)
		var out, warn bytes.Buffer
		if err := printList(&out, &warn, []*rules.Profile{p}, false, noon); err != nil {
			t.Fatal(err)
		}
		want := ""
		if c.old {
			want = "sallyport: warning: the document of backup is from " + c.day + " (" + c.age + "): look for a newer document\n"
		}
		if day(p.Document) != c.day || ago(p.Document, noon) != c.age || warn.String() != want {
			t.Errorf("%s: %s, %s, %q, want %s, %s, %q", c.document, day(p.Document), ago(p.Document, noon), warn.String(), c.day, c.age, want)
		}
		if !strings.Contains(out.String(), "backup   server  0         1      "+c.day) {
			t.Errorf("%s", out.String())
		}
	}
}

func TestListAsJSON(t *testing.T) {
	p := backup(t, "version = \"7.2\"\nreleased = 2024-11-20\nurl = \"https://backup.example/ports\"\nlanguage = \"en\"")
	p.Origin = "profile revision " + p.Revision
	var out, warn bytes.Buffer
	if err := printList(&out, &warn, []*rules.Profile{p}, true, noon); err != nil {
		t.Fatal(err)
	}
	var list []map[string]any
	if err := json.Unmarshal(out.Bytes(), &list); err != nil || len(list) != 1 || warn.Len() != 0 {
		t.Fatalf("%v %s %s", err, out.String(), warn.String())
	}
	document, err := json.Marshal(list[0]["document"])
	if want := `{"age_days":740,"language":"en","old":true,"released":"2024-11-20","title":"Ports of Backup","url":"https://backup.example/ports","version":"7.2"}`; err != nil || string(document) != want {
		t.Errorf("%s %v, want %s", document, err, want)
	}
	if list[0]["revision"] != p.Revision || list[0]["file"] != "backup.toml" || list[0]["origin"] != p.Origin {
		t.Errorf("%v", list[0])
	}
}
