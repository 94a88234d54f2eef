// Tests of the addresses that lead back to sallyport itself.

package rules_test

import (
	"net/netip"
	"strings"
	"testing"

	"sallyport/rules"
	"sallyport/rules/site"
)

// A packet to a listener can arrive by addresses that no interface has, and a datagram at the socket of
// another client. None of them is a destination.
func TestOwnByEveryAddressThatArrivesHere(t *testing.T) {
	own := rules.Own{
		Listeners: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:1080"), netip.MustParseAddrPort("10.0.0.1:3128")},
		Local:     func(a netip.Addr) bool { return a == netip.MustParseAddr("203.0.113.1") },
		Routed:    func(a netip.Addr) bool { return netip.MustParsePrefix("198.51.100.0/24").Contains(a) },
		Datagrams: func(port uint16) bool { return port == 40000 },
	}
	for to, want := range map[string]bool{
		"203.0.113.1:1080":   true,
		"198.51.100.7:1080":  true, // a route of type local, or a broadcast address
		"224.0.0.1:1080":     true,
		"192.0.2.1:1080":     false,
		"198.51.100.7:3128":  false, // that listener has one address
		"203.0.113.1:40000":  true,
		"127.0.0.1:40000":    true,
		"198.51.100.7:40000": true,
		"192.0.2.1:40000":    false,
		"203.0.113.1:40001":  false,
	} {
		if got := own.Is(netip.MustParseAddrPort(to)); got != want {
			t.Errorf("%s: %t, want %t", to, got, want)
		}
	}
}

// A permitted name that resolves to a public address of this host reaches nothing there, because its
// owner would else choose a service of this host. A rule that lists the address permits it.
func TestNameOfThisHost(t *testing.T) {
	const config = `
[[client]]
name     = "m"
sources  = ["10.0.0.7"]
profiles = []

[[rule]]
id     = "name"
client = "m"
to     = ["www.example"]
tcp    = [443]
reason = "T"
`
	own := rules.Own{Local: func(a netip.Addr) bool { return a == netip.MustParseAddr("93.184.216.1") }}
	for also, want := range map[string]rules.Reason{"": rules.PrivateAddress, `, "93.184.216.1"`: rules.ReasonNone} {
		c, problems := site.Parse("test.toml", site.Disk{}, []byte(strings.Replace(config, `"www.example"`, `"www.example"`+also, 1)), nil)
		if c == nil {
			t.Fatal(problems)
		}
		p, _ := rules.Compile(&c.Spec, own, today)
		d := p.Decide(rules.Attempt{Via: rules.ViaConnect, Client: netip.MustParseAddrPort("10.0.0.7:1"), Proto: rules.TCP, Provisional: true,
			Authority: rules.MustName("www.example"), Dest: netip.AddrPortFrom(netip.Addr{}, 443)})
		if why := d.Reach(netip.MustParseAddrPort("93.184.216.1:443")); why != want || !d.Allowed() {
			t.Errorf("%q: %v, want %v (%v)", also, why, want, d.Why())
		}
		if why := d.Reach(netip.MustParseAddrPort("93.184.216.2:443")); why != rules.ReasonNone {
			t.Errorf("%q: another address: %v", also, why)
		}
	}
}
