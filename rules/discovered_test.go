// Discovered NAT64 prefixes: RFC 7050, section 3, with the layouts of RFC 6052.

package rules_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "sallyport/rules"
	"sallyport/rules/site"
)

// embed makes the address that a DNS64 makes of an IPv4 address (RFC 6052, section
// 2.3).
func embed(p netip.Prefix, v4 [4]byte) netip.Addr {
	a := p.Masked().Addr().As16()
	at := p.Bits() / 8
	for _, b := range v4 {
		if at == 8 {
			at++
		}
		a[at] = b
		at++
	}
	return netip.AddrFrom16(a)
}

// TestDiscoveredNAT64 checks which prefixes the addresses of ipv4only.arpa show, and
// which of these prefixes need no entry of the site. The first six addresses are the
// addresses of RFC 6052, section 2.4, with 192.0.0.170 inside.
func TestDiscoveredNAT64(t *testing.T) {
	for _, c := range []struct{ addrs, found, refused string }{
		{"2600:db8:c000:aa::", "2600:db8::/32", ""},
		{"2600:db8:1c0:0:aa::", "2600:db8:100::/40", ""},
		{"2600:db8:122:c000:0:aa00::", "2600:db8:122::/48", ""},
		{"2600:db8:122:3c0:0:aa::", "2600:db8:122:300::/56", ""},
		{"2600:db8:122:344:c0:0:aa00::", "2600:db8:122:344::/64", ""},
		{"2600:db8:122:344::192.0.0.170", "2600:db8:122:344::/96", ""},
		{"64:ff9b::192.0.0.170 64:ff9b::192.0.0.171", "64:ff9b::/96", ""},
		{"64:ff9b::192.0.0.171 2600:64::192.0.0.170", "64:ff9b::/96 2600:64::/96", ""}, // two translators
		{"64:ff9b:1::192.0.0.170", "64:ff9b:1::/96", ""},                               // RFC 8215
		// No translator made these.
		{"", "", ""}, {"2600:64::192.0.0.169", "", ""}, {"2600:64::1", "", ""}, {"192.0.0.170", "", ""}, {"::ffff:192.0.0.170", "", ""},
		{"2600:db8:c000:aa::c000:aa", "2600:db8:c000:aa::/96", ""}, // with a /32 prefix the rest would be zeros
		{"2600:64::192.0.0.170%eth0", "", ""},
		// Prefixes that the site has to list itself.
		{"fd00:64::192.0.0.170", "", "fd00:64::/96 is among private"},
		{"2001:db8::192.0.0.170", "", "2001:db8::/96 is among private"}, // documentation
		{"2620:4f:c000:aa::", "", "2620:4f::/32 is among private"},      // it contains 2620:4f:8000::/48
		{"64:ff9b:c000:aa::", "", "64:ff9b::/32 overlaps a prefix that holds IPv4 addresses in another form"},
		{"2002:102:c000:aa::", "", "2002:102::/32 overlaps a prefix"},
		{"fe80:0:c000:aa::", "", "fe80::/32 contains link-local"},
		{"::192.0.0.170", "", "::/96 overlaps a prefix"},
	} {
		var addrs []netip.Addr
		for s := range strings.FieldsSeq(c.addrs) {
			addrs = append(addrs, netip.MustParseAddr(s))
		}
		found, refused := DiscoveredNAT64(addrs)
		var got []string
		for _, p := range found {
			got = append(got, p.String())
		}
		if strings.Join(got, " ") != c.found || len(refused) > 1 || (len(refused) == 1) != (c.refused != "") {
			t.Errorf("%s: found %v, refused %v", c.addrs, got, refused)
		} else if len(refused) == 1 && !strings.HasPrefix(refused[0].Error(), c.refused) {
			t.Errorf("%s: refused: %v", c.addrs, refused[0])
		}
	}
}

