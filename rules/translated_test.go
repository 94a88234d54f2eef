// Addresses that stand for IPv4 addresses: the tables of RFC 6052, RFC 3056, RFC
// 4380.

package rules_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	. "sallyport/rules"
	"sallyport/rules/site"
)

// TestNAT64Layouts checks the examples of RFC 6052, section 2.4, for every length.
func TestNAT64Layouts(t *testing.T) {
	for _, c := range []struct{ prefix, addr, want string }{
		{"2001:db8::/32", "2001:db8:c000:221::", "192.0.2.33"},
		{"2001:db8:100::/40", "2001:db8:1c0:2:21::", "192.0.2.33"},
		{"2001:db8:122::/48", "2001:db8:122:c000:2:2100::", "192.0.2.33"},
		{"2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::", "192.0.2.33"},
		{"2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::", "192.0.2.33"},
		{"2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33", "192.0.2.33"},
		{"64:ff9b::/96", "64:ff9b::192.0.2.33", "192.0.2.33"},
		// Section 2.2: bits 64 to 71 and the suffix are zero.
		{"2001:db8::/32", "2001:db8:c000:221:100::", "0.0.0.0"},
		{"2001:db8:122:344::/64", "2001:db8:122:344:1c0:2:2100::", "0.0.0.0"},
		{"2001:db8:122::/48", "2001:db8:122:c000:2:2100::1", "0.0.0.0"},
		{"2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100:1", "0.0.0.0"},
	} {
		v4, second := Inside(netip.MustParseAddr(c.addr), []netip.Prefix{netip.MustParsePrefix(c.prefix)})
		if v4.String() != c.want || second.IsValid() {
			t.Errorf("%s under %s: %v %v, want %s", c.addr, c.prefix, v4, second, c.want)
		}
	}
}

