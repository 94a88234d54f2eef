// The control messages in which the kernel reports where a datagram was headed.

package proxy

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// The control messages of the kernel, and texts that are none.
func TestOriginalOf(t *testing.T) {
	t.Parallel()
	v4, v6 := netip.MustParseAddrPort("192.0.2.1:123"), netip.MustParseAddrPort("[2001:db8::1]:65535")
	for _, c := range []struct {
		name    string
		control []byte
		want    netip.AddrPort
	}{
		{"IPv4", controlOf(v4), v4},
		{"IPv6", controlOf(v6), v6},
		{"after another message", append(message(unix.SOL_SOCKET, unix.SO_TIMESTAMP, make([]byte, 16)), controlOf(v4)...), v4},
		{"nothing", nil, netip.AddrPort{}},
		{"another message", message(unix.SOL_IP, unix.IP_PKTINFO, make([]byte, 16)), netip.AddrPort{}},
		{"too short", message(unix.SOL_IP, unix.IP_ORIGDSTADDR, []byte{2, 0, 0, 123}), netip.AddrPort{}},
		{"of another family", message(unix.SOL_IP, unix.IP_ORIGDSTADDR, make([]byte, 16)), netip.AddrPort{}},
		{"cut", controlOf(v4)[:20], netip.AddrPort{}},
	} {
		if got, err := originalOf(c.control); got != c.want || (err == nil) != c.want.IsValid() {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}

func FuzzOriginalOf(f *testing.F) {
	f.Add(controlOf(netip.MustParseAddrPort("192.0.2.1:123")))
	f.Add(controlOf(netip.MustParseAddrPort("[2001:db8::1]:53")))
	f.Fuzz(func(t *testing.T, control []byte) {
		control = append(make([]byte, 0, len(control)+8), control...) // aligned, as the kernel's is
		got, err := originalOf(control)
		if (err == nil) != got.IsValid() || got.Addr().Is4In6() || err == nil && len(control) < unix.CmsgLen(unix.SizeofSockaddrInet4) {
			t.Errorf("%v, %v", got, err)
		}
	})
}