// TestDiscoveredAreSafe checks three facts about every prefix that is found, for any
// addresses. A site may list the prefix. All its special addresses are known as
// translated. If the address has only one reading, the prefix is the one that the
// address was made with.
func TestDiscoveredAreSafe(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "bytes")
		copy(raw, rapid.SampledFrom([][]byte{nil, {0x26}, {0x20, 0x01}, {0x26, 0x20, 0, 0x4f, 0x80}, {0, 0x64, 0xff, 0x9b, 0, 1}, {0xfd}, {0xfe, 0x80}}).Draw(rt, "head"))
		raw[8] = 0
		made := netip.PrefixFrom(netip.AddrFrom16([16]byte(raw)), rapid.SampledFrom(NAT64Lengths()).Draw(rt, "bits")).Masked()
		found, refused := DiscoveredNAT64([]netip.Addr{embed(made, [4]byte{192, 0, 0, 170})})
		if len(found)+len(refused) > 1 {
			rt.Fatalf("%v: %v, %v", made, found, refused)
		}
		if len(found) == 0 {
			return
		}
		p := found[0]
		if p != made {
			rt.Fatalf("%v is taken for %v", made, p)
		}
		if err := CheckNAT64(p); err != nil {
			rt.Fatal(err)
		}
		wellKnown, local := NAT64WellKnown()
		known := p == wellKnown || Covers(local, p)
		dest := embed(p, [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(rt, "inside")))
		if v4, _ := Inside(dest, nil); Special(dest) && !known && !v4.IsValid() && dest.As16()[10] != 0x5e { // any prefix contains ISATAP addresses
			rt.Fatalf("%v gives leave for %v", p, dest)
		}
	})
}

const discoverSite = `
[[client]]
name = "c"
sources = ["10.0.0.0/8"]
profiles = []
[[rule]]
id = "r"
client = "c"
reason = "t"
to = ["a.example"]
tcp = [443]
[resolve]
`

// TestDiscoverIsAnEntry checks the decisions of a configuration with the entry
// "discover" before and after a discovery. Prefixes that the configuration lists stay
// in force beside the entry.
func TestDiscoverIsAnEntry(t *testing.T) {
	found := []netip.Prefix{netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("2600:64::/96")}
	for _, c := range []struct{ line, before, after string }{ // the decisions for the addresses below
		{``, "deny allow deny deny allow", "deny allow deny deny allow"},
		{`nat64 = ["discover"]`, "deny allow deny deny allow", "allow allow deny deny deny"},
		{`nat64 = ["fd00:64::/96", "discover"]`, "deny allow allow deny allow", "allow allow allow deny deny"},
	} {
		cfg, problems := site.Parse("test.toml", site.Disk{}, []byte(discoverSite+c.line+"\n"), nil)
		if cfg == nil {
			t.Fatal(problems)
		}
		for _, x := range []struct {
			found []netip.Prefix
			want  string
		}{{nil, c.before}, {found, c.after}, {nil, c.before}} {
			p, _ := Compile(&cfg.WithNAT64(x.found).Spec, Own{}, time.Now())
			d := p.Decide(Attempt{Via: ViaDNS, QType: 28, Client: netip.MustParseAddrPort("10.0.0.1:1"), Authority: MustName("a.example")})
			var got []string
			for _, addr := range []string{"64:ff9b::5db8:3d0a", "2600:64::5db8:3d0a", "fd00:64::5db8:3d0a", "64:ff9b::a00:1", "2600:64::a00:1"} {
				got = append(got, map[bool]string{true: "allow", false: "deny"}[d.Reach(netip.AddrPortFrom(netip.MustParseAddr(addr), 443)) == ReasonNone])
			}
			if strings.Join(got, " ") != x.want {
				t.Errorf("%s with %v: %v, want %s", c.line, x.found, got, x.want)
			}
		}
	}
	if cfg, problems := site.Parse("test.toml", site.Disk{}, []byte(discoverSite+`nat64 = ["discovery"]`+"\n"), nil); cfg != nil || !strings.Contains(problems.Error(), "test.toml:13: ") {
		t.Errorf("another word: %v", problems)
	}
}

// TestDiscoverInADiff checks that Diff shows the gains of adding or removing the entry.
func TestDiscoverInADiff(t *testing.T) {
	with, without := compiled(t, discoverSite+"nat64 = [\"discover\"]\n", time.Now()), compiled(t, discoverSite, time.Now())
	texts := func(gains []Gain) (out string) {
		for _, g := range gains {
			out += g.What() + "\n"
		}
		return out
	}
	if got := texts(Diff(without, with)); !strings.Contains(got, "64:ff9b::/96") || !strings.Contains(got, "64:ff9b:1::/48") {
		t.Errorf("added: %s", got)
	}
	if got := texts(Diff(with, without)); got != "NAT64 prefixes are no longer discovered: addresses in them count as public, whatever IPv4 address is inside\n" {
		t.Errorf("removed: %s", got)
	}
	if got := Diff(with, with); len(got) != 0 {
		t.Errorf("the same: %v", got)
	}
}
