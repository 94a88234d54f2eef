// What the tests of decisions share: a document and a site.

package rules_test

import (
	"net/netip"
	"os"
	"testing"
	"time"

	. "sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/site"
)

var today = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// fixture returns a text that the tests of several packages share.
func fixture(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func testProfiles(t testing.TB) []*Profile {
	t.Helper()
	var out []*Profile
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
func compiled(t testing.TB, text string, now time.Time) *Policy {
	t.Helper()
	c, problems := site.Parse("sallyport.toml", site.Disk{}, []byte(text), testProfiles(t))
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := Compile(&c.Spec, testOwn(), now)
	return p
}

// testOwn has a listener on one address, and a listener on every address of a
// host. That host also has the address 10.1.0.254.
func testOwn() Own {
	return Own{
		Listeners: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:3128"), netip.MustParseAddrPort("[::]:9180")},
		Local:     func(a netip.Addr) bool { return a == netip.MustParseAddr("10.1.0.254") },
	}
}
