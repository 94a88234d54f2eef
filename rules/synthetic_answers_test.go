// Synthetic answers: which queries get them, and a search for addresses that stand for a wrong name.

package rules_test

import (
	"net/netip"
	"strings"
	"testing"

	. "sallyport/rules"
)

// Which queries are answered by a synthetic address.
func TestSyntheticAnswers(t *testing.T) {
	p := syntheticPolicy(t, syntheticConfig())
	for _, c := range []struct {
		client, name string
		want         bool
	}{
		{"10.0.0.1", "a.example", true},
		{"fd00::1", "a.example", true},
		{"10.0.0.2", "a.example", false},
		{"10.0.0.1", "x.wild.example", true},
		{"10.0.0.1", "listed.example", true},
		{"10.0.0.1", "any.example", true},
		{"10.0.0.1", "ntp.example", false},     // only datagrams: the packet filter must see real addresses
		{"10.0.0.1", "in.zone.example", false}, // the zone permits the look-up, not the connection
		{"10.0.0.1", "evil.example", false},
		{"10.0.0.3", "a.example", true},
		{"10.0.0.3", "evil.example", false}, // audit lets it through: nothing but its own address is known
		{"10.0.0.9", "a.example", false},
	} {
		a := Attempt{Via: ViaDNS, QType: 1, Client: netip.AddrPortFrom(netip.MustParseAddr(c.client), 1), Authority: MustName(c.name)}
		if got := p.Decide(a).Synthetic(); got != c.want {
			t.Errorf("%s for %s: %v, want %v", c.name, c.client, got, c.want)
		}
	}
	// With TPROXY, datagrams come to sallyport too.
	all := syntheticPolicy(t, strings.Replace(syntheticConfig(), "transparent =", "tproxy =", 1))
	for name, want := range map[string]bool{"a.example": true, "ntp.example": true, "in.zone.example": false} {
		a := Attempt{Via: ViaDNS, QType: 1, Client: netip.MustParseAddrPort("10.0.0.1:1"), Authority: MustName(name)}
		if got := all.Decide(a).Synthetic(); got != want {
			t.Errorf("with TPROXY, %s: %v, want %v", name, got, want)
		}
	}
	v4, _ := all.SyntheticAddrs(MustName("ntp.example"))
	to := netip.AddrPortFrom(v4, 123)
	a := Attempt{Via: ViaUDP, Proto: UDP, Client: netip.MustParseAddrPort("10.0.0.4:1"), Original: to, Authority: MustName("ntp.example"), Dest: netip.AddrPortFrom(netip.Addr{}, 123)}
	if d := all.Decide(a); !d.Allowed() {
		t.Errorf("a datagram to the name: %v", d.Why())
	}
	a.Authority, a.ByAddress, a.Dest, a.Pinned = Name{}, true, netip.MustParseAddrPort("93.184.0.7:123"), []Name{MustName("ntp.example")}
	a.Original = a.Dest
	if d := all.Decide(a); d.Allowed() || d.Why() != IPLiteral {
		t.Errorf("a datagram to the name's true address, by a pin: %v %v", d.Verdict, d.Why())
	}
	if (Decision{}).Synthetic() {
		t.Error("the zero Decision has a synthetic address")
	}
}

// FuzzSynthetic looks for a name whose address stands for another name, and for an address that
// stands for a name that does not have it.
func FuzzSynthetic(f *testing.F) {
	p := syntheticPolicy(f, syntheticConfig())
	for _, s := range []string{"a.example", "x.wild.example", "xn--bcher-kva.wild.example", "1.wild.example"} {
		f.Add(s, []byte{198, 18, 1, 2})
		f.Add(s, []byte{0xfd, 0x53, 0x12, 0x34, 0x56, 0x78, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8})
	}
	f.Fuzz(func(t *testing.T, text string, raw []byte) {
		name, err := ParseName(text)
		if err != nil {
			return
		}
		v4, v6 := p.SyntheticAddrs(name)
		for _, a := range []netip.Addr{v4, v6} {
			if owner, ok := p.SyntheticName(a); !p.IsSynthetic(a) || ok && owner != name {
				t.Fatalf("%v of %s stands for %v", a, name, owner)
			}
		}
		addr, ok := netip.AddrFromSlice(raw)
		if !ok {
			return
		}
		owner, listed := p.SyntheticName(addr)
		o4, o6 := p.SyntheticAddrs(owner)
		if listed != (addr == o4 || addr == o6) || listed && !p.IsSynthetic(addr) {
			t.Fatalf("%v stands for %v, which has %v and %v", addr, owner, o4, o6)
		}
		d := p.Decide(Attempt{Via: ViaTransparent, Proto: TCP, Client: netip.MustParseAddrPort("10.0.0.1:1"), ByAddress: true, Original: netip.AddrPortFrom(addr, 5432), Dest: netip.AddrPortFrom(addr, 5432), Shown: ShownOpaque})
		if p.IsSynthetic(addr) && (d.Allowed() || d.Why() != IPLiteral) {
			t.Fatalf("%v by itself: %v %v", addr, d.Verdict, d.Why())
		}
	})
}
