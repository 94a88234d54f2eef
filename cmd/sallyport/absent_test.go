package main

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestWarnOfAbsent(t *testing.T) {
	var out bytes.Buffer
	var listeners []boundListener
	for _, a := range []string{"[::]:3129", "0.0.0.0:3128", "127.0.0.2:53", "10.0.0.1:3128", "[fe80::1%eth0]:3128", "10.0.0.2:1080"} {
		listeners = append(listeners, boundListener{"http", net.TCPAddrFromAddrPort(netip.MustParseAddrPort(a))})
	}
	listeners = append(listeners, boundListener{"admin", &net.UnixAddr{Name: "admin.sock"}})
	here := map[netip.Addr]bool{netip.MustParseAddr("10.0.0.1"): true, netip.MustParseAddr("fe80::1"): true}
	warnOfAbsent(slog.New(slog.NewTextHandler(&out, nil)), listeners, func(a netip.Addr) bool { return here[a] })
	if got := out.String(); strings.Count(got, "level=WARN") != 1 || !strings.Contains(got, "address=10.0.0.2:1080") || !strings.Contains(got, "correct [listen] http") {
		t.Errorf("%s", got)
	}
}

// Whose addresses cannot be listed is taken to have each of them.
func TestLocalIn(t *testing.T) {
	mine := func() ([]net.Addr, error) {
		return []net.Addr{&net.IPNet{IP: net.ParseIP("192.0.2.1")}, &net.IPNet{IP: net.ParseIP("2001:db8::1")}}, nil
	}
	nobody := func() ([]net.Addr, error) { return nil, errors.New("too many open files") }
	for addr, want := range map[string]bool{"192.0.2.1": true, "2001:db8::1": true, "192.0.2.2": false} {
		if a := netip.MustParseAddr(addr); localIn(mine, a) != want || !localIn(nobody, a) {
			t.Errorf("%s: %t, and where nobody can say %t", addr, localIn(mine, a), localIn(nobody, a))
		}
	}
}
