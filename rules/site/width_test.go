// Tests of lists that are wider than a site needs.

package site

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sallyport/rules"
	"sallyport/rules/profile"
)

func TestWideDestinations(t *testing.T) {
	for _, c := range []struct {
		name, to, more string
		want           string // the beginning of the problems; "": none
	}{
		{"everything", "'0.0.0.0/0'", "tcp = [443]", `c.toml:6: warning: to: 0.0.0.0/0 is the whole IPv4 Internet: THE ALLOWLIST ENDS HERE. Client "x", and anyone who takes control of it, can send all its data to any host of the world`},
		{"everything of IPv6", "'::/0'", "tcp = [443]", "c.toml:6: warning: to: ::/0 is the whole IPv6 Internet: THE ALLOWLIST ENDS HERE"},
		{"all of IPv6 that is in use", "'2000::/3'", "tcp = [443]", "c.toml:6: warning: to: 2000::/3 is the whole IPv6 Internet: THE ALLOWLIST ENDS HERE"},
		{"both families", "'0.0.0.0/0', '::/0'", "tcp = 'all'", "c.toml:6: warning: to: 0.0.0.0/0, ::/0 are the whole IPv4 Internet and the whole IPv6 Internet: THE ALLOWLIST"},
		{"one half", "'128.0.0.0/1'", "tcp = [443]", "c.toml:6: warning: to: 128.0.0.0/1 is 50 % of the IPv4 Internet: THE ALLOWLIST"},
		{"both halves", "'0.0.0.0/1', '128.0.0.0/1'", "tcp = [443]", "c.toml:6: warning: to: 0.0.0.0/1, 128.0.0.0/1 are the whole IPv4 Internet: THE ALLOWLIST"},
		{"the halves of IPv6", "'::/1', '8000::/1'", "tcp = [443]", "c.toml:6: warning: to: ::/1, 8000::/1 are the whole IPv6 Internet: THE ALLOWLIST"},
		{"all but a hole", "'0.0.0.0/2', '64.0.0.0/2', '128.0.0.0/2'", "tcp = [443]", "c.toml:6: warning: to: 0.0.0.0/2, 64.0.0.0/2, 128.0.0.0/2 are 75 % of the IPv4 Internet: THE ALLOWLIST"},
		{"an /8 of many owners", "'52.0.0.0/8'", "tcp = [443]", "c.toml:6: warning: to: 52.0.0.0/8 is 0.39 % of the IPv4 Internet: these networks have many owners"},
		{"half an /8", "'52.0.0.0/9'", "tcp = [443]", ""},
		{"the site's own", "'10.0.0.0/8', '172.16.0.0/12', 'fc00::/7'", "tcp = [443]", ""},
		{"every protocol of everything", "'0.0.0.0/0'", "any = true", "c.toml:6: warning: to: 0.0.0.0/0 is the whole IPv4 Internet: THE ALLOWLIST ENDS HERE"},
		{"every protocol of a network", "'192.0.2.0/24'", "any = true", ""},
		{"every protocol of a larger one", "'10.0.2.0/23'", "any = true", "c.toml:7: warning: any = true permits every protocol and port of 10.0.2.0/23 (512 addresses, more than a /24)"},
		{"every protocol of two", "'10.0.1.0/24', '10.9.0.0/24'", "any = true", "c.toml:7: warning: any = true permits every protocol and port of 10.0.1.0/24, 10.9.0.0/24 (512 addresses"},
		{"every protocol of one, listed twice", "'10.0.1.0/24', '10.0.1.7'", "any = true", ""},
		{"every protocol of an IPv6 network", "'fd00:1::/64'", "any = true", ""},
		{"every protocol of an IPv6 site", "'fd00:1::/48'", "any = true", "c.toml:7: warning: any = true permits every protocol and port of fd00:1::/48 (more than an IPv6 /64)"},
		{"nowhere", "'0.0.0.0'", "tcp = [443]", "c.toml:6: to: 0.0.0.0 cannot be a destination: addresses of this network are for hosts that do not know theirs (RFC 1122, 3.2.1.3); for every address write 0.0.0.0/0"},
		{"nowhere in IPv6", "'::'", "tcp = [443]", "c.toml:6: to: :: cannot be a destination"},
	} {
		if got := problemsOfRule("to = [" + c.to + "]\n" + c.more); c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// The check adds up the rules of a client, because a single line may not show their width.
// Rules of another client do not count.
func TestWideTogether(t *testing.T) {
	text := "[[client]]\nname = 'x'\nsources = ['10.1.2.3']\nprofiles = []\n[[client]]\nname = 'y'\nsources = ['10.1.2.4']\nprofiles = []\n"
	for i := range 8 {
		text += fmt.Sprintf("[[rule]]\nid = 'r%d'\nclient = '%c'\nreason = 'r'\nto = ['%d.0.0.0/4']\ntcp = [443]\n", i, "xy"[i/7], 16+i*16)
	}
	var got []string
	_, problems := Parse("c.toml", Disk{Dir: "/"}, []byte(text), nil)
	for _, p := range problems {
		if strings.Contains(p.Text, "THE ALLOWLIST") {
			got = append(got, p.String())
		}
	}
	const want = `c.toml:1: warning: client "x": its rules together permit 44 % of the IPv4 Internet: THE ALLOWLIST ENDS HERE`
	if len(got) != 1 || !strings.HasPrefix(got[0], want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSources(t *testing.T) {
	const open = "[listen]\nhttp = ['10.0.0.1:3128']\n"
	for _, c := range []struct{ name, listen, sources, want string }{
		{"no host", open, "'0.0.0.0'", "c.toml:5: sources: 0.0.0.0/32 is never the source of a packet: addresses of this network are for hosts that do not know theirs (RFC 1122, 3.2.1.3); for every address write 0.0.0.0/0"},
		{"no host of IPv6", open, "'::'", "c.toml:5: sources: ::/128 is never the source"},
		{"this network", open, "'0.0.0.0/8'", "c.toml:5: sources: 0.0.0.0/8 is never the source"},
		{"a group", open, "'224.0.0.251'", "c.toml:5: sources: 224.0.0.251/32 is never the source of a packet: these are multicast"},
		{"a group of IPv6", open, "'ff02::1'", "c.toml:5: sources: ff02::1/128 is never the source"},
		{"broadcast", open, "'255.255.255.255'", "c.toml:5: sources: 255.255.255.255/32 is never the source"},
		{"every host", open, "'0.0.0.0/0'", `c.toml:5: warning: sources: 0.0.0.0/0: EVERY host that reaches [listen] http 10.0.0.1:3128 counts as client "x"`},
		{"every host of IPv6", open, "'::/0'", "c.toml:5: warning: sources: ::/0: EVERY host"},
		{"both halves", open, "'0.0.0.0/1', '128.0.0.0/1'", "c.toml:5: warning: sources: 0.0.0.0/1, 128.0.0.0/1: EVERY host"},
		{"every host on a sidecar's loopback", "[listen]\ntransparent = ['127.0.0.1:3129']\n", "'0.0.0.0/0', '::/0'", ""},
		{"a network", open, "'10.0.0.0/8'", ""},
	} {
		_, problems := Parse("c.toml", Disk{Dir: "/"}, []byte(c.listen+"[[client]]\nname = 'x'\nsources = ["+c.sources+"]\nprofiles = []\n"), nil)
		if got := problemsText(problems); c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// The address of a role counts like any other destination.
func TestWideBindings(t *testing.T) {
	for to, want := range map[string]string{
		"'0.0.0.0/0'":  `c.toml:7: warning: manager: 0.0.0.0/0 is the whole IPv4 Internet: THE ALLOWLIST ENDS HERE. Client "x"`,
		"'0.0.0.0'":    "c.toml:7: manager: 0.0.0.0 cannot be a destination",
		"'10.0.0.0/8'": "",
	} {
		p, err := profile.Parse("p.toml", []byte("name = 'p'\nproduct = 'P'\nroles = ['manager', 'agent']\n[document]\ntitle = 't'\nversion = '1'\nreleased = 2026-01-01\n"+
			"[[rule]]\nid = 'r'\nfrom = 'agent'\nto = ['role:manager']\ntcp = [443]\npurpose = 'p'\nsection = '1'\n"))
		if err != nil {
			t.Fatal(err)
		}
		_, problems := Parse("c.toml", Disk{Dir: "/"}, []byte("[[client]]\nname = 'x'\nsources = ['10.1.2.3']\nprofiles = ['p']\nrole = 'agent'\n[client.addresses]\nmanager = ["+to+"]\n"), []*rules.Profile{p})
		if got := problemsText(problems); want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", to, got, want)
		}
	}
}

func problemsText(ps rules.Problems) string {
	var out []string
	for _, p := range ps {
		out = append(out, p.String())
	}
	return strings.Join(out, "\n")
}

// The width of a list counts every address once, in any order of the list. The test compares
// it with a count of single addresses in a small network.
func TestWidthOfRandomLists(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []netip.Prefix
		counted := map[byte]bool{}
		for range rapid.IntRange(0, 6).Draw(t, "prefixes") {
			p, err := netip.AddrFrom4([4]byte{8, 8, 8, rapid.Byte().Draw(t, "last")}).Prefix(rapid.IntRange(24, 32).Draw(t, "bits"))
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, p)
			for i := range 256 {
				if p.Contains(netip.AddrFrom4([4]byte{8, 8, 8, byte(i)})) {
					counted[byte(i)] = true
				}
			}
		}
		w := widthOf(list)
		if w.size4 != float64(len(counted)) || math.Abs(w.share4*math.Exp2(32)-w.size4) > 0.001 {
			t.Fatalf("%v: %v addresses, share %v, want %d", list, w.size4, w.share4, len(counted))
		}
	})
}
