// Package proxytest has what the tests of the front ends and of the packages below them
// share: connections, ClientHellos made by hand, names.
package proxytest

import (
	"net"
	"os"
	"strings"
	"testing"

	"sallyport/rules"
)

// TCPPair returns the two ends of a loopback connection.
func TCPPair(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ca, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cb, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ca.Close(); cb.Close() })
	return ca.(*net.TCPConn), cb.(*net.TCPConn)
}

// Descriptors counts this process's descriptors by kind.
func Descriptors(t testing.TB) map[string]int {
	t.Helper()
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("needs /proc")
	}
	n := make(map[string]int)
	for _, e := range dir {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			kind, _, _ := strings.Cut(to, ":")
			n[kind]++
		}
	}
	return n
}

// Name parses a name that is one.
func Name(t testing.TB, s string) rules.Name {
	t.Helper()
	n, err := rules.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
