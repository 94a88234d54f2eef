// Tests of wildcards above public suffixes, and of the list of names that are.

package site

import (
	"cmp"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"
)

var update = flag.Bool("update", false, "write suffixes.txt anew")

// suffixes.txt has exactly the names of the library's own list.
func TestSuffixesAreTheLibrarys(t *testing.T) {
	want := "# Made by go test ./rules/site -run TestSuffixesAreTheLibrarys -update, from golang.org/x/net/publicsuffix.\n" +
		strings.Join(parentsOf(librarySuffixes(t)), "\n") + "\n"
	if *update {
		if err := os.WriteFile("suffixes.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if suffixParents != want {
		t.Error("suffixes.txt differs from the list of golang.org/x/net/publicsuffix: make it anew with -update")
	}
}

// librarySuffixes returns the rules that the library's tables are generated from.
// These rules are Go source next to the library's tests.
func librarySuffixes(t *testing.T) (out []string) {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", "golang.org/x/net/publicsuffix").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "table_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(source), "var rules = [...]string{\n")
	table, _, ended := strings.Cut(after, "\n}")
	for line := range strings.Lines(table) {
		out = append(out, strings.Trim(line, "\t\n\","))
	}
	if !found || !ended || len(out) < 9000 {
		t.Fatalf("the library's list is elsewhere: %d rules", len(out))
	}
	return out
}

// isSuffix reports whether the library has name as a public suffix.
func isSuffix(name string) bool {
	suffix, _ := publicsuffix.PublicSuffix(name)
	return suffix == name
}

// parentsOf returns the lines of suffixes.txt, sorted.
func parentsOf(suffixes []string) (out []string) {
	slices.SortFunc(suffixes, func(a, b string) int {
		return cmp.Or(strings.Count(a, ".")-strings.Count(b, "."), len(a)-len(b), cmp.Compare(a, b))
	})
	seen := map[string]bool{}
	for _, suffix := range suffixes {
		if strings.HasPrefix(suffix, "!") {
			continue // an exception: a domain of one owner
		}
		for _, parent, more := strings.Cut(suffix, "."); more; _, parent, more = strings.Cut(parent, ".") {
			if !seen[parent] && !isSuffix(parent) {
				out = append(out, parent+" "+suffix)
			}
			seen[parent] = true
		}
	}
	slices.Sort(out)
	return out
}

// A wildcard on a public suffix, or on a name whose children are all public suffixes, is an
// error. A wildcard above a public suffix is a warning that names the suffix.
func TestWildcardsAboveSuffixes(t *testing.T) {
	for _, c := range []struct {
		to   string
		want string // "": no problem
	}{
		{"*.com", "c.toml:6: to: \"*.com\": anyone can register a name under this public suffix"},
		{"*.s3.amazonaws.com", `c.toml:6: to: "*.s3.amazonaws.com": anyone can register a name under this public suffix`},
		{"*.r.appspot.com", `c.toml:6: to: "*.r.appspot.com": each name below r.appspot.com is a public suffix`},
		{"*.compute.amazonaws.com", `c.toml:6: to: "*.compute.amazonaws.com": each name below`},
		{"*.kawasaki.jp", `c.toml:6: to: "*.kawasaki.jp": each name below`},
		{"*.city.kawasaki.jp", ""}, // the list's exception
		{"*.amazonaws.com", "c.toml:6: warning: to: *.amazonaws.com also permits "},
		{"*.elb.amazonaws.com", "c.toml:6: to: \"*.elb.amazonaws.com\": each name below"},
		{"*.core.windows.net", "c.toml:6: warning: to: *.core.windows.net also permits *.web.core.windows.net"},
		{"*.windows.net", "c.toml:6: warning: to: *.windows.net also permits *.servicebus.windows.net"},
		{"*.WINDOWS.net", "c.toml:6: warning: to: *.windows.net also permits "},
		{"*.windowsupdate.com", ""},
		{"*.corp.example", ""},
		{"amazonaws.com", ""}, // a name without a wildcard
		{"bucket.s3.amazonaws.com", ""},
	} {
		if got := problemsOfRule(`to = ["` + c.to + `"]` + "\ntcp = [443]"); c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.to, got, c.want)
		}
	}
}

// problemsOfRule returns the problems of one rule, whose first line is line 6.
func problemsOfRule(rule string) string {
	_, problems := Parse("c.toml", Disk{Dir: "/"}, []byte("[[client]]\nname = 'x'\nsources = ['10.1.2.3']\nprofiles = []\n[[rule]]\n"+
		rule+"\nid = 'r'\nclient = 'x'\nreason = 'r'\n"), nil)
	return problemsText(problems)
}
