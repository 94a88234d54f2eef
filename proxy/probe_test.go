// Probe tests: one address at a time, by the same grant; and ICMP errors from a socket's error
// queue.

package proxy

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sallyport/rules"
)

// A probe goes only where the decision reaches, whatever addresses the name has.
func TestDialOne(t *testing.T) {
	w := newWorld(t, nil)
	w.origin("8.8.8.8:443", func(*net.TCPConn, io.Reader) {})
	name, err := rules.ParseName("mixed.example")
	if err != nil {
		t.Fatal(err)
	}
	a := rules.Attempt{Via: rules.ViaConnect, Client: netip.MustParseAddrPort("127.0.0.1:0"), Proto: rules.TCP, Authority: name,
		Dest: netip.AddrPortFrom(netip.Addr{}, 443), Provisional: true}
	d := w.live.Decide(a)
	found, a, err := w.p.Resolve(t.Context(), a)
	if want := addrs("10.1.2.3", "8.8.8.8"); err != nil || !slices.Equal(found, want) || !slices.Equal(a.Resolved, want) {
		t.Fatalf("resolved %v, %v", found, err)
	}
	if _, _, err := w.p.DialOne(t.Context(), d, a, found[0]); Fault(err) != rules.EndClean || err == nil {
		t.Errorf("10.1.2.3: %v", err)
	}
	if _, _, err := w.p.DialOne(t.Context(), rules.Decision{}, a, found[1]); Fault(err) != rules.EndClean || err == nil {
		t.Errorf("without a grant: %v", err)
	}
	if len(w.dials) != 0 {
		t.Fatalf("dialed %v", w.dials)
	}
	conn, a, err := w.p.DialOne(t.Context(), d, a, found[1])
	if err != nil || a.Dest != netip.MustParseAddrPort("8.8.8.8:443") {
		t.Fatalf("8.8.8.8: %v, %v", a.Dest, err)
	}
	conn.Close()
	if _, _, err := w.p.Resolve(t.Context(), rules.Attempt{Client: a.Client, Authority: mustParse(t, "missing.example")}); Fault(err) != rules.DialUnresolved {
		t.Errorf("a name that is not there: %v", err)
	}
}

