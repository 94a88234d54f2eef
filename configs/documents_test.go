// Documents: every row of the vendors' documents has its rule, and every rule its row.

package configs

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sallyport/rules"
	"sallyport/rules/profile"
)

// A need is one atom of a document, or of a profile: one party, one
// destination, one protocol and port, under the same conditions.
type need struct {
	section, from, to string
	port              string // "tcp/443", or "all"
	when              string // features, sorted, joined by commas
	since, until      string
	local             bool
}

// A documented is what testdata/documents.txt says about one profile.
type documented struct {
	rows  map[string]int // section: rows
	needs []need         // in the document's order
	ports map[string]int // configurable ports and their defaults
}

// readDocuments reads testdata/documents.txt; the file describes its format.
func readDocuments(t *testing.T) map[string]*documented {
	t.Helper()
	text, err := os.ReadFile("testdata/documents.txt")
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]*documented{}
	var doc *documented
	var section string
	for i, line := range strings.Split(string(text), "\n") {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0] == "#":
		case f[0] == "profile":
			doc = &documented{rows: map[string]int{}, ports: map[string]int{}}
			docs[f[1]] = doc
		case f[0] == "section":
			section = strings.Join(f[1:], " ")
		default:
			doc.rows[section]++
			if err := doc.addRow(section, f); err != "" {
				t.Fatalf("documents.txt:%d: %s", i+1, err)
			}
		}
	}
	return docs
}

func (d *documented) addRow(section string, f []string) (problem string) {
	if len(f) < 3 {
		return "a row has at least three columns"
	}
	n := need{section: section, from: f[0]}
	for _, cond := range f[3:] {
		key, value, _ := strings.Cut(cond, "=")
		switch key {
		case "when":
			n.when = sorted(strings.Split(value, ","))
		case "since":
			n.since = value
		case "until":
			n.until = value
		case "local":
			n.local = true
		case "port":
			d.ports[value], _ = strconv.Atoi(strings.TrimLeft(f[2], "tcpud/"))
		default:
			return "unknown condition " + cond
		}
	}
	for to := range strings.SplitSeq(f[1], ",") {
		for port := range strings.SplitSeq(f[2], ",") {
			n.to, n.port = strings.ToLower(to), port
			d.needs = append(d.needs, n)
		}
	}
	return ""
}

func sorted(list []string) string {
	return strings.Join(slices.Sorted(slices.Values(list)), ",")
}

// needsOf takes a profile's rules apart in the same way.
func needsOf(p *rules.Profile) []need {
	var out []need
	for _, r := range p.Rules {
		n := need{section: r.Section, from: r.From, when: sorted(r.When), since: r.Since, until: r.Until, local: r.Local}
		for _, to := range r.To {
			n.to = to.String()
			if party, ok := strings.CutPrefix(n.to, "role:"); ok {
				n.to = "<" + party + ">"
			}
			for _, port := range portsOf(p, r) {
				n.port = port
				out = append(out, n)
			}
		}
	}
	return out
}

func portsOf(p *rules.Profile, r *rules.Rule) []string {
	if r.Any {
		return []string{"all"}
	}
	var out []string
	tcp, udp := p.DefaultPorts(r)
	for proto, ports := range map[string]rules.Ports{"tcp": tcp, "udp": udp} {
		for _, p := range ports {
			for port := int(p.First); port <= int(p.Last); port++ {
				out = append(out, proto+"/"+strconv.Itoa(port))
			}
		}
	}
	return out
}

// parseProfiles parses every shipped profile, by file name.
func parseProfiles(t *testing.T) map[string]*rules.Profile {
	t.Helper()
	files, err := fs.Glob(Profiles(), "*.toml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*rules.Profile{}
	for _, file := range files {
		text, err := fs.ReadFile(Profiles(), file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := profile.Parse(file, text)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(path.Base(file), ".toml")] = p
	}
	return out
}

func TestEveryDocumentedRowHasARuleAndNoRuleIsUndocumented(t *testing.T) {
	docs, profiles := readDocuments(t), parseProfiles(t)
	if got, want := slices.Sorted(maps.Keys(profiles)), slices.Sorted(maps.Keys(docs)); !slices.Equal(got, want) {
		t.Fatalf("profiles are %q, documents are %q", got, want)
	}
	for name, doc := range docs {
		t.Run(name, func(t *testing.T) {
			p := profiles[name]
			if p.Name != name {
				t.Errorf("%s.toml has the name %q", name, p.Name)
			}
			left := map[need]int{}
			for _, n := range needsOf(p) {
				left[n]++
			}
			for _, n := range doc.needs {
				if left[n] == 0 {
					t.Errorf("documented, but no rule permits it: %+v", n)
				}
				left[n]--
			}
			for n, count := range left {
				if count > 0 {
					t.Errorf("a rule permits it %d times, but it is not documented: %+v", count, n)
				}
			}
			ports := map[string]int{}
			for _, port := range p.Ports {
				ports[port.Name] = int(port.Default)
			}
			if !maps.Equal(ports, doc.ports) {
				t.Errorf("configurable ports are %v, documented are %v", ports, doc.ports)
			}
		})
	}
}

// The counts were made on the documents themselves, so that a row cannot be
// lost from table and profile alike.
func TestCountsPerSection(t *testing.T) {
	want := map[string]struct{ rows, needs int }{
		"endpoint-secure-onprem/1": {17, 17 + 5 /* further names */ + 8 /* second ports, one a row */ + 2 /* of update2, update3 */},
		"endpoint-secure-onprem/2": {6, 6},
		"endpoint-secure-saas/3":   {10, 10 + 5 + 5 + 2 /* as above */ + 2*3 /* edrsaas, edragent: four ports */},
		// Four appliance rows hold nine sentences. 33 rows follow: 28 names and one address with three ports each, one
		// DNS server, two rows of four ports, one of two.
		"cyber-command/2": {9 + 33, 2 + 1 + 1 + 1 + 1 + 1 + 2 + 1 + 1 + 29*3 + 1 + 2*4 + 2},
		// 20 rows; 8443 and 8446 have two initiators each. Push to Windows has four ports, content analysis two.
		"symantec-endpoint-protection/installation and communication": {20 + 2, 20 + 2 + 3 + 1},
		"symantec-liveupdate/Symantec Agent":                          {3, 3},
	}
	for name, doc := range readDocuments(t) {
		needs := map[string]int{}
		for _, n := range doc.needs {
			needs[n.section]++
		}
		for section, rows := range doc.rows {
			key := name + "/" + section
			if got := (struct{ rows, needs int }{rows, needs[section]}); got != want[key] {
				t.Errorf("%s has %+v rows and needs, the document has %+v", key, got, want[key])
			}
			delete(want, key)
		}
	}
	for key := range want {
		t.Errorf("%s is missing", key)
	}
}

// A rule says where it comes from and what it is for, and its document is named.
func TestEveryRuleHasProvenance(t *testing.T) {
	for name, p := range parseProfiles(t) {
		if p.Document.Title == "" || p.Product == "" {
			t.Errorf("%s names no document or no product", name)
		}
		for _, r := range p.Rules {
			if r.Purpose == "" || r.Section == "" {
				t.Errorf("%s has no purpose or no section", r)
			}
		}
		for _, f := range p.Features {
			if !slices.ContainsFunc(p.Rules, func(r *rules.Rule) bool { return slices.Contains(r.When, f.Name) }) || f.Meaning == "" {
				t.Errorf("%s: feature %s has no meaning or no rule", name, f.Name)
			}
		}
	}
}
