// Tests of known denials: which of them an entry covers.

package rules_test

import (
	"net/netip"
	"testing"
	"time"

	"sallyport/rules"
)

func TestKnownCovers(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	table := rules.CompileKnown([]*rules.Known{
		{Host: "*.msftconnecttest.com", Client: "es", Why: "glob"},
		{Host: "ocsp.example", Port: 80, Why: "port"},
		{Host: "watson.*.microsoft.com", Why: "middle"},
		{Host: "10.9.0.0/16", Why: "prefix"},
		{Host: "192.0.2.7", Reason: rules.IPLiteral, Why: "address"},
		{Host: "forged.example", Reason: rules.SNIMismatch, Why: "said so"},
		{Host: "plain.example", Why: "every reason"},
		{Host: "soon.example", Why: "ends", Expires: now.Add(time.Hour)},
		{Host: "over.example", Why: "over", Expires: now},
	}, now)
	for _, c := range []struct {
		client, host string
		port         uint16
		reason       rules.Reason
		want         string
	}{
		{"es", "www.msftconnecttest.com", 80, rules.NotListed, "glob"},
		{"es", "www.msftconnecttest.com", 0, rules.NotListed, "glob"}, // a look-up
		{"es", "a.b.msftconnecttest.com", 80, rules.NotListed, "glob"},
		{"es", "msftconnecttest.com", 80, rules.NotListed, ""},
		{"es", "evilmsftconnecttest.com", 80, rules.NotListed, ""},
		{"es", "www.msftconnecttest.com.evil.example", 80, rules.NotListed, ""},
		{"other", "www.msftconnecttest.com", 80, rules.NotListed, ""},
		{"", "www.msftconnecttest.com", 80, rules.UnknownClient, ""},
		{"es", "ocsp.example", 80, rules.NotListed, "port"},
		{"es", "ocsp.example", 443, rules.NotListed, ""},
		{"es", "ocsp.example", 0, rules.NotListed, ""},
		{"es", "watson.telemetry.microsoft.com", 443, rules.NotListed, "middle"},
		{"es", "watson.microsoft.com", 443, rules.NotListed, ""},
		{"", "10.9.1.2", 443, rules.UnknownClient, "prefix"},
		{"es", "10.10.1.2", 443, rules.IPLiteral, ""},
		{"es", "192.0.2.7", 443, rules.IPLiteral, "address"},
		{"es", "192.0.2.7", 443, rules.NotListed, ""},
		{"es", "forged.example", 443, rules.SNIMismatch, "said so"},
		{"es", "forged.example", 443, rules.NotListed, ""},
		{"es", "plain.example", 443, rules.FeatureOff, "every reason"},
		{"es", "plain.example", 443, rules.SNIMismatch, ""}, // a forged name is never known by accident
		{"es", "plain.example", 443, rules.PrivateAddress, ""},
		{"es", "plain.example", 443, rules.DNSBogus, ""},
		{"es", "soon.example", 443, rules.NotListed, "ends"},
		{"es", "over.example", 443, rules.NotListed, ""},
	} {
		addr, _ := netip.ParseAddr(c.host)
		got := ""
		if k := table.Of(c.client, c.host, addr, c.port, c.reason, now); k != nil {
			got = k.Text()
		}
		if got != c.want {
			t.Errorf("%s to %s:%d, %v: %q, want %q", c.client, c.host, c.port, c.reason, got, c.want)
		}
	}
	if table.Of("es", "soon.example", netip.Addr{}, 443, rules.NotListed, now.Add(time.Hour)) != nil {
		t.Error("an entry covers a denial after its end")
	}
	if !table.NextExpiry().Equal(now.Add(time.Hour)) {
		t.Errorf("the next expiry is %v", table.NextExpiry())
	}
	if rules.CompileKnown([]*rules.Known{{Host: "over.example", Expires: now}}, now) != nil {
		t.Error("a table of expired entries is not nil")
	}
}

// A denial that is known costs its way no memory.
func TestKnownAllocatesNothing(t *testing.T) {
	table := rules.CompileKnown([]*rules.Known{{Host: "*.msftconnecttest.com", Why: "w"}, {Host: "10.9.0.0/16", Why: "w"}}, time.Time{})
	addr := netip.MustParseAddr("10.9.1.1")
	if n := testing.AllocsPerRun(100, func() {
		if table.Of("es", "www.msftconnecttest.com", netip.Addr{}, 80, rules.NotListed, time.Time{}) == nil ||
			table.Of("es", "", addr, 80, rules.NotListed, time.Time{}) == nil {
			t.Error("not covered")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