// TestInside checks which addresses stand for an IPv4 address without any
// configuration.
func TestInside(t *testing.T) {
	for addr, want := range map[string]string{
		"64:ff9b::5db8:3d0a":                   "93.184.61.10",             // RFC 6052, section 2.1
		"64:ff9b:1::a00:1":                     "10.0.0.1",                 // RFC 8215
		"2002:5db8:3d0a::1":                    "93.184.61.10",             // RFC 3056, section 2
		"2002:7f00:1::":                        "127.0.0.1",                //
		"::127.0.0.1":                          "127.0.0.1",                // RFC 4291, section 2.5.5.1
		"::ffff:0:10.0.0.1":                    "10.0.0.1",                 // RFC 2765, section 2.1
		"2001:0:4136:e378:8000:63bf:3fff:fdd2": "65.54.227.120 192.0.2.45", // RFC 4380, section 2.6; its server and its client
		"::1":                                  "", "::": "", "2606:4700::1": "", "fd00::1": "", "fe80::1": "", "10.0.0.1": "", "2001:db8::1": "",
	} {
		v4, second := Inside(netip.MustParseAddr(addr), nil)
		var got []string
		for _, a := range []netip.Addr{v4, second} {
			if a.IsValid() {
				got = append(got, a.String())
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %q", addr, got, want)
		}
	}
}

// TestNAT64Prefixes checks which prefixes a configuration may list.
func TestNAT64Prefixes(t *testing.T) {
	for prefix, ok := range map[string]bool{
		"64:ff9b::/96": true, "2001:db8::/32": true, "2001:db8:100::/40": true, "2001:db8:122::/48": true, "2001:db8:122:300::/56": true,
		"2001:db8:122:344::/64": true, "2001:db8:122:344::/96": true, "64:ff9b:1::/48": true, "fd00:64::/96": true,
		"2001:db8::/44": false, "2001:db8::/128": false, "10.0.0.0/32": false, "64:ff9b::/32": false, "2002::/32": false, "2001::/32": false,
		"::/96": false, "::ffff:0:0:0/96": false, "fe80::/64": false, "ff0e::/96": false, "2001:db8:122:344:100::/96": false,
	} {
		text := "[[client]]\nname = \"c\"\nsources = [\"10.0.0.0/8\"]\nprofiles = []\n[resolve]\nnat64 = [\"" + prefix + "\"]\n"
		c, problems := site.Parse("test.toml", site.Disk{}, []byte(text), nil)
		if (c != nil) != ok {
			t.Errorf("%s: %v", prefix, problems)
		}
		if c == nil && !strings.Contains(problems.Error(), "test.toml:6: ") {
			t.Errorf("%s: %v", prefix, problems)
		}
	}
}

// TestReachTranslated checks which addresses a permitted name may resolve to and be
// connected to. An address that stands for a private address, or for this host, is
// never reached, whatever the configuration lists.
func TestReachTranslated(t *testing.T) {
	own := Own{Listeners: []netip.AddrPort{netip.MustParseAddrPort("198.41.0.9:3128")}}
	const everything = `"64:ff9b::/96", "2002::/16", "2001::/32", "fd00:64::/96", "2600:64::/96", "10.0.0.0/8", "127.0.0.0/8"`
	for _, c := range []struct{ private, nat64, addrs, want string }{
		// The configuration lists nothing: these are treated like any special
		// address.
		{"", "", "64:ff9b::5db8:3d0a 64:ff9b::7f00:1 2002:5db8:3d0a::1 2001:0:4136:e378:8000:63bf:a247:c2f5 fd00:64::5db8:3d0a", "private_address"},
		{"", "", "2600:64::5db8:3d0a 2600:64::a00:1", ""}, // global addresses that the site does not list
		// [resolve] private.
		{everything, "", "64:ff9b::5db8:3d0a 2002:5db8:3d0a::1 2001:0:4136:e378:8000:63bf:a247:c2f5", ""},
		{everything, "", "64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::a01:203 64:ff9b::a83f:8110 64:ff9b::6440:1 64:ff9b::e000:1 64:ff9b::", "private_address"},
		{everything, "", "2002:7f00:1:: 2002:a01:203::1 2002:a9fe:a9fe::1 ::127.0.0.1 64:ff9b:1::a00:1", "private_address"},
		{everything, "", "2001:0:a00:1:8000:63bf:a247:c2f5 2001:0:4136:e378:8000:63bf:f5fe:fdfc", "private_address"}, // Teredo: server 10.0.0.1; client 10.1.2.3
		{everything, "", "64:ff9b::c629:9 2002:c629:9::1", "self"},
		{everything, "", "fd00:64::a00:1 10.1.2.3 127.0.0.1", ""}, // not known as translated addresses; and IPv4 addresses
		// [resolve] nat64.
		{"", `"64:ff9b::/96", "2600:64::/96", "fd00:64::/96"`, "64:ff9b::5db8:3d0a 2600:64::5db8:3d0a fd00:64::5db8:3d0a", ""},
		{everything, `"64:ff9b::/96", "2600:64::/96", "fd00:64::/96"`, "64:ff9b::7f00:1 2600:64::7f00:1 2600:64::a01:203 fd00:64::a9fe:a9fe", "private_address"},
		{"", `"2600:64::/48"`, "2600:64:0:5db8:3d:a00::", ""},
		{"", `"2600:64::/48"`, "2600:64:0:a00:0:100:: 2600:64:0:5db8:3d:a00::1 2600:64:0:5db8:13d:a00::", "private_address"},
		{"", `"2600:64::/96"`, "2600:64::c629:9", "self"},
	} {
		text := "[[client]]\nname = \"c\"\nsources = [\"10.0.0.0/8\"]\nprofiles = []\n" +
			"[[rule]]\nid = \"r\"\nclient = \"c\"\nreason = \"t\"\nto = [\"a.example\", \"64:ff9b::/96\", \"2600:64::/96\"]\ntcp = [443]\n" +
			"[dns]\nupstreams = [\"udp://127.0.0.1:53\"]\n[[dns.zone]]\nsuffix = \"zone.example\"\nupstreams = [\"udp://127.0.0.1:53\"]\n" +
			"[resolve]\nprivate = [" + c.private + "]\nnat64 = [" + c.nat64 + "]\n"
		if c.private == "" {
			text = strings.Replace(text, `, "64:ff9b::/96", "2600:64::/96"]`+"\ntcp", "]\ntcp", 1)
		}
		cfg, problems := site.Parse("test.toml", site.Disk{}, []byte(text), nil)
		if cfg == nil {
			t.Fatal(problems)
		}
		p, _ := Compile(&cfg.Spec, own, time.Now())
		for addr := range strings.FieldsSeq(c.addrs) {
			for _, port := range []uint16{0, 443} {
				dest := netip.AddrPortFrom(netip.MustParseAddr(addr), port)
				a := Attempt{Via: ViaDNS, QType: 28, Client: netip.MustParseAddrPort("10.0.0.1:1"), Authority: MustName("a.example")}
				if got := p.Decide(a).Reach(dest).String(); got != c.want {
					t.Errorf("private [%s], nat64 [%s]: %v: %q, want %q", c.private, c.nat64, dest, got, c.want)
				}
				// A name of an internal zone cannot reach these addresses either.
				a.Authority = MustName("x.zone.example")
				v4, second := Inside(dest.Addr(), p.NAT64())
				if !p.Decide(a).Allowed() || p.Decide(a).Reach(dest) == ReasonNone && (v4.IsValid() && Special(v4) || second.IsValid() && Special(second)) {
					t.Errorf("zone, private [%s], nat64 [%s]: %v is reached", c.private, c.nat64, dest)
				}
			}
		}
	}
}

// TestTranslatedLiteral checks that a rule for a prefix of translated addresses
// does not permit the private addresses inside, even if the flow shows no name, and
// that the hint reports this.
func TestTranslatedLiteral(t *testing.T) {
	const text = "[[client]]\nname = \"c\"\nsources = [\"10.0.0.0/8\"]\nprofiles = []\n" +
		"[[rule]]\nid = \"r\"\nclient = \"c\"\nreason = \"t\"\nto = [\"64:ff9b::/96\"]\ntcp = [22]\n"
	cfg, problems := site.Parse("test.toml", site.Disk{}, []byte(text), nil)
	if cfg == nil {
		t.Fatal(problems)
	}
	p, _ := Compile(&cfg.Spec, Own{}, time.Now())
	for addr, want := range map[string]Reason{"64:ff9b::5db8:3d0a": ReasonNone, "64:ff9b::a01:203": PrivateAddress, "64:ff9b::7f00:1": PrivateAddress} {
		a := Attempt{Via: ViaSOCKS5, Proto: TCP, Client: netip.MustParseAddrPort("10.0.0.1:1"), Dest: netip.AddrPortFrom(netip.MustParseAddr(addr), 22)}
		d := p.Decide(a)
		if d.Reason != want || d.Allowed() != (want == ReasonNone) {
			t.Errorf("%s: %s %s, want %q", addr, d.Text(), d.Reason, want)
		}
		if hint := Hint(a, d); want != ReasonNone && !strings.Contains(hint, "no rule can permit it") {
			t.Errorf("%s: hint %q", addr, hint)
		}
	}
}
