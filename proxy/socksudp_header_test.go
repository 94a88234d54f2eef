// SOCKS5 datagram header tests.

package proxy

import (
	"net/netip"
	"testing"

	"sallyport/rules"
)

// FuzzSOCKS5Datagram checks the grammar of the header.
func FuzzSOCKS5Datagram(f *testing.F) {
	for _, s := range []string{"", header("a.example", 123) + "x", header("8.8.8.8", 53), header("2001:db8::1", 1), header("::ffff:8.8.8.8", 1), header("", 1),
		"\x00\x00\x00\x03\xff", "\x00\x00\x01\x01\x08\x08\x08\x08\x00\x35", "\x00\x01\x00\x01", header("x\x00.a.example", 1), header("a.example", 0)} {
		f.Add([]byte(s))
	}
	var kept socksHeader
	f.Fuzz(func(t *testing.T, b []byte) {
		to, n, fault := new(socksHeader).parse(b)
		if again, m, f := kept.parse(b); again != to || m != n || (f == nil) != (fault == nil) {
			t.Fatalf("%x: read as %v (%d), and with known names as %v (%d)", b, to, n, again, m)
		}
		if fault != nil {
			if fault.reason == rules.ReasonNone || fault.detail == "" {
				t.Fatalf("fault without a reason: %+v", fault)
			}
			return
		}
		if n > len(b) || n < 10 && b[3] != 3 || b[0] != 0 || b[1] != 0 || b[2] != 0 || to.Port == 0 || to.Addr.Is4In6() || to.Addr.Zone() != "" ||
			to.Name.IsZero() == !to.Addr.IsValid() {
			t.Fatalf("%x: %v, %d", b, to, n)
		}
		if to.Addr.IsValid() && b[3] != 3 { // the header of a reply is the header of the request
			addr := netip.AddrPortFrom(to.Addr, to.Port)
			if got := appendSOCKSHeader(nil, addr); string(got) != string(b[:n]) && !(b[3] == 4 && to.Addr.Is4()) {
				t.Fatalf("%x is written as %x", b[:n], got)
			}
		}
	})
}
