// What the tests of this package share: profiles, a host, questions.

package site

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"sallyport/rules"
	"sallyport/rules/profile"
)

var today = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// fixture returns a text that the tests of several packages share.
func fixture(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile("../testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func testProfiles(t testing.TB) []*rules.Profile {
	t.Helper()
	var out []*rules.Profile
	for _, file := range []string{"product.toml", "another.toml"} {
		p, err := profile.Parse("profile.toml", []byte(fixture(t, file)))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// compiled returns the policy of a configuration without errors.
func compiled(t testing.TB, text string, now time.Time) *rules.Policy {
	t.Helper()
	c, problems := Parse("sallyport.toml", Disk{}, []byte(text), testProfiles(t))
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, testOwn(), now)
	return p
}

// testOwn has a listener on one address, and a listener on every address of a
// host. That host also has the address 10.1.0.254.
func testOwn() rules.Own {
	return rules.Own{
		Listeners: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:3128"), netip.MustParseAddrPort("[::]:9180")},
		Local:     func(a netip.Addr) bool { return a == netip.MustParseAddr("10.1.0.254") },
	}
}

// attempts returns the zero attempt, and the manager's attempts to a name, to an
// address, and with a query.
func attempts(t testing.TB) []rules.Attempt {
	t.Helper()
	host, err := rules.ParseName("www.product.example")
	if err != nil {
		t.Fatal(err)
	}
	client := netip.MustParseAddrPort("10.1.0.1:40000")
	return []rules.Attempt{
		{},
		{Via: rules.ViaConnect, Proto: rules.TCP, Client: client, Authority: host, Dest: netip.AddrPortFrom(netip.Addr{}, 443), Provisional: true},
		{Via: rules.ViaConnect, Proto: rules.TCP, Client: client, Dest: netip.MustParseAddrPort("121.46.26.221:443"), Provisional: true},
		{Via: rules.ViaDNS, Proto: rules.UDP, Client: client, Authority: host, QType: 1},
	}
}
