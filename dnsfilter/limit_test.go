package dnsfilter

import (
	"net/netip"
	"strconv"
	"testing"

	"sallyport/rules"
)

// TestOneRatePerHost holds that a host has one rate and one share, whatever
// addresses it uses.
func TestOneRatePerHost(t *testing.T) {
	for _, c := range []struct{ one, same, other string }{
		{"127.0.0.1", "127.9.8.7", "10.0.0.1"},
		{"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"},
	} {
		r, held, names := newRates(), newCounts(), newUniques()
		r.set(1)
		names.set(1)
		held.set(10, 1)
		for i, step := range []struct {
			addr string
			want bool
		}{{c.one, true}, {c.same, false}, {c.other, true}} {
			addr := netip.MustParseAddr(step.addr)
			if got := r.allow(addr, 0); got != step.want {
				t.Errorf("rate of %s: %t", addr, got)
			}
			name, err := rules.ParseName("x" + strconv.Itoa(i) + ".example")
			if got := names.admit(addr, name, 0); got != step.want || err != nil {
				t.Errorf("name of %s: %t, %v", addr, got, err)
			}
			if got := held.take(addr); got != step.want {
				t.Errorf("share of %s: %t", addr, got)
			}
		}
	}
}
