// Documents: every row of a vendor's document has its rule, and every rule has its row.

package configs

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"sallyport/rules"
	"sallyport/rules/profile"
)

// checkProfiles compares every NAME.toml of a directory with the NAME.table
// beside it, and returns everything that is wrong.
func checkProfiles(dir fs.FS) (problems []string) {
	profiles, err1 := fs.Glob(dir, "*.toml")
	tables, err2 := fs.Glob(dir, "*.table")
	if err1 != nil || err2 != nil || len(profiles) == 0 {
		return []string{fmt.Sprintf("no profiles: %v, %v", err1, err2)}
	}
	for _, file := range tables {
		if name := strings.TrimSuffix(file, ".table"); !slices.Contains(profiles, name+".toml") {
			problems = append(problems, file+": there is no "+name+".toml")
		}
	}
	for _, file := range profiles {
		name := strings.TrimSuffix(file, ".toml")
		text, err := fs.ReadFile(dir, file)
		if err != nil {
			return append(problems, err.Error())
		}
		p, err := profile.Parse(file, text)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		if text, err = fs.ReadFile(dir, name+".table"); err != nil {
			problems = append(problems, err.Error())
			continue
		}
		doc, err := readTable(string(text))
		if err != nil {
			problems = append(problems, name+".table: "+err.Error())
			continue
		}
		for _, problem := range slices.Concat(doc.check(p), provenance(p)) {
			problems = append(problems, name+": "+problem)
		}
		if p.Name != name {
			problems = append(problems, fmt.Sprintf("%s has the name %q", file, p.Name))
		}
	}
	return problems
}

// check compares a profile with its document.
func (d *table) check(p *rules.Profile) (problems []string) {
	report := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	left := map[need]int{}
	for _, n := range needsOf(p) {
		left[n]++
	}
	for _, n := range d.needs {
		if left[n] == 0 {
			report("documented, but no rule permits it: %+v", n)
		}
		left[n]--
	}
	for n, times := range left {
		if times > 0 {
			report("a rule permits it %d times more than it is documented: %+v", times, n)
		}
	}
	ports := map[string]int{}
	for _, port := range p.Ports {
		ports[port.Name] = int(port.Default)
	}
	if !maps.Equal(ports, d.ports) {
		report("configurable ports are %v, documented are %v", ports, d.ports)
	}
	if !maps.Equal(d.counted, d.stated) {
		report("the table has %+v rows and needs, its count lines state %+v", d.counted, d.stated)
	}
	return problems
}

// provenance reports rules without purpose or section, and a profile without
// document, product or meanings.
func provenance(p *rules.Profile) (problems []string) {
	if p.Document.Title == "" || p.Product == "" {
		problems = append(problems, "it names no document or no product")
	}
	for _, r := range p.Rules {
		if r.Purpose == "" || r.Section == "" {
			problems = append(problems, r.String()+" has no purpose or no section")
		}
	}
	for _, f := range p.Features {
		if !slices.ContainsFunc(p.Rules, func(r *rules.Rule) bool { return slices.Contains(r.When, f.Name) }) || f.Meaning == "" {
			problems = append(problems, "feature "+f.Name+" has no meaning or no rule")
		}
	}
	return problems
}

