// Synthetic addresses: the same everywhere, one for each name, and never a way past the rules.

package rules_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	. "sallyport/rules"
	"sallyport/rules/site"
)

const syntheticSecret = "0123456789abcdef0123456789abcdef"

const syntheticHead = `
[listen]
dns         = ["127.0.0.1:5300"]
transparent = ["127.0.0.1:3129"]
[dns]
upstreams = ["udp://192.0.2.53"]
synthetic = ["fd53:1234:5678::/64", "198.18.0.0/15"]
synthetic_secret_file = "secret"
[[dns.zone]]
suffix    = "zone.example"
upstreams = ["udp://192.0.2.53"]
[resolve]
private = ["198.0.0.0/8", "fd00::/8"]
[[client]]
name      = "on"
sources   = ["10.0.0.1", "fd00::1"]
profiles  = []
synthetic = true
[[client]]
name     = "off"
sources  = ["10.0.0.2"]
profiles = []
[[client]]
name      = "audited"
sources   = ["10.0.0.3"]
profiles  = []
synthetic = true
mode      = "audit"
[[client]]
name      = "few"
sources   = ["10.0.0.4"]
profiles  = []
synthetic = true
[[rule]]
id     = "names-few"
client = "few"
to     = ["b.example"]
tcp    = [5432]
udp    = [5432]
reason = "test"
[[rule]]
id     = "datagrams-few"
client = "few"
to     = ["ntp.example"]
udp    = [123]
reason = "test"
`

const syntheticRules = `
[[rule]]
id     = "names-CLIENT"
client = "CLIENT"
to     = ["a.example", "b.example", "*.wild.example", "198.0.0.0/8"]
tcp    = [443, 5432]
reason = "test"
[[rule]]
id       = "list-CLIENT"
client   = "CLIENT"
to_files = ["list"]
tcp      = [443]
reason   = "test"
[[rule]]
id     = "datagrams-CLIENT"
client = "CLIENT"
to     = ["ntp.example"]
udp    = [123]
reason = "test"
[[rule]]
id     = "everything-CLIENT"
client = "CLIENT"
to     = ["0.0.0.0/0", "::/0", "any.example"]
any    = true
reason = "test"
`

// syntheticConfig returns the text for tests: the three clients have the same rules.
func syntheticConfig() string {
	text := syntheticHead
	for _, c := range []string{"on", "off", "audited"} {
		text += strings.ReplaceAll(syntheticRules, "CLIENT", c)
	}
	return text
}

// syntheticDisk has the secret and a list.
type syntheticDisk map[string]string

func (d syntheticDisk) Read(path string, _ int) ([]byte, error) { return []byte(d[path]), nil }
func (d syntheticDisk) List(string, string) ([]string, error)   { return nil, nil }

func syntheticPolicy(t testing.TB, text string) *Policy {
	t.Helper()
	disk := site.Disk{Files: syntheticDisk{"secret": syntheticSecret + "\n", "list": "listed.example\n"}}
	c, problems := site.Parse("site.toml", disk, []byte(text), nil)
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := Compile(&c.Spec, Own{}, time.Unix(1, 0))
	return p
}