func mustParse(t *testing.T, s string) rules.Name {
	t.Helper()
	n, err := rules.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// openFiles counts this process's descriptors.
func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// If a socket is connected to itself, or finds no free port, package net tries once more with
// another socket: no descriptor of either socket is left.
func TestProbingAgain(t *testing.T) {
	inNetns(t, func() {
		feed(t, "link set lo up\n", "ip", "-batch", "-")
		feed(t, "40000 40000", "tee", "/proc/sys/net/ipv4/ip_local_port_range")
		before := openFiles(t)
		if conn, err := Probing(context.Background(), netip.MustParseAddrPort("127.0.0.1:40000")); err == nil {
			conn.Close()
		}
		if now := openFiles(t); now > before {
			t.Errorf("%d descriptors more than before", now-before)
		}
	})
}

// A refusal by the host itself comes without ICMP, and leaves no descriptor.
func TestProbingRefused(t *testing.T) {
	ctx := context.Background()
	l, err := Listen(ctx, "tcp", netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	addr := unmapped(l.Addr())
	if conn, err := Probing(ctx, addr); err != nil {
		t.Errorf("to a listener: %v", err)
	} else {
		conn.Close()
	}
	l.Close()
	before := openFiles(t)
	_, err = Probing(ctx, addr)
	if now := openFiles(t); now > before {
		t.Errorf("%d descriptors more than before", now-before)
	}
	var e *ConnectError
	if !errors.As(err, &e) || !errors.Is(err, syscall.ECONNREFUSED) || e.ICMP != "" || e.Deny || Fault(classify(err)) != rules.DialRefused {
		t.Errorf("refused: %#v", err)
	}
}

func TestParseExtendedError(t *testing.T) {
	message := func(origin, kind, code byte, family uint16, addr string) []byte {
		b := make([]byte, 16+28)
		b[4], b[5], b[6] = origin, kind, code
		binary.NativeEndian.PutUint16(b[16:], family)
		at := 20
		if family == unix.AF_INET6 {
			at = 24
		}
		copy(b[at:], netip.MustParseAddr(addr).AsSlice())
		return b
	}
	for _, c := range []struct {
		b    []byte
		by   string
		text string
		deny bool
	}{
		{message(unix.SO_EE_ORIGIN_ICMP, 3, 13, unix.AF_INET, "192.0.2.1"), "192.0.2.1", "administratively prohibited", true},
		{message(unix.SO_EE_ORIGIN_ICMP, 3, 1, unix.AF_INET, "192.0.2.1"), "192.0.2.1", "host unreachable", false},
		{message(unix.SO_EE_ORIGIN_ICMP, 11, 0, unix.AF_INET, "192.0.2.1"), "192.0.2.1", "time exceeded in transit: packets run in a circle", false},
		{message(unix.SO_EE_ORIGIN_ICMP, 3, 77, unix.AF_INET, "192.0.2.1"), "192.0.2.1", "type 3, code 77", false},
		{message(unix.SO_EE_ORIGIN_ICMP6, 1, 1, unix.AF_INET6, "2001:db8::1"), "2001:db8::1", "administratively prohibited", true},
		{message(unix.SO_EE_ORIGIN_ICMP6, 1, 0, unix.AF_INET6, "2001:db8::1"), "2001:db8::1", "no route to destination", false},
		// RFC 792 and RFC 1812: codes of "destination unreachable"; a filter sends those that deny.
		{message(unix.SO_EE_ORIGIN_ICMP, 3, 0, unix.AF_INET, "192.0.2.1"), "192.0.2.1", "network unreachable", false},
		{message(unix.SO_EE_ORIGIN_ICMP, 3, 2, unix.AF_INET, "192.0.2.1"), "192.0.2.1", "protocol unreachable", true},
		{message(unix.SO_EE_ORIGIN_ICMP, 3, 3, unix.AF_INET, "192.0.2.1"), "192.0.2.1", "port unreachable", true},
		{message(unix.SO_EE_ORIGIN_ICMP, 3, 9, unix.AF_INET, "192.0.2.1"), "192.0.2.1", "network administratively prohibited", true},
		{message(unix.SO_EE_ORIGIN_ICMP, 3, 10, unix.AF_INET, "192.0.2.1"), "192.0.2.1", "host administratively prohibited", true},
		// RFC 4443.
		{message(unix.SO_EE_ORIGIN_ICMP6, 1, 3, unix.AF_INET6, "2001:db8::1"), "2001:db8::1", "address unreachable", false},
		{message(unix.SO_EE_ORIGIN_ICMP6, 1, 4, unix.AF_INET6, "2001:db8::1"), "2001:db8::1", "port unreachable", true},
		{message(unix.SO_EE_ORIGIN_ICMP6, 1, 5, unix.AF_INET6, "2001:db8::1"), "2001:db8::1", "source address failed a filter", true},
		{message(unix.SO_EE_ORIGIN_ICMP6, 1, 6, unix.AF_INET6, "2001:db8::1"), "2001:db8::1", "the route rejects it", true},
		{message(unix.SO_EE_ORIGIN_ICMP6, 3, 0, unix.AF_INET6, "2001:db8::1"), "2001:db8::1", "time exceeded in transit: packets run in a circle", false},
		{message(unix.SO_EE_ORIGIN_ICMP6, 4, 2, unix.AF_INET6, "2001:db8::1"), "2001:db8::1", "type 4, code 2", false},
		{message(unix.SO_EE_ORIGIN_LOCAL, 3, 13, unix.AF_INET, "192.0.2.1"), "invalid IP", "", false},
		{message(unix.SO_EE_ORIGIN_ICMP, 3, 13, unix.AF_INET, "192.0.2.1")[:20], "invalid IP", "", false},
		{nil, "invalid IP", "", false},
	} {
		var e ConnectError
		e.parse(c.b)
		if e.By.String() != c.by || e.ICMP != c.text || e.Deny != c.deny {
			t.Errorf("%v: %v %q %t, want %s %q %t", c.b, e.By, e.ICMP, e.Deny, c.by, c.text, c.deny)
		}
	}
}

// The error of a connection says what the network reported, and who.
func TestConnectErrorHasTheICMPError(t *testing.T) {
	e := ConnectError{Err: syscall.EHOSTUNREACH}
	if got := e.Error(); got != "no route to host" || !errors.Is(&e, syscall.EHOSTUNREACH) {
		t.Errorf("%q", got)
	}
	e.By, e.ICMP = netip.MustParseAddr("192.0.2.1"), "administratively prohibited"
	if got := e.Error(); got != "no route to host (ICMP from 192.0.2.1: administratively prohibited)" {
		t.Errorf("%q", got)
	}
}
