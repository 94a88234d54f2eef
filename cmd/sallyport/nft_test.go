// Tests of what "sallyport nft" prints and refuses, and of check's modes.

package main

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sallyport/rules"
)

// command runs one command line and returns what it left.
func command(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, diag strings.Builder
	code = execute(t.Context(), args, strings.NewReader(stdin), &out, &diag)
	return code, out.String(), diag.String()
}

// The whole rulesets, to be read by people. After a change that is meant:
// UPDATE_GOLDEN=1 go test ./cmd/sallyport -run TestNFTGolden
func TestNFTGolden(t *testing.T) {
	for _, g := range []struct {
		file string
		args []string
	}{
		{"gateway.nft", []string{"--mode", "gateway"}},
		{"gateway-local.nft", []string{"--local", "10.99.0.0/16", "--local", "fd99::/64", "--masquerade"}},
		{"gateway-bound.nft", []string{"--neighbour", "10.77.0.10=52:54:00:00:00:10", "--neighbour", "fd77::10=52:54:00:00:00:10", "--neighbour", "10.77.2.0/24=52:54:00:00:00:02", "--interface", "10.77.0.11=eth1"}},
		{"sidecar.nft", []string{"--mode", "sidecar"}},
		{"sidecar-dhcp.nft", []string{"--mode", "sidecar", "--user", "65532", "--local", "10.99.0.0/16", "--dhcp"}},
	} {
		t.Run(g.file, func(t *testing.T) {
			code, out, diag := command(t, "", append([]string{"nft", "--config", "testdata/nft/site.toml"}, g.args...)...)
			if code != 0 {
				t.Fatalf("exit %d: %s", code, diag)
			}
			file := filepath.Join("testdata", "nft", g.file)
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if out != string(want) {
				t.Errorf("%s differs from what nft prints now:\n%s", file, firstDifference(string(want), out))
			}
		})
	}
}

// firstDifference shows where two texts part.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return "want " + w[i] + "\ngot  " + g[i]
		}
	}
	return "one is longer"
}

// What a ruleset must have in either mode, whatever else changes.
func TestNFTPromises(t *testing.T) {
	for _, mode := range []string{"gateway", "sidecar"} {
		_, out, _ := command(t, "", "nft", "--config", "testdata/nft/site.toml", "--mode", mode)
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
			t.Errorf("%s: a reason of the configuration became a statement", mode)
		}
	}
}

const nftClient = "[[client]]\nname = \"c\"\nsources = [\"10.1.2.3\"]\nprofiles = [\"endpoint-secure-onprem\"]\n"

func TestNFTRefuses(t *testing.T) {
	for _, c := range []struct{ name, config, mode, want string }{
		{"no transparent listener", "[listen]\ndns = [\"[::]:5300\"]\n" + nftClient, "gateway", `[listen] transparent is empty, so there is nothing to redirect TCP to: set transparent = ["[::]:3129"]`},
		{"no DNS listener", "[listen]\ntransparent = [\"[::]:3129\"]\n" + nftClient, "sidecar", `[listen] dns is empty, so there is nothing to redirect DNS to: set dns = ["[::]:5300"]`},
		{"gateway on loopback", "[listen]\ntransparent = [\"127.0.0.1:3129\"]\ndns = [\"[::]:5300\"]\n" + nftClient, "gateway", `standard input:2: [listen] transparent: 127.0.0.1:3129 is loopback, and forwarded traffic never gets there`},
		{"DNS on loopback", "[listen]\ntransparent = [\"[::]:3129\"]\ndns = [\"127.0.0.1:5300\"]\n" + nftClient, "gateway", `standard input:3: [listen] dns: 127.0.0.1:5300 is loopback`},
		{"a port that changes", "[listen]\ntransparent = [\"[::]:0\"]\ndns = [\"[::]:5300\"]\n" + nftClient, "gateway", `port 0 is another one at every start`},
		{"nobody to redirect", "[listen]\ntransparent = [\"[::]:3129\"]\ndns = [\"[::]:5300\"]\n" + strings.Replace(nftClient, "10.1.2.3", "127.0.0.1", 1), "gateway", `no [[client]] has sources beyond loopback`},
		{"nobody in the sidecar", "[listen]\ntransparent = [\"[::]:3129\"]\ndns = [\"[::]:5300\"]\n" + strings.Replace(nftClient, "10.1.2.3", "127.0.0.1", 1), "sidecar", `add it, or 0.0.0.0/0 and ::/0, to sources`},
		{"another mode", "", "bridge", `--mode "bridge" is neither gateway nor sidecar`},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, diag := command(t, c.config, "nft", "--config", "-", "--mode", c.mode)
			if code == 0 || out != "" || !strings.Contains(diag, c.want) {
				t.Errorf("exit %d, printed %q\nsaid %s\nwant %s", code, out, diag, c.want)
			}
		})
	}
}

// The embedded configuration has no transparent listener; a ruleset made from
// it would cut everybody off.
func TestNFTNeedsAConfiguration(t *testing.T) {
	if code, out, diag := command(t, "", "nft"); code != onlyProxy || out != "" || !strings.Contains(diag, "transparent is empty") {
		t.Errorf("exit %d, printed %q, said %s", code, out, diag)
	}
}

