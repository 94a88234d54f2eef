// Fuzzing: the draft of any document parses, and no doubtful row is a rule.

package draft

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/rules/profile"
)

func FuzzImport(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint8(4))
	}
	f.Add([]byte("Host,Port\n.a.example,TCP: 443\n[r].a.example,443\n\"a.example\nb.example\",ALL\n"), uint8(0))
	f.Add([]byte("<table><tr><th>Host<th>Port<tr><td rowspan=3>a.example<td colspan=9>TCP 443<tr><td>53 (UDP)</table>"), uint8(3))
	f.Add([]byte("| host | port |\n|--|--|\n| `*.a.example` | tcp 1-2 |\n"), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, which uint8) {
		if len(data) > 1<<16 {
			return
		}
		var drafts []*Draft
		o := Options{Name: "made-up", Product: "P", Title: "T\"\n\\", Role: "manager"}
		if n := int(which) % (len(Formats()) + len(Sources())); n < len(Formats()) {
			tables, err := Read(Formats()[n], data)
			if err != nil {
				return
			}
			for _, protocol := range []string{"", "tcp", "tcp,udp"} {
				o.Protocol = protocol
				d, err := New(tables, o)
				if err != nil {
					t.Fatal(err)
				}
				drafts = append(drafts, d)
			}
		} else if d, err := FromMachine(Sources()[n-len(Formats())], data, o, Filter{Ports: "tcp 443"}); err == nil {
			drafts = append(drafts, d)
		}
		for _, d := range drafts {
			text := d.TOML()
			p, err := profile.Parse("draft", text)
			if err != nil {
				t.Fatalf("the draft is no profile: %v\n%s", err, text)
			}
			if len(p.Rules) != d.Decided() {
				t.Fatalf("%d rules, %d rows decided\n%s", len(p.Rules), d.Decided(), text)
			}
			for _, r := range p.Rules {
				if r.Any || len(r.To) == 0 || strings.Contains(r.TCP.String(), "all") {
					t.Fatalf("rule %s permits more than a row can say\n%s", r.ID, text)
				}
			}
		}
	})
}
