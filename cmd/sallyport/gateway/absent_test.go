package gateway

import (
	"bytes"
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
