// Tests of the rulesets, as plans and as text.

package nftables

import (
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/configs"
	"sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/site"
)

// siteConfig parses a configuration with the shipped profiles.
func siteConfig(t *testing.T, file, text string) *site.Config {
	t.Helper()
	dir := configs.Profiles()
	names, err := fs.Glob(dir, "*.toml")
	if err != nil {
		t.Fatal(err)
	}
	var profiles []*rules.Profile
	for _, name := range names {
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := profile.Parse(name, data)
		if err != nil {
			t.Fatal(err)
		}
		profiles = append(profiles, p)
	}
	cfg, problems := site.Parse(file, site.Disk{}, []byte(text), profiles)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// options parses the options of a command line.
func options(t *testing.T, args []string) Options {
	t.Helper()
	o := Options{Mode: Gateway, User: "sallyport"}
	var neighbours, interfaces, local []string
	for len(args) > 0 {
		switch args[0] {
		case "--masquerade":
			o.Masquerade, args = true, args[1:]
			continue
		case "--dhcp":
			o.DHCP, args = true, args[1:]
			continue
		case "--tproxy":
			o.TPROXY, args = true, args[1:]
			continue
		case "--mode":
			o.Mode = Mode(args[1])
		case "--user":
			o.User = args[1]
		case "--local":
			local = append(local, args[1])
		case "--neighbour":
			neighbours = append(neighbours, args[1])
		case "--interface":
			interfaces = append(interfaces, args[1])
		default:
			t.Fatalf("no option %q", args[0])
		}
		args = args[2:]
	}
	var err error
	if o.Local, err = ParsePrefixes("--local", local); err != nil {
		t.Fatal(err)
	}
	if err := o.Bind(neighbours, interfaces); err != nil {
		t.Fatal(err)
	}
	return o
}

// printed returns the ruleset of a configuration and its warnings.
func printed(t *testing.T, file, text string, args ...string) (ruleset, warnings string) {
	t.Helper()
	cfg := siteConfig(t, file, text)
	policy, _ := rules.Compile(&cfg.Spec, rules.Own{}, time.Now())
	plan, err := NewPlan(cfg, policy, options(t, args))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := plan.Render(&out); err != nil {
		t.Fatal(err)
	}
	return out.String(), strings.Join(plan.Warnings, "\n")
}

// siteFile is a configuration with at least one of everything.
const siteFile = "testdata/site.toml"

// siteText returns the text of siteFile.
func siteText(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(siteFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Every ruleset drops by default, in both modes, and counts each kind of drop.
func TestRulesetsDropByDefault(t *testing.T) {
	for _, mode := range []string{"gateway", "sidecar"} {
		out, _ := printed(t, siteFile, siteText(t), "--mode", mode)
		if n := strings.Count(out, "policy drop;"); n != 1 {
			t.Errorf("%s: %d chains drop by default, want 1", mode, n)
		}
		dns, tcp := strings.Index(out, "th dport 53 redirect to :5300"), strings.Index(out, "meta l4proto tcp redirect to :3129")
		if dns < 0 || tcp < dns {
			t.Errorf("%s: DNS must be redirected before the catch-all for TCP (%d, %d)", mode, dns, tcp)
		}
		declares := regexp.MustCompile(`^\s*(counter|set) [a-z_]+[ /]`)
		for line := range strings.Lines(out) {
			rule, _, _ := strings.Cut(line, "#")
			if strings.Contains(rule, " drop") && !strings.Contains(rule, "counter name") && !strings.Contains(rule, "policy drop") && !declares.MatchString(rule) {
				t.Errorf("%s: dropped without a named counter: %s", mode, line)
			}
			if strings.Contains(rule, "udp dport { 53") {
				t.Errorf("%s: DNS past the filter: %s", mode, line)
			}
		}
		if strings.Contains(out, "\ntable inet evil") {
			t.Errorf("%s: the reason of a rule became a statement", mode)
		}
	}
}

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		listen string
		mode   Mode
		want   targets
	}{
		{"[::]:3129", Gateway, targets{"redirect to :3129", "redirect to :3129"}},
		{"0.0.0.0:3129", Gateway, targets{"redirect to :3129", ""}},
		{"0.0.0.0:3129 [::]:3130", Gateway, targets{"redirect to :3129", "redirect to :3130"}},
		{"10.1.1.1:3129", Gateway, targets{"dnat ip to 10.1.1.1:3129", ""}},
		{"10.1.1.1:3129 [fd00::1]:3129", Gateway, targets{"dnat ip to 10.1.1.1:3129", "dnat ip6 to [fd00::1]:3129"}},
		{"127.0.0.1:3129 10.1.1.1:3130", Gateway, targets{"dnat ip to 10.1.1.1:3130", ""}},
		{"127.0.0.1:3129 [::1]:3129", Gateway, targets{}},
		{"127.0.0.1:3129 [::1]:3129", Sidecar, targets{"redirect to :3129", "redirect to :3129"}},
		{"127.0.0.9:3129", Sidecar, targets{"dnat ip to 127.0.0.9:3129", ""}},
	} {
		var list []netip.AddrPort
		for _, s := range strings.Fields(c.listen) {
			list = append(list, netip.MustParseAddrPort(s))
		}
		if got := targetsOf(list, c.mode); got != c.want {
			t.Errorf("%s, %s: %+v, want %+v", c.listen, c.mode, got, c.want)
		}
	}
}

func TestByFamily(t *testing.T) {
	var list []netip.Prefix
	for _, s := range []string{"10.1.2.3/32", "fd00::/8", "10.0.0.0/8", "10.0.0.0/9", "fd00::1/128", "9.9.9.9/32", "10.0.0.0/8"} {
		list = append(list, netip.MustParsePrefix(s))
	}
	v4, v6 := byFamily(list)
	if got := elementList(v4) + elementList(v6); got != "{ 9.9.9.9, 10.0.0.0/8 }{ fd00::/8 }" {
		t.Error(got)
	}
}

func TestWithoutDNS(t *testing.T) {
	for _, c := range []struct {
		ports rules.Ports
		want  string
	}{
		{rules.Ports{{First: 53, Last: 53}}, ""},
		{rules.AllPorts(), "1-52, 54-65535"},
		{rules.Ports{{First: 53, Last: 60}, {First: 514, Last: 514}}, "54-60, 514"},
		{rules.Ports{{First: 1, Last: 53}}, "1-52"},
	} {
		if got := withoutDNS(c.ports).String(); got != c.want {
			t.Errorf("%v without 53: %q, want %q", c.ports, got, c.want)
		}
	}
}

// An expired rule lets no packet pass.
func TestExpiredRulePassesNothing(t *testing.T) {
	out, _ := printed(t, siteFile, strings.Replace(siteText(t), "2031-12-31", "2020-12-31", 1))
	if out == "" || strings.Contains(out, "192.0.2.123") || strings.Contains(out, "ntp.example") {
		t.Errorf("the expired rule is in force:\n%s", out)
	}
}

// nft loads every golden file twice. The second load replaces the first.
func TestNftReadsTheGoldenRulesets(t *testing.T) {
	needsRootAndNft(t)
	n := newNamespace(t)
	for _, file := range []string{"gateway.nft", "gateway-local.nft", "gateway-bound.nft", "gateway-parent.nft", "sidecar-dhcp.nft", "sidecar-parent.nft"} {
		for range 2 {
			if out, err := n.run("nft", "-f", filepath.Join("testdata", file)); err != nil {
				t.Fatalf("%s: %v\n%s", file, err, out)
			}
		}
	}
	list, err := n.run("nft", "list", "tables")
	if err != nil || strings.TrimSpace(list) != "table inet sallyport" {
		t.Errorf("tables: %q, %v", list, err)
	}
}

// needsRootAndNft skips the test without root or nft and prints the remedy.
func needsRootAndNft(t *testing.T) {
	t.Helper()
	missing := t.Skipf
	if os.Getenv("SALLYPORT_E2E") == "required" {
		missing = t.Fatalf
	}
	if os.Getuid() != 0 {
		missing("network namespaces need root")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		missing("nft is missing: apt-get install nftables")
	}
}
