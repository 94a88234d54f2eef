// Gate tests: a fault always denies, a preview gives the same answer, and a flow
// keeps the generation that it began with.

package rules_test

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	. "sallyport/rules"
)

// attempts draws random attempts from the clients and names of the test site, and
// from unknown clients and names, with and without faults.
func attempts(t *rapid.T) Attempt {
	names := []string{"www.product.example", "ssh.product.example", "evil.example", "a.b.c.example"}
	name := func(label string) Name {
		if rapid.Bool().Draw(t, "has "+label) {
			n, err := ParseName(rapid.SampledFrom(names).Draw(t, label))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		return Name{}
	}
	addr := func(label string) netip.Addr {
		return netip.MustParseAddr(rapid.SampledFrom([]string{mgr, "203.0.113.9", "8.8.8.8", "127.0.0.1", "10.1.2.3", "2001:db8::1"}).Draw(t, label))
	}
	port := func(label string) uint16 {
		return rapid.SampledFrom([]uint16{0, 22, 53, 80, 443, 3128}).Draw(t, label)
	}
	a := Attempt{
		Via:         Via(rapid.IntRange(0, int(ViaUDP)).Draw(t, "via")),
		Proto:       Proto(rapid.IntRange(0, 2).Draw(t, "proto")),
		Shown:       Shown(rapid.IntRange(0, 4).Draw(t, "shown")),
		Fault:       Reason(rapid.IntRange(0, int(Draining)).Draw(t, "fault")),
		ECH:         rapid.Bool().Draw(t, "ech"),
		Provisional: rapid.Bool().Draw(t, "provisional"), ByAddress: rapid.Bool().Draw(t, "by address"), HostIgnored: rapid.Bool().Draw(t, "host ignored"), Mismatch: rapid.Bool().Draw(t, "mismatch"),
		QType:  rapid.SampledFrom([]uint16{0, 1, 16, 28, 65}).Draw(t, "qtype"),
		Client: netip.AddrPortFrom(addr("client"), 1000), Authority: name("authority"), Host: name("host"), SNI: name("sni"),
	}
	if rapid.Bool().Draw(t, "has dest") {
		a.Dest = netip.AddrPortFrom(addr("dest"), port("dest port"))
	} else {
		a.Dest = netip.AddrPortFrom(netip.Addr{}, port("dest port"))
	}
	return a
}

// A fault always denies, even in mode "audit", and the preview gives the same
// answer. Half of the attempts would be permitted without their fault.
func TestAFaultAlwaysDenies(t *testing.T) {
	policies := map[string]*Policy{"enforce": compiled(t, fixture(t, "site.toml"), today), "audit": compiled(t, "mode = \"audit\"\n"+fixture(t, "site.toml"), today), "none": nil}
	permitted := 0
	rapid.Check(t, func(t *rapid.T) {
		a := attempts(t)
		if rapid.Bool().Draw(t, "documented") {
			fault := a.Fault
			a = try(mgr, "www.product.example:443").TLS("www.product.example")
			a.Fault = fault
		}
		for what, p := range policies {
			var gate Gate = p
			d := gate.Decide(a)
			if a.Fault != ReasonNone && (d.Allowed() || d.Why() == ReasonNone) {
				t.Fatalf("%s: %+v is %s", what, a, d.Text())
			}
			if gate.Preview(a) != d {
				t.Fatalf("%s: the preview of %+v differs", what, a)
			}
			a := a
			if a.Fault = ReasonNone; gate.Decide(a).Allowed() {
				permitted++
			}
		}
	})
	if permitted == 0 {
		t.Error("no attempt would have been permitted: the test shows nothing")
	}
}

// A flow is judged by the generation that it began with. A later flow, and a
// Recheck, are judged by the generation in force.
func TestAFlowKeepsItsGeneration(t *testing.T) {
	var live Live
	old := &Generation{Policy: compiled(t, fixture(t, "site.toml"), today)}
	live.Swap(old)
	a := try(mgr, "www.product.example:443")
	a.Generation = live.Load()
	live.Swap(&Generation{Policy: compiled(t, "", today)})
	if !live.Decide(a).Allowed() || !live.Preview(a).Allowed() {
		t.Error("a flow is judged by a generation that it did not begin with")
	}
	a.Generation = nil
	if d := live.Decide(a); d.Allowed() || d.Why() != UnknownClient {
		t.Errorf("what begins now: %v, %v", d.Verdict, d.Why())
	}
	a.Generation = live.Load()
	if live.Decide(a).Allowed() {
		t.Error("the generation in force permits")
	}
	a.Generation = &Generation{}
	if live.Decide(a).Allowed() {
		t.Error("a generation without a policy permits")
	}
}
