// Tests of the output and the errors of "sallyport nft", and of the modes of check.

package main

import (
	"strings"
	"testing"
)

// command runs one command line and returns its exit code and output.
func command(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, diag strings.Builder
	code = execute(t.Context(), args, strings.NewReader(stdin), &out, &diag)
	return code, out.String(), diag.String()
}

const nftClient = "[[client]]\nname = \"c\"\nsources = [\"10.1.2.3\"]\nprofiles = [\"endpoint-secure-onprem\"]\n"

func TestNFTRefuses(t *testing.T) {
	for _, c := range []struct{ name, config, mode, want string }{
		{"no transparent listener", "[listen]\ndns = [\"[::]:5300\"]\n" + nftClient, "gateway", `[listen] transparent is empty, so there is nothing to redirect TCP to: set transparent = ["[::]:3129"]`},
		{"no DNS listener", "[listen]\ntransparent = [\"[::]:3129\"]\n" + nftClient, "sidecar", `[listen] dns is empty, so there is nothing to redirect DNS to: set dns = ["[::]:5300"]`},
		{"gateway on loopback", "[listen]\ntransparent = [\"127.0.0.1:3129\"]\ndns = [\"[::]:5300\"]\n" + nftClient, "gateway", `standard input:2: [listen] transparent: 127.0.0.1:3129 is loopback, and forwarded traffic never reaches loopback`},
		{"DNS on loopback", "[listen]\ntransparent = [\"[::]:3129\"]\ndns = [\"127.0.0.1:5300\"]\n" + nftClient, "gateway", `standard input:3: [listen] dns: 127.0.0.1:5300 is loopback`},
		{"a port that changes", "[listen]\ntransparent = [\"[::]:0\"]\ndns = [\"[::]:5300\"]\n" + nftClient, "gateway", `port 0 means another port at every start`},
		{"nobody to redirect", "[listen]\ntransparent = [\"[::]:3129\"]\ndns = [\"[::]:5300\"]\n" + strings.Replace(nftClient, "10.1.2.3", "127.0.0.1", 1), "gateway", `no [[client]] has sources beyond loopback`},
		{"nobody in the sidecar", "[listen]\ntransparent = [\"[::]:3129\"]\ndns = [\"[::]:5300\"]\n" + strings.Replace(nftClient, "10.1.2.3", "127.0.0.1", 1), "sidecar", `add it, or 0.0.0.0/0 and ::/0, to sources`},
		{"TPROXY in a sidecar", "[listen]\ntproxy = [\"[::]:3130\"]\ndns = [\"[::]:5300\"]\n" + nftClient, "sidecar", `[listen] transparent is empty, so there is nothing to redirect TCP to: set transparent = ["[::]:3129"]`},
		{"TPROXY with DNS on loopback", "[listen]\ntproxy = [\"127.0.0.1:3130\"]\ndns = [\"127.0.0.1:5300\"]\n" + nftClient, "gateway", `standard input:3: [listen] dns: 127.0.0.1:5300 is loopback`},
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

// The embedded configuration has no transparent listener. A ruleset for it would
// block all traffic.
func TestNFTNeedsAConfiguration(t *testing.T) {
	if code, out, diag := command(t, "", "nft"); code != noFilterNeeded || out != "" || !strings.Contains(diag, "transparent is empty") {
		t.Errorf("exit %d, printed %q, said %s", code, out, diag)
	}
}

func TestNFTFlags(t *testing.T) {
	for _, args := range [][]string{
		{"--user", "root; drop"}, {"--user", ""}, {"--local", "10.1.2.3/8"}, {"--local", "everything"}, {"--dhcp"}, {"--mode", "sidecar", "--masquerade"}, {"--mode", "sidecar", "--tproxy"},
	} {
		if code, out, diag := command(t, "", append([]string{"nft", "--config", "nftables/testdata/site.toml"}, args...)...); code != 2 || out != "" {
			t.Errorf("%q: exit %d, printed %d bytes, said %s", args, code, len(out), diag)
		}
	}
}

// --routes prints commands for a shell, and only if the ruleset uses TPROXY.
func TestNFTRoutes(t *testing.T) {
	const both = "[listen]\ntransparent = [\"[::]:3129\"]\ntproxy = [\"[::]:3130\"]\ndns = [\"[::]:5300\"]\n" + nftClient
	for _, c := range []struct {
		args     []string
		commands bool
	}{{nil, false}, {[]string{"--tproxy"}, true}} {
		code, out, _ := command(t, both, append([]string{"nft", "--config", "-", "--routes"}, c.args...)...)
		if code != 0 || !strings.HasPrefix(out, "# Routes for TPROXY. Computed by \"sallyport nft --routes\" from standard input, revision ") ||
			strings.Contains(out, "\nip -4 route replace local 0.0.0.0/0 dev lo table 21359") != c.commands || strings.Contains(out, "table inet") {
			t.Errorf("%q: exit %d, printed %s", c.args, code, out)
		}
		_, ruleset, _ := command(t, both, append([]string{"nft", "--config", "-"}, c.args...)...)
		if strings.Contains(ruleset, "tproxy ip to :3130") != c.commands || strings.Contains(ruleset, "redirect to :3129") == c.commands {
			t.Errorf("%q: printed %s", c.args, ruleset)
		}
	}
}

// A network address without a prefix length is an error: it would match no host.
func TestNFTLocalNetwork(t *testing.T) {
	for flag, want := range map[string]string{
		"10.20.0.0": "write 10.20.0.0/16,", "10.20.30.0": "write 10.20.30.0/24,", "10.0.0.0": "write 10.0.0.0/8,", "fd00:20::": "write fd00:20::/64,",
		"10.20.0.0/32": "", "10.20.0.1": "", "10.0.0.0/8": "", "fd00:20::1": "", "fd00:20::/128": "", "fd00:20::/64": "",
	} {
		code, out, diag := command(t, "", "nft", "--config", "nftables/testdata/site.toml", "--local", flag)
		if refused := code == 2 && out == ""; refused != (want != "") || !strings.Contains(diag, want) {
			t.Errorf("--local %s: exit %d, printed %d bytes, said %s", flag, code, len(out), diag)
		}
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
		{"gateway on loopback", loopback + nftClient, "gateway", 1, "standard input:2: transparent: 127.0.0.1:3129 is loopback, and a gateway never receives forwarded traffic there"},
		{"its DNS too", loopback + nftClient, "gateway", 1, "standard input:3: dns: 127.0.0.1:5300 is loopback"},
		{"a sidecar", loopback + nftClient, "sidecar", 0, "good"},
		{"clients on this host only", loopback + here, "gateway", 0, "good"},
		{"every address", strings.ReplaceAll(loopback, "127.0.0.1", "[::]") + nftClient, "gateway", 0, "good"},
		{"TPROXY on loopback", strings.Replace(strings.Replace(loopback, "transparent", "tproxy", 1), "127.0.0.1:5300", "[::]:5300", 1) + nftClient, "gateway", 0, "good"},
		{"TPROXY, and DNS on loopback", strings.Replace(loopback, "transparent", "tproxy", 1) + nftClient, "gateway", 1, "standard input:3: dns: 127.0.0.1:5300 is loopback"},
		{"TPROXY in a sidecar", strings.Replace(loopback, "transparent", "tproxy", 1) + nftClient, "sidecar", 1, "standard input:2: tproxy: TPROXY takes only packets that other hosts send, and the application of a sidecar is on the same host: use transparent = ["},
		{"REDIRECT and TPROXY", strings.Replace(strings.ReplaceAll(loopback, "127.0.0.1", "[::]"), "[listen]", "[listen]\ntproxy = [\"[::]:3130\"]", 1) + nftClient, "gateway", 0,
			"standard input:2: warning: tproxy and transparent are both listed, but a packet filter uses one of them"},
		{"the same address twice", strings.Replace(strings.ReplaceAll(loopback, "127.0.0.1", "[::]"), "[listen]", "[listen]\ntproxy = [\"127.0.0.1:3129\"]", 1) + nftClient, "gateway", 1,
			"standard input:2: tproxy: 127.0.0.1:3129 cannot be bound: [::]:3129 of transparent already covers every address with that port"},
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

func TestNeighbourFlags(t *testing.T) {
	for _, c := range []struct{ flag, value, want string }{
		{"--neighbour", "10.77.0.10", `"" is not a link-layer address`},
		{"--neighbour", "10.77.0.10=52:54:00:00:00", "is not a link-layer address"},
		{"--neighbour", "10.77.0.10=00:00:5e:00:53:00:00:01", "is not a link-layer address"},
		{"--neighbour", "client=52:54:00:00:00:10", "is not an address or a prefix"},
		{"--neighbour", "192.0.2.1=52:54:00:00:00:10", "no [[client]] has that address"},
		{"--interface", "10.77.0.10", `"" is not the name of an interface`},
		{"--interface", `10.77.0.10=eth0" accept`, "is not the name of an interface"},
		{"--interface", "192.0.2.1=eth0", "no [[client]] has that address"},
	} {
		code, out, diag := command(t, "", "nft", "--config", "nftables/testdata/site.toml", c.flag, c.value)
		if code != 2 || out != "" || !strings.Contains(diag, c.want) {
			t.Errorf("%s %s: exit %d, printed %d bytes, said %s", c.flag, c.value, code, len(out), diag)
		}
	}
	if code, out, diag := command(t, "", "nft", "--config", "nftables/testdata/site.toml", "--neighbour", "10.77.0.0/24=52:54:00:00:00:10", "--neighbour", "10.77.0.10=52:54:00:00:00:11"); code != 2 || out != "" || !strings.Contains(diag, "another --neighbour has some of these addresses") {
		t.Errorf("overlap: exit %d, printed %d bytes, said %s", code, len(out), diag)
	}
	if code, out, diag := command(t, "", "nft", "--config", "nftables/testdata/site.toml", "--mode", "sidecar", "--neighbour", "10.77.0.10=52:54:00:00:00:10"); code != 2 || out != "" || !strings.Contains(diag, "are for --mode gateway") {
		t.Errorf("sidecar: exit %d, printed %d bytes, said %s", code, len(out), diag)
	}
}
