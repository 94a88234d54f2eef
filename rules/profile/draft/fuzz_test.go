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
	f.Add([]byte("<table><tr><th>Host<th>Port<th>Direction<tr hidden><td>a.example<sup>1</sup><td>TCP <s>80</s> 443<td>In<tr><td>1.2.3.4<sup>5</sup><td>443<td>Out</table>"), uint8(3))
	f.Add([]byte("<table><tr><td><table><template><tr><td>a.example<td>TCP 443</template><tr><td>a<region>.example<td>TCP 443<a href=#f>1</a></table></table>"), uint8(3))
	f.Add([]byte("Source,Host,Port\nx,10.1.1.1-20,443\nmanager,host[1-4].a.example,TCP 443[1]\n,2001:db8::-2001:db8::ff,80/443\n,h1..4.a.example*,\"8,443\"\n"), uint8(0))
	f.Add([]byte("| host | port |\n|--|--|\n| ~~a.example~~ | tcp 1^2^ |\n<!--\n| a<sup>1</sup>.example\u00b9 | tcp 443 |\n"), uint8(2))
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
			for _, e := range d.Rows {
				if s := e.Text; len(e.Doubts) == 0 && (strings.Contains(s, "~~") || strings.Contains(s, "[hidden: ")) {
					t.Fatalf("struck-out or hidden text became a rule: %q\n%s", s, text)
				}
			}
			for _, r := range p.Rules {
				if r.Any || len(r.To) == 0 || strings.Contains(r.TCP.String(), "all") {
					t.Fatalf("rule %s permits more than a row can say\n%s", r.ID, text)
				}
			}
		}
	})
}