// parseProfiles parses every shipped profile.
func parseProfiles(t *testing.T) []*rules.Profile {
	t.Helper()
	files, err := fs.Glob(Profiles(), "*.toml")
	if err != nil {
		t.Fatal(err)
	}
	var out []*rules.Profile
	for _, file := range files {
		text, err := fs.ReadFile(Profiles(), file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := profile.Parse(file, text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func TestEveryDocumentedRowHasARuleAndNoRuleIsUndocumented(t *testing.T) {
	for _, problem := range checkProfiles(os.DirFS("profiles")) {
		t.Error(problem)
	}
}

// The binary carries the profiles of the directory, and no table.
func TestTheBinaryCarriesProfilesOnly(t *testing.T) {
	carried, err := fs.Glob(Profiles(), "*")
	if err != nil {
		t.Fatal(err)
	}
	there, err := fs.Glob(os.DirFS("profiles"), "*.toml")
	if err != nil || !slices.Equal(carried, there) {
		t.Errorf("the binary carries %q, the directory has %q (%v)", carried, there, err)
	}
}

// A new product is two files: the checks find them by themselves, and find each
// mistake.
func TestANewProductIsTwoFiles(t *testing.T) {
	const toml = `name = "made-up"
product = "A product that was made up"
roles = ["manager", "agent"]
[document]
title = "Requirements"
[[feature]]
name = "cloud"
meaning = "the cloud is used"
[[port]]
name = "log"
default = 514
[[rule]]
id = "update"
from = "manager"
to = ["update.example", "update2.example"]
tcp = [443]
when = ["cloud"]
purpose = "updates"
section = "1"
[[rule]]
id = "log"
from = "agent"
to = ["role:manager"]
udp = ["log"]
since = "2.0"
purpose = "logs"
section = "1"
`
	const table = `# of Requirements
section 1
count 2 3
manager  update.example,update2.example  tcp/443  when=cloud
agent    <manager>                       udp/514  port=log since=2.0
`
	shipped := os.DirFS("profiles")
	for _, c := range []struct{ what, toml, table, want string }{
		{"right", toml, table, ""},
		{"no table", toml, "", "made-up.table"},
		{"a row without a rule", toml, table + "agent other.example tcp/1\n", "documented, but no rule permits it: {section:1 from:agent to:other.example port:tcp/1"},
		{"a rule without a row", strings.Replace(toml, "tcp = [443]", "tcp = [80, 443]", 1), table, "a rule permits it 1 times more than it is documented: {section:1 from:manager to:update"},
		{"another default", strings.Replace(toml, "514", "515", 1), table, "configurable ports are map[log:515], documented are map[log:514]"},
		{"a row lost from both", strings.Replace(toml, `"update.example", `, "", 1), strings.Replace(table, "update.example,", "", 1), "its count lines state map[1:{rows:2 needs:3}]"},
		{"no count", toml, strings.Replace(table, "count 2 3\n", "", 1), "its count lines state map[1:{rows:0 needs:0}]"},
		{"another name", strings.Replace(toml, `"made-up"`, `"other"`, 1), table, `made-up.toml has the name "other"`},
		{"an unknown condition", toml, table + "agent other.example tcp/1 maybe\n", "line 6: unknown condition maybe"},
		{"no purpose to a feature", strings.Replace(toml, `when = ["cloud"]`, "", 1), strings.Replace(table, "when=cloud", "", 1), "feature cloud has no meaning or no rule"},
	} {
		dir := fstest.MapFS{"made-up.toml": {Data: []byte(c.toml)}}
		if c.table != "" {
			dir["made-up.table"] = &fstest.MapFile{Data: []byte(c.table)}
		}
		got := strings.Join(checkProfiles(dir), "\n")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	alone := fstest.MapFS{"x.table": {Data: []byte(table)}, "made-up.toml": {Data: []byte(toml)}, "made-up.table": {Data: []byte(table)}}
	if got := checkProfiles(alone); !slices.Equal(got, []string{"x.table: there is no x.toml"}) {
		t.Errorf("a table alone: %q", got)
	}
	if files, err := fs.Glob(shipped, "*.toml"); err != nil || len(files) < 5 {
		t.Errorf("the shipped profiles are elsewhere: %q, %v", files, err)
	}
}

// The profile that docs/profile-format.md shows and the table that README.md shows belong
// together.
func TestTheExampleOfTheFormatIsValid(t *testing.T) {
	block := func(file, kind string) *fstest.MapFile {
		page, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(string(page), "```"+kind+"\n")
		text, _, _ = strings.Cut(text, "```")
		return &fstest.MapFile{Data: []byte(text)}
	}
	example := fstest.MapFS{"made-up.toml": block("../docs/profile-format.md", "toml"), "made-up.table": block("profiles/README.md", "text")}
	for _, problem := range checkProfiles(example) {
		t.Error(problem)
	}
}
