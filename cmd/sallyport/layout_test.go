// Layout: which package may import which, as in the table of ARCHITECTURE.md.

package main

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// forTests lists the packages that only tests import, so that nothing of them is in the binary.
var forTests = []string{"denials/journaltest", "proxy/proxytest"}

func TestLayout(t *testing.T) {
	may := map[string][]string{
		"sallyport":                           nil,
		"sallyport/rules":                     nil,
		"sallyport/rules/tomldoc":             {"sallyport/rules"},
		"sallyport/rules/profile":             {"sallyport/rules", "sallyport/rules/tomldoc"},
		"sallyport/rules/export":              {"sallyport/rules"},
		"sallyport/rules/profile/diff":        {"sallyport/rules"},
		"sallyport/rules/profile/draft":       {"sallyport/rules"},
		"sallyport/rules/profile/lint":        {"sallyport/rules", "sallyport/rules/profile"},
		"sallyport/rules/profile/merge":       {"sallyport/rules", "sallyport/rules/profile", "sallyport/rules/profile/draft"},
		"sallyport/rules/site":                {"sallyport/rules", "sallyport/rules/profile", "sallyport/rules/tomldoc"},
		"sallyport/configs":                   nil,
		"sallyport/dnsfilter":                 {"sallyport/rules", "sallyport/rules/proxyheader", "sallyport/rules/quota"},
		"sallyport/proxy":                     {"sallyport/proxy/datagram", "sallyport/proxy/head", "sallyport/proxy/hello", "sallyport/proxy/proof", "sallyport/proxy/peek", "sallyport/proxy/relay", "sallyport/rules", "sallyport/rules/proxyheader", "sallyport/rules/quota"},
		"sallyport/rules/proxyheader":         nil,
		"sallyport/rules/quota":               nil,
		"sallyport/proxy/datagram":            {"sallyport/rules", "sallyport/rules/quota"},
		"sallyport/proxy/head":                {"sallyport/proxy/peek", "sallyport/rules"},
		"sallyport/proxy/hello":               {"sallyport/rules"},
		"sallyport/proxy/proof":               {"sallyport/rules"},
		"sallyport/proxy/relay":               {"sallyport/rules"},
		"sallyport/proxy/peek":                nil,
		"sallyport/proxy/proxytest":           {"sallyport/rules"},
		"sallyport/denials":                   {"sallyport/denials/journal", "sallyport/rules", "sallyport/rules/site", "sallyport/rules/tomldoc"},
		"sallyport/denials/journal":           {"sallyport/rules"},
		"sallyport/denials/journaltest":       {"sallyport/configs", "sallyport/denials/journal", "sallyport/rules", "sallyport/rules/profile", "sallyport/rules/site"},
		"sallyport/denials/sink":              {"sallyport/denials/journal", "sallyport/rules"},
		"sallyport/denials/page":              {"sallyport/denials", "sallyport/denials/journal", "sallyport/rules"},
		"sallyport/denials/text":              {"sallyport/denials", "sallyport/denials/journal", "sallyport/rules"},
		"sallyport/cmd/sallyport/commandline": nil,
		"sallyport/cmd/sallyport/catalogue":   {"sallyport/cmd/sallyport/commandline", "sallyport/cmd/sallyport/gateway", "sallyport/cmd/sallyport/terminal", "sallyport/denials", "sallyport/denials/journal", "sallyport/denials/text", "sallyport/rules", "sallyport/rules/export", "sallyport/rules/profile", "sallyport/rules/profile/diff", "sallyport/rules/profile/draft", "sallyport/rules/profile/lint", "sallyport/rules/profile/merge"},
		"sallyport/cmd/sallyport/confine":     nil,
		"sallyport/cmd/sallyport/systemd":     nil,
		"sallyport/cmd/sallyport/manual":      {"sallyport/cmd/sallyport/commandline"},
		"sallyport/cmd/sallyport/series":      nil,
		"sallyport/cmd/sallyport/topics":      {"sallyport/cmd/sallyport/commandline", "sallyport/cmd/sallyport/series", "sallyport/denials/journal", "sallyport/rules", "sallyport/rules/profile"},
		"sallyport/deploy/sbom":               nil,
		"sallyport/cmd/sallyport/terminal":    nil,
		"sallyport/cmd/sallyport/gateway":     {"sallyport/cmd/sallyport/confine", "sallyport/cmd/sallyport/nftables", "sallyport/cmd/sallyport/preflight", "sallyport/cmd/sallyport/series", "sallyport/cmd/sallyport/systemd", "sallyport/cmd/sallyport/terminal", "sallyport/configs", "sallyport/denials", "sallyport/denials/journal", "sallyport/denials/page", "sallyport/denials/sink", "sallyport/denials/text", "sallyport/dnsfilter", "sallyport/proxy", "sallyport/proxy/proof", "sallyport/rules", "sallyport/rules/profile", "sallyport/rules/site"},
		"sallyport/cmd/sallyport/admin":       {"sallyport/cmd/sallyport/gateway", "sallyport/denials/page", "sallyport/rules", "sallyport/rules/site"},
		"sallyport/cmd/sallyport/nftables":    {"sallyport/cmd/sallyport/terminal", "sallyport/rules", "sallyport/rules/site"},
		"sallyport/cmd/sallyport/preflight":   {"sallyport/dnsfilter", "sallyport/proxy", "sallyport/rules"},
	}
	commands := slices.Collect(maps.Keys(may)) // the commands may use every package that is not for tests
	may["sallyport/cmd/sallyport"] = slices.DeleteFunc(commands, func(p string) bool { return slices.Contains(forTests, strings.TrimPrefix(p, "sallyport/")) })
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "sallyport/...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		allowed, known := may[f[0]]
		if !known && strings.HasPrefix(f[0], "sallyport/cmd/sallyport/e2e") {
			continue // tests only
		}
		if !known {
			t.Errorf("package %s is not in the table: say what it may import", f[0])
		}
		seen++
		for _, imported := range f[1:] {
			if strings.HasPrefix(imported, "sallyport/") && !slices.Contains(allowed, imported) {
				t.Errorf("%s imports %s", f[0], imported)
			}
		}
	}
	if seen != len(may) {
		t.Errorf("saw %d of the table's %d packages", seen, len(may))
	}
}
