// Ports: how they are read, joined, listed and held against each other.

package rules

import (
	"math/rand/v2"
	"testing"
)

func TestParsePort(t *testing.T) {
	for s, want := range map[string]uint16{
		"1": 1, "80": 80, "443": 443, "65535": 65535,
		"": 0, "0": 0, "00": 0, "0443": 0, "+443": 0, "-1": 0, " 443": 0, "443 ": 0, "65536": 0, "99999": 0, "100000": 0, "https": 0, "4_4": 0, "0x50": 0, "44\x00": 0,
	} {
		if got, err := ParsePort(s); got != want || (err == nil) != (want != 0) {
			t.Errorf("ParsePort(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
}

func TestParsePortRange(t *testing.T) {
	for s, want := range map[string]PortRange{
		"443": {443, 443}, "8000-8010": {8000, 8010}, "1-65535": {1, 65535}, "5-5": {5, 5},
		"8010-8000": {}, "0-5": {}, "5-": {}, "-5": {}, "1-2-3": {}, "a-b": {}, "": {}, "1-65536": {},
	} {
		if got, err := ParsePortRange(s); got != want || (err == nil) != (want != PortRange{}) {
			t.Errorf("ParsePortRange(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
}

func TestPortsText(t *testing.T) {
	for want, in := range map[string][]PortRange{
		"80, 443, 8000-8010": {{8000, 8010}, {443, 443}, {80, 80}},
		"80-82":              {{80, 80}, {82, 82}, {81, 81}},
		"80-90":              {{80, 90}, {85, 86}},
		"all":                {{1, 65535}},
		"65535":              {{65535, 65535}, {65535, 65535}},
		"":                   nil,
	} {
		if got := NewPorts(in).String(); got != want {
			t.Errorf("%v is listed as %q, want %q", in, got, want)
		}
	}
	if !AllPorts().Has(1) || !AllPorts().Has(65535) || AllPorts().Has(0) || Ports(nil).Has(80) {
		t.Error("all is not all, or nothing is something")
	}
}

// Ports against a plain set, on random ranges.
func TestPortsAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	random := func() (Ports, map[uint16]bool) {
		var ranges []PortRange
		set := map[uint16]bool{}
		for range r.IntN(5) {
			a := uint16(1 + r.IntN(40))
			b := a + uint16(r.IntN(5))
			ranges = append(ranges, PortRange{a, b})
			for p := a; p <= b; p++ {
				set[p] = true
			}
		}
		return NewPorts(ranges), set
	}
	for range 5000 {
		p, ps := random()
		q, qs := random()
		all := true
		for port := range uint16(50) {
			if p.Has(port) != ps[port] {
				t.Fatalf("%v has %d: %v", p, port, p.Has(port))
			}
			all = all && (!qs[port] || ps[port])
		}
		if p.covers(q) != all {
			t.Fatalf("%v covers %v: %v", p, q, !all)
		}
	}
}
