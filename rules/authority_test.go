// Authorities: host and port, and everything that only looks like it.

package rules

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestParseAuthority(t *testing.T) {
	for _, c := range []struct {
		attack, raw string
		def         uint16
		want        string // "": refused
	}{
		{"plain", "a.example:443", 0, "a.example:443"},
		{"case", "A.Example:443", 0, "a.example:443"},
		{"trailing dot", "a.example.:443", 0, "a.example:443"},
		{"default port", "a.example", 80, "a.example:80"},
		{"explicit port before the default", "a.example:8080", 80, "a.example:8080"},
		{"IPv4", "192.0.2.1:443", 0, "192.0.2.1:443"},
		{"IPv6", "[2001:db8::1]:443", 0, "[2001:db8::1]:443"},
		{"IPv6 in capitals, long", "[2001:0DB8:0:0:0:0:0:1]:443", 0, "[2001:db8::1]:443"},
		{"IPv6 with the default port", "[2001:db8::1]", 80, "[2001:db8::1]:80"},
		{"mapped is unmapped", "[::ffff:192.0.2.1]:443", 0, "192.0.2.1:443"},
		{"mapped in hexadecimal is unmapped", "[::ffff:7f00:1]:443", 0, "127.0.0.1:443"},
		{"highest port", "a.example:65535", 0, "a.example:65535"},

		{"percent", "a%2eexample:443", 0, ""},
		{"userinfo", "u:p@a.example:443", 0, ""},
		{"userinfo without password", "a.example@evil.example:443", 0, ""},
		{"path", "a.example/x:443", 0, ""},
		{"query", "a.example?:443", 0, ""},
		{"fragment", "a.example#:443", 0, ""},
		{"backslash", `a.example\@evil:443`, 0, ""},
		{"brackets round a name", "[a.example]:443", 0, ""},
		{"brackets round IPv4", "[192.0.2.1]:443", 0, ""},
		{"open bracket only", "[2001:db8::1:443", 0, ""},
		{"nothing in brackets", "[]:443", 0, ""},
		{"two brackets", "[[::1]]:443", 0, ""},
		{"zone", "[fe80::1%25lo]:443", 0, ""},
		{"zone, not encoded", "[fe80::1%eth0]:443", 0, ""},
		{"no brackets", "2001:db8::1:443", 0, ""},
		{"decimal address", "2130706433:443", 0, ""},
		{"octal address", "0177.0.0.1:443", 0, ""},
		{"hexadecimal address", "0x7f.1:443", 0, ""},
		{"short address", "127.1:443", 0, ""},
		{"address with a dot", "127.0.0.1.:443", 0, ""},
		{"leading zero", "a.example:0443", 0, ""},
		{"sign", "a.example:+443", 0, ""},
		{"minus", "a.example:-1", 0, ""},
		{"zero", "a.example:0", 0, ""},
		{"over", "a.example:65536", 0, ""},
		{"far over", "a.example:99999999999999", 0, ""},
		{"service", "a.example:https", 0, ""},
		{"missing", "a.example", 0, ""},
		{"empty", "a.example:", 0, ""},
		{"empty is not absent", "a.example:", 80, ""},
		{"empty behind brackets", "[::1]:", 80, ""},
		{"two ports", "a.example:443:443", 0, ""},
		{"no colon behind brackets", "[::1]443", 0, ""},
		{"full-width digits", "a.example:\uff14\uff14\uff13", 0, ""},
		{"no host", ":443", 0, ""},
		{"nothing", "", 0, ""},
		{"nothing with a default", "", 80, ""},
		{"path alone", "/x", 80, ""},
		{"NUL", "evil\x00.a.example:443", 0, ""},
		{"space", " a.example:443", 0, ""},
		{"space after the size", "a.example:443 ", 0, ""},
		{"comma", "a.example,evil.example:443", 0, ""},
	} {
		a, err := ParseAuthority(c.raw, c.def)
		switch {
		case c.want == "" && err == nil:
			t.Errorf("%s: %q is read as %v", c.attack, c.raw, a)
		case c.want != "" && (err != nil || a.String() != c.want):
			t.Errorf("%s: %q is read as %v, %v; want %s", c.attack, c.raw, a, err, c.want)
		case err != nil && (!a.Name.IsZero() || a.Addr.IsValid()):
			t.Errorf("%s: an error and a host: %v", c.attack, a)
		}
	}
	if _, err := ParseAuthority("[fe80::1%25lo]:443", 0); !errors.Is(err, ErrAddressZone) {
		t.Errorf("a zone is refused as %v", err)
	}
}

func TestParseHost(t *testing.T) {
	for raw, want := range map[string]string{
		"a.example": "a.example", "A.example.": "a.example", "192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::1",
		"::ffff:127.0.0.1": "127.0.0.1", "1.2.3.example": "1.2.3.example", "dead::beef": "dead::beef",
		"fe80::1%lo": "", "127.1": "", "1.2.3.4.": "", "[::1]": "", "a.example:443": "", "": "",
	} {
		a, err := ParseHost(raw)
		if err == nil && a.Host() != want || (err == nil) != (want != "") || a.Port != 0 {
			t.Errorf("ParseHost(%q) = %q, %v; want %q", raw, a.Host(), err, want)
		}
	}
}

// A parsed authority, written as text, parses to the same value. No text has two
// meanings.
func FuzzAuthority(f *testing.F) {
	for _, s := range []string{"a.example:443", "[::1]:443", "[fe80::1%25lo]:443", "192.0.2.1:80", "a.example", "u:p@a.example:1", "a.example:0443", "::ffff:127.0.0.1"} {
		f.Add(s, uint16(0))
		f.Add(s, uint16(80))
	}
	f.Fuzz(func(t *testing.T, raw string, def uint16) {
		a, err := ParseAuthority(raw, def)
		if err != nil {
			return
		}
		if a.Name.IsZero() == !a.Addr.IsValid() {
			t.Fatalf("%q: name %q and address %v", raw, a.Name, a.Addr)
		}
		if a.Port == 0 || a.Addr.Zone() != "" || a.Addr.Is4In6() || strings.ContainsAny(raw, "@%/?#\\ \x00") {
			t.Fatalf("%q is read as %+v", raw, a)
		}
		if again, err := ParseAuthority(a.String(), 0); err != nil || again != a {
			t.Fatalf("%q is %v, and that is %v, %v", raw, a, again, err)
		}
		if host, err := ParseHost(a.Host()); err != nil || host.Name != a.Name || host.Addr != a.Addr {
			t.Fatalf("%q: host %q reads as %v, %v", raw, a.Host(), host, err)
		}
		if a.Addr.IsValid() {
			if _, err := netip.ParseAddr(strings.Trim(strings.TrimSuffix(raw, raw[strings.LastIndexByte(raw, ':')+1:]), "[]:")); err != nil && !strings.HasPrefix(raw, "[") && strings.Contains(raw, ":") {
				t.Fatalf("%q became the address %v", raw, a.Addr)
			}
		}
	})
}
