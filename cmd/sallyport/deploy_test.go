// Tests of deploy/: the examples for operators work and are complete.

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/commandline"
)

// deployed reads a file that is shipped beside the binary.
func deployed(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The configurations in the guides are correct and give a ruleset.
func TestDeployConfigurations(t *testing.T) {
	fence := regexp.MustCompile("(?s)```toml\n(.*?)```")
	configs := map[string][2]string{"compose/sidecar/sallyport.toml": {"sidecar", deployed(t, "deploy/compose/sidecar/sallyport.toml")}}
	for _, mode := range []string{"gateway", "sidecar"} {
		m := fence.FindStringSubmatch(deployed(t, "deploy/"+mode+".md"))
		if m == nil {
			t.Fatalf("%s.md has no configuration", mode)
		}
		configs[mode+".md"] = [2]string{mode, m[1]}
	}
	for _, name := range []string{"explicit", "image"} { // proxies, which need no ruleset
		if code, out, diag := command(t, deployed(t, "deploy/compose/"+name+"/sallyport.toml"), "check", "--config", "-"); code != 0 || strings.Contains(diag, "warning") {
			t.Errorf("%s: check exits %d\n%s%s", name, code, out, diag)
		}
	}
	for name, c := range configs {
		for _, cmd := range []string{"check", "nft"} {
			code, out, diag := command(t, c[1], cmd, "--config", "-", "--mode", c[0])
			// Docker has no IPv6 by default. So these configurations have no listener for IPv6, and one
			// warning about that is expected.
			expected := strings.HasPrefix(name, "compose") && strings.Contains(diag, "no listener receives redirected IPv6") && strings.Count(diag, "warning") == 1
			if code != 0 || strings.Contains(diag, "warning") && !expected {
				t.Errorf("%s: %s exits %d\n%s%s", name, cmd, code, out, diag)
			}
		}
	}
}

// Each guide's table lists exactly the counters that its ruleset has.
func TestDeployCounters(t *testing.T) {
	defined := regexp.MustCompile(`(?m)^\tcounter (\w+) \{`)
	listed := regexp.MustCompile("(?m)^\\| `(\\w+)` \\|")
	for _, mode := range []string{"gateway", "sidecar"} {
		names := func(re *regexp.Regexp, text string) (out []string) {
			for _, m := range re.FindAllStringSubmatch(text, -1) {
				out = append(out, m[1])
			}
			slices.Sort(out)
			return out
		}
		ruleset := names(defined, deployed(t, "cmd/sallyport/nftables/testdata/"+mode+".nft"))
		guide := names(listed, deployed(t, "deploy/"+mode+".md"))
		if len(ruleset) < 10 || !slices.Equal(ruleset, guide) {
			t.Errorf("%s: the ruleset has %q, the guide lists %q", mode, ruleset, guide)
		}
	}
}

// The units and images run sallyport as its own user without capabilities, and with
// command lines that sallyport accepts.
func TestDeployPrivileges(t *testing.T) {
	for file, lines := range map[string][]string{
		"deploy/systemd/sallyport.service": {
			"User=sallyport", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "AmbientCapabilities=", "ProtectSystem=strict",
			"SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self", // without them it refuses to start
			"Restart=always", "RestartSec=200ms", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
		},
		"deploy/systemd/sallyport-live-sets.conf": {"CapabilityBoundingSet=CAP_NET_ADMIN", "AmbientCapabilities=CAP_NET_ADMIN"},
		"deploy/systemd/sallyport-nft.service":    {"Before=network-pre.target shutdown.target", "RemainAfterExit=yes"},
		"Dockerfile":                              {"FROM scratch AS gateway", "USER 53128:53128", `ENTRYPOINT ["/sallyport"]`, "ARG VERSION=" + version},
	} {
		text := strings.Split(deployed(t, file), "\n")
		for _, want := range lines {
			if !slices.Contains(text, want) {
				t.Errorf("%s lacks the line %q", file, want)
			}
		}
	}
	// One line drops every capability of our containers, and another line drops the application's
	// capabilities. Only one container gets a capability back.
	compose := deployed(t, "deploy/compose.yaml")
	if strings.Count(compose, "cap_drop: [ALL]") != 2 || strings.Count(compose, "<<: *hardened") != 3 || strings.Count(compose, "cap_add") != 1 {
		t.Error("compose.yaml: who has which capability?")
	}
	run := regexp.MustCompile(`(?:/usr/local/bin/)?sallyport (run|check|nft)((?: --[a-z-]+(?: /[a-z./-]+)?)*)`)
	for _, file := range []string{"deploy/systemd/sallyport.service", "deploy/systemd/sallyport-live-sets.conf", "deploy/systemd/sallyport-nft.service", "deploy/systemd/sallyport-drops.service", "deploy/compose/load-filter"} {
		found := run.FindAllStringSubmatch(deployed(t, file), -1)
		if len(found) == 0 {
			t.Errorf("%s runs no sallyport", file)
		}
		for _, m := range found {
			c, _, err := newRoot().Find([]string{m[1]})
			for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(m[2], -1) {
				if err != nil || c.Flags().Lookup(strings.TrimPrefix(flag, "--")) == nil {
					t.Errorf("%s: sallyport %s takes no %s", file, m[1], flag)
				}
			}
		}
	}
}

// No service of ours can open a socket that packet filters do not see, such as AF_VSOCK.
func TestDeployAddressFamilies(t *testing.T) {
	units, _ := filepath.Glob(filepath.Join("..", "..", "deploy", "systemd", "*.service"))
	if len(units) < 3 {
		t.Fatalf("units: %q", units)
	}
	families := regexp.MustCompile(`(?m)^RestrictAddressFamilies=(.*)$`)
	for _, unit := range units {
		m := families.FindAllStringSubmatch(deployed(t, "deploy/systemd/"+filepath.Base(unit)), -1)
		if len(m) != 1 {
			t.Errorf("%s: %d lines", unit, len(m))
			continue
		}
		for _, f := range strings.Fields(m[0][1]) {
			if !slices.Contains([]string{"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"}, f) {
				t.Errorf("%s: has sockets of %s", unit, f)
			}
		}
	}
}

// The changelog lists exactly the commands that exist.
func TestDeployChangelog(t *testing.T) {
	m := regexp.MustCompile(`(?m)^- Commands: (.*)\.$`).FindStringSubmatch(deployed(t, "CHANGELOG.md"))
	if m == nil {
		t.Fatal("the changelog lists no commands")
	}
	var have []string
	for _, c := range newRoot().Commands() {
		if c.IsAvailableCommand() && c.GroupID != commandline.TopicGroup && c.Name() != "help" && c.Name() != "completion" {
			have = append(have, c.Name())
		}
	}
	listed := strings.Split(m[1], ", ")
	slices.Sort(listed)
	slices.Sort(have)
	if !slices.Equal(listed, have) {
		t.Errorf("the changelog lists %q, there are %q", listed, have)
	}
}