func TestNFTFlags(t *testing.T) {
	for _, args := range [][]string{
		{"--user", "root; drop"}, {"--user", ""}, {"--local", "10.1.2.3/8"}, {"--local", "everything"}, {"--dhcp"}, {"--mode", "sidecar", "--masquerade"},
	} {
		if code, out, diag := command(t, "", append([]string{"nft", "--config", "testdata/nft/site.toml"}, args...)...); code != 2 || out != "" {
			t.Errorf("%q: exit %d, printed %d bytes, said %s", args, code, len(out), diag)
		}
	}
}

// The address of a network without its length is a slip, and would let the
// clients reach nothing.
func TestNFTLocalNetwork(t *testing.T) {
	for flag, want := range map[string]string{
		"10.20.0.0": "say 10.20.0.0/16,", "10.20.30.0": "say 10.20.30.0/24,", "10.0.0.0": "say 10.0.0.0/8,", "fd00:20::": "say fd00:20::/64,",
		"10.20.0.0/32": "", "10.20.0.1": "", "10.0.0.0/8": "", "fd00:20::1": "", "fd00:20::/128": "", "fd00:20::/64": "",
	} {
		code, out, diag := command(t, "", "nft", "--config", "testdata/nft/site.toml", "--local", flag)
		if refused := code == 2 && out == ""; refused != (want != "") || !strings.Contains(diag, want) {
			t.Errorf("--local %s: exit %d, printed %d bytes, said %s", flag, code, len(out), diag)
		}
	}
}

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		listen string
		mode   filterMode
		want   targets
	}{
		{"[::]:3129", gatewayMode, targets{"redirect to :3129", "redirect to :3129"}},
		{"0.0.0.0:3129", gatewayMode, targets{"redirect to :3129", ""}},
		{"0.0.0.0:3129 [::]:3130", gatewayMode, targets{"redirect to :3129", "redirect to :3130"}},
		{"10.1.1.1:3129", gatewayMode, targets{"dnat ip to 10.1.1.1:3129", ""}},
		{"10.1.1.1:3129 [fd00::1]:3129", gatewayMode, targets{"dnat ip to 10.1.1.1:3129", "dnat ip6 to [fd00::1]:3129"}},
		{"127.0.0.1:3129 10.1.1.1:3130", gatewayMode, targets{"dnat ip to 10.1.1.1:3130", ""}},
		{"127.0.0.1:3129 [::1]:3129", gatewayMode, targets{}},
		{"127.0.0.1:3129 [::1]:3129", sidecarMode, targets{"redirect to :3129", "redirect to :3129"}},
		{"127.0.0.9:3129", sidecarMode, targets{"dnat ip to 127.0.0.9:3129", ""}},
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
	if got := nftList(v4) + nftList(v6); got != "{ 9.9.9.9, 10.0.0.0/8 }{ fd00::/8 }" {
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

// An expired rule lets nothing through, whenever the ruleset is made.
func TestNFTExpired(t *testing.T) {
	data, err := os.ReadFile("testdata/nft/site.toml")
	if err != nil {
		t.Fatal(err)
	}
	_, out, _ := command(t, strings.Replace(string(data), "2031-12-31", "2020-12-31", 1), "nft", "--config", "-")
	if out == "" || strings.Contains(out, "192.0.2.123") || strings.Contains(out, "ntp.example") {
		t.Errorf("the expired rule is in force:\n%s", out)
	}
}

func TestCheckModes(t *testing.T) {
	const loopback = "[listen]\ntransparent = [\"127.0.0.1:3129\"]\ndns = [\"127.0.0.1:5300\"]\n[dns]\nupstreams = [\"udp://192.0.2.53\"]\n"
	here := strings.Replace(nftClient, "10.1.2.3", "127.0.0.0/8", 1)
	for _, c := range []struct {
		name, config, mode string
		code               int
		want               string
	}{
		{"gateway on loopback", loopback + nftClient, "gateway", 1, "standard input:2: transparent: 127.0.0.1:3129 is loopback, where a gateway never sees forwarded traffic"},
		{"its DNS too", loopback + nftClient, "gateway", 1, "standard input:3: dns: 127.0.0.1:5300 is loopback"},
		{"a sidecar", loopback + nftClient, "sidecar", 0, "good"},
		{"clients on this host only", loopback + here, "gateway", 0, "good"},
		{"every address", strings.ReplaceAll(loopback, "127.0.0.1", "[::]") + nftClient, "gateway", 0, "good"},
		{"no transparent listener", strings.Replace(loopback, "\"127.0.0.1:3129\"", "", 1) + nftClient, "gateway", 0, "good"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, diag := command(t, c.config, "check", "--config", "-", "--mode", c.mode)
			if code != c.code || !strings.Contains(out+diag, c.want) {
				t.Errorf("exit %d\n%s%s\nwant exit %d and %q", code, out, diag, c.code, c.want)
			}
		})
	}
}

// nft itself reads every golden file, twice: the ruleset replaces itself.
func TestNFTSyntax(t *testing.T) {
	needsNFT(t)
	n := newNamespace(t)
	for _, file := range []string{"gateway.nft", "gateway-local.nft", "gateway-bound.nft", "sidecar-dhcp.nft"} {
		for range 2 {
			if out, err := n.run("nft", "-f", filepath.Join("testdata", "nft", file)); err != nil {
				t.Fatalf("%s: %v\n%s", file, err, out)
			}
		}
	}
	list, err := n.run("nft", "list", "tables")
	if err != nil || strings.TrimSpace(list) != "table inet sallyport" {
		t.Errorf("tables: %q, %v", list, err)
	}
}

// needsNFT skips where there is no root or no nft, with the cure.
func needsNFT(t *testing.T) {
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
