package rules

import (
	"net/netip"
	"testing"
)

func TestSourceOf(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.1":            "10.0.0.1",
		"127.0.0.1":           "127.0.0.0",
		"127.255.3.4":         "127.0.0.0",
		"128.0.0.1":           "128.0.0.1",
		"2001:db8:1:2:3:4::5": "2001:db8:1:2::",
		"fe80::1%eth0":        "fe80::",
		"::1":                 "::",
	} {
		if got := SourceOf(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
	if got := SourceOf(netip.Addr{}); got.IsValid() {
		t.Errorf("none: %s", got)
	}
}

// A client on the link is identified by its address alone, without the interface.
func TestClientAddr(t *testing.T) {
	for from, want := range map[string]string{
		"[fe80::1%eth0]:9": "[fe80::1]:9", "[::ffff:192.0.2.1]:9": "192.0.2.1:9", "[2001:db8::1]:9": "[2001:db8::1]:9",
	} {
		if got := ClientAddr(netip.MustParseAddrPort(from)).String(); got != want {
			t.Errorf("%s: %s, want %s", from, got, want)
		}
	}
}
