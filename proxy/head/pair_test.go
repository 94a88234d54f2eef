// Helpers that the tests of this package share.

package head

import (
	"net"
	"testing"

	"sallyport/rules"
)

func name(t testing.TB, s string) rules.Name {
	t.Helper()
	n, err := rules.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// split cuts b into pieces of n bytes.
func split(b []byte, n int) (pieces [][]byte) {
	for len(b) > n {
		pieces, b = append(pieces, b[:n]), b[n:]
	}
	return append(pieces, b)
}

// tcpPair returns the two ends of a loopback connection.
func tcpPair(t testing.TB) (a, b *net.TCPConn) {
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