// The addresses must never change with a new version: running clients keep them, and replicas of
// two versions serve the same clients. The addresses are those of another program: the host part of
// HMAC-SHA-256 of "sallyport synthetic address", a zero, the family, 4 octets for the choice, and the name.
func TestSyntheticAddressesOfThisAndEveryVersion(t *testing.T) {
	p := syntheticPolicy(t, syntheticConfig())
	for name, want := range map[string]string{
		"a.example":         "198.18.59.44 fd53:1234:5678:0:d551:b641:cf08:fcb6",
		"one.wild.example":  "198.19.124.170 fd53:1234:5678:0:4f54:b5ee:2fc8:bda2",
		"any.other.example": "198.18.224.137 fd53:1234:5678:0:c1ed:ce90:3e94:c1a6",
	} {
		v4, v6 := p.SyntheticAddrs(MustName(name))
		if got := fmt.Sprint(v4, " ", v6); got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
}

// Only the name and the secret count, not the order of the rules or the other names.
func TestSyntheticAddressesDependOnNothingElse(t *testing.T) {
	p := syntheticPolicy(t, syntheticConfig())
	other := syntheticPolicy(t, strings.Replace(syntheticConfig(), `["a.example", "b.example"`, `["c.example", "b.example", "a.example"`, 1))
	for _, n := range p.Names() {
		v4, v6 := p.SyntheticAddrs(n)
		if w4, w6 := other.SyntheticAddrs(n); v4 != w4 || v6 != w6 {
			t.Errorf("%s has %v %v in one policy and %v %v in another", n, v4, v6, w4, w6)
		}
		for _, a := range []netip.Addr{v4, v6} {
			if back, ok := p.SyntheticName(a); !ok || back != n || !p.IsSynthetic(a) {
				t.Errorf("%v of %s stands for %v", a, n, back)
			}
		}
	}
	asked := MustName("one.wild.example")
	v4, v6 := p.SyntheticAddrs(asked)
	if _, ok := p.SyntheticName(v6); ok || !p.IsSynthetic(v4) || !p.IsSynthetic(v6) {
		t.Errorf("%v, %v of a wildcard's name", v4, v6)
	}
	if c, d := new(Policy), (*Policy)(nil); c.IsSynthetic(v4) || d.IsSynthetic(v4) || d.HasSynthetic() {
		t.Error("a policy without prefixes has synthetic addresses")
	}
}

// manySynthetic compiles a policy with names in a prefix of 256 addresses.
func manySynthetic(names []Name) *Policy {
	c := &Spec{
		Synthetic: Synthetic{Prefix4: netip.MustParsePrefix("198.18.7.0/24"), Secret: []byte(syntheticSecret)},
		Clients:   []*Client{{Name: "c", Sources: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Synthetic: true}},
	}
	for _, n := range names {
		c.Rules = append(c.Rules, &Rule{Profile: SiteProfile, ID: n.String(), Client: "c", To: []Destination{{Name: n}}, TCP: Ports{{443, 443}}})
	}
	p, _ := Compile(c, Own{}, time.Unix(0, 0))
	return p
}

// Many names in few addresses want the same ones. Each gets its own, the order does not matter, and
// no address goes from one name to another when a name is removed.
func TestSyntheticCollisions(t *testing.T) {
	var names []Name
	for i := range 120 {
		names = append(names, MustName(fmt.Sprintf("host%d.example", i)))
	}
	p := manySynthetic(names)
	have, later := p.SyntheticNames()
	if have != len(names) || later == 0 {
		t.Fatalf("%d names, %d of them not with their first choice: the test shows nothing", have, later)
	}
	r := rand.New(rand.NewPCG(1, 2))
	shuffled := slices.Clone(names)
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	other, seen := manySynthetic(shuffled), map[netip.Addr]Name{}
	for _, n := range names {
		a, _ := p.SyntheticAddrs(n)
		b, _ := other.SyntheticAddrs(n)
		if before, twice := seen[a]; !a.IsValid() || a != b || twice {
			t.Errorf("%s has %v, in another order %v; %v has it too", n, a, b, before)
		}
		if a == netip.MustParseAddr("198.18.7.0") || a == netip.MustParseAddr("198.18.7.255") {
			t.Errorf("%s has %v, which can mean the network or all its hosts", n, a)
		}
		seen[a] = n
	}
	few := names[:12] // three names rarely want one address
	was := manySynthetic(few)
	for i := range few {
		now := manySynthetic(slices.Concat(few[:i:i], few[i+1:]))
		for _, n := range few {
			a, _ := was.SyntheticAddrs(n)
			if owner, ok := now.SyntheticName(a); ok && owner != n {
				t.Errorf("without %s, %v of %s stands for %s", few[i], a, n, owner)
			}
		}
	}
}

// A name that is not listed exactly never has the address of a name that is.
func TestSyntheticAddressOfAWildcardsName(t *testing.T) {
	var names []Name
	for i := range 120 {
		names = append(names, MustName(fmt.Sprintf("host%d.example", i)))
	}
	p := manySynthetic(names)
	for i := range 1000 {
		n := MustName(fmt.Sprintf("asked%d.example", i))
		a, _ := p.SyntheticAddrs(n)
		if owner, taken := p.SyntheticName(a); taken || !a.IsValid() {
			t.Errorf("%s has %v of %s", n, a, owner)
		}
	}
}

func TestSyntheticDecisions(t *testing.T) {
	p := syntheticPolicy(t, syntheticConfig())
	of := func(name string) netip.Addr { _, v6 := p.SyntheticAddrs(MustName(name)); return v6 }
	nobody := netip.MustParseAddr("198.18.0.0")
	redirected := func(client string, to netip.Addr, authority string, port uint16) Attempt {
		a := Attempt{Via: ViaTransparent, Proto: TCP, Client: netip.AddrPortFrom(netip.MustParseAddr(client), 1), Original: netip.AddrPortFrom(to, port), Shown: ShownOpaque}
		if authority == "" {
			a.ByAddress, a.Dest = true, a.Original
			return a
		}
		a.Authority, a.Dest = MustName(authority), netip.AddrPortFrom(netip.Addr{}, port)
		return a
	}
	pinned := func(proto Proto, port uint16, name string) Attempt {
		to := netip.AddrPortFrom(netip.MustParseAddr("93.184.0.7"), port)
		return Attempt{Via: ViaTransparent, Proto: proto, Shown: ShownOpaque, Client: netip.MustParseAddrPort("10.0.0.4:1"), ByAddress: true, Original: to, Dest: to, Pinned: []Name{MustName(name)}}
	}
	with := func(a Attempt, change func(*Attempt)) Attempt { change(&a); return a }
	for _, c := range []struct {
		what   string
		a      Attempt
		reason Reason
	}{
		{"a name's address", redirected("10.0.0.1", of("b.example"), "b.example", 5432), ReasonNone},
		{"a name's address, of a client without synthetic addresses", redirected("10.0.0.2", of("b.example"), "b.example", 5432), ReasonNone},
		{"a wildcard's name", redirected("10.0.0.1", of("x.wild.example"), "x.wild.example", 5432), ReasonNone},
		{"another port", redirected("10.0.0.1", of("b.example"), "b.example", 22), PortNotListed},
		{"a name that no rule lists", redirected("10.0.0.1", of("evil.example"), "evil.example", 5432), NotListed},
		{"the name at the address of another name", redirected("10.0.0.1", of("a.example"), "b.example", 5432), DestinationMismatch},
		{"the name at an address of no name", redirected("10.0.0.1", nobody, "b.example", 5432), DestinationMismatch},
		{"an address of no name, which a rule for every address covers", redirected("10.0.0.1", nobody, "", 5432), IPLiteral},
		{"an address of no name, in mode audit", redirected("10.0.0.3", nobody, "", 5432), IPLiteral},
		{"an unknown client", redirected("10.0.0.9", of("b.example"), "b.example", 5432), UnknownClient},
		{"SNI of another name", with(redirected("10.0.0.1", of("b.example"), "b.example", 443), func(a *Attempt) { a.Shown, a.SNI = ShownTLS, MustName("a.example") }), SNIMismatch},
		{"SNI of the name", with(redirected("10.0.0.1", of("b.example"), "b.example", 443), func(a *Attempt) { a.Shown, a.SNI = ShownTLS, MustName("b.example") }), ReasonNone},
		{"no SNI", with(redirected("10.0.0.1", of("b.example"), "b.example", 443), func(a *Attempt) { a.Shown = ShownTLS }), SNIMissing},
		{"Host of another name", with(redirected("10.0.0.1", of("b.example"), "b.example", 5432), func(a *Attempt) { a.Shown, a.Host, a.HostPort = ShownHTTP, MustName("a.example"), 5432 }), HostMismatch},
		{"only SNI shows the name that has the address", with(redirected("10.0.0.1", of("x.wild.example"), "", 443), func(a *Attempt) {
			a.Shown, a.SNI, a.ByAddress, a.Dest = ShownTLS, MustName("x.wild.example"), false, netip.AddrPortFrom(netip.Addr{}, 443)
		}), ReasonNone},
		{"only SNI shows a permitted name with another address", with(redirected("10.0.0.1", of("x.wild.example"), "", 443), func(a *Attempt) {
			a.Shown, a.SNI, a.ByAddress, a.Dest = ShownTLS, MustName("b.example"), false, netip.AddrPortFrom(netip.Addr{}, 443)
		}), DestinationMismatch},
		{"the true address of a name, by a pin: another name may have it", pinned(TCP, 5432, "b.example"), IPLiteral},
		{"datagrams to it", pinned(UDP, 5432, "b.example"), IPLiteral},
		{"the true address of a name without a synthetic one, by a pin", pinned(UDP, 123, "ntp.example"), ReasonNone},
		{"CONNECT to the address", Attempt{Via: ViaConnect, Proto: TCP, Provisional: true, Client: netip.MustParseAddrPort("10.0.0.1:1"), Dest: netip.AddrPortFrom(of("b.example"), 5432)}, IPLiteral},
		{"a datagram to the address", Attempt{Via: ViaUDP, Proto: UDP, Client: netip.MustParseAddrPort("10.0.0.1:1"), Dest: netip.AddrPortFrom(of("b.example"), 123)}, IPLiteral},
		{"the name resolves to a synthetic address", with(redirected("10.0.0.1", of("b.example"), "b.example", 5432), func(a *Attempt) { a.Dest = netip.AddrPortFrom(of("a.example"), 5432) }), PrivateAddress},
		{"PTR of the address", Attempt{Via: ViaDNS, QType: 12, Client: netip.MustParseAddrPort("10.0.0.1:1"), Authority: MustName("b.example"), Original: netip.AddrPortFrom(of("b.example"), 0)}, ReasonNone},
		{"PTR of another name's address", Attempt{Via: ViaDNS, QType: 12, Client: netip.MustParseAddrPort("10.0.0.1:1"), Authority: MustName("b.example"), Original: netip.AddrPortFrom(of("a.example"), 0)}, TypeNotAllowed},
		{"TXT with the address", Attempt{Via: ViaDNS, QType: 16, Client: netip.MustParseAddrPort("10.0.0.1:1"), Authority: MustName("b.example"), Original: netip.AddrPortFrom(of("b.example"), 0)}, TypeNotAllowed},
	} {
		d := p.Decide(c.a)
		if want := map[bool]Verdict{true: Allow, false: Deny}[c.reason == ReasonNone]; d.Verdict != want || d.Why() != c.reason {
			t.Errorf("%s: %v %v, want %v %v", c.what, d.Verdict, d.Why(), want, c.reason)
		}
		if hint := Hint(c.a, d); c.reason == IPLiteral && len(c.a.Pinned) == 0 && !strings.Contains(hint, "[dns] synthetic") {
			t.Errorf("%s: the hint is %q", c.what, hint)
		}
	}
	d := p.Decide(redirected("10.0.0.1", of("b.example"), "b.example", 5432))
	if got := d.Reach(netip.AddrPortFrom(of("b.example"), 5432)); got != PrivateAddress {
		t.Errorf("a synthetic address that [resolve] private and a rule cover: %v", got)
	}
	if got := d.Reach(netip.MustParseAddrPort("198.51.100.7:5432")); got != ReasonNone {
		t.Errorf("a real address: %v", got)
	}
}
