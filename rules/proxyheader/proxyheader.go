// Package proxyheader reads the header of the PROXY protocol, versions 1 and 2, with which a
// balancer names the client of a connection.
//
// The grammar is that of HAProxy's document "The PROXY protocol, versions 1 & 2", without any
// tolerance: what a receiver may reject is rejected.
package proxyheader

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// MaxSize bounds a whole header. A header of version 1 has at most 107 octets. A header of version
// 2 has 16 octets, the addresses, and values of the balancer's choice, which are skipped.
const MaxSize = 4096

// A Header is what a balancer says about one connection.
type Header struct {
	Kind   Kind
	Client netip.AddrPort // of Relayed: the source of the client's connection to the balancer, unmapped
	Dest   netip.AddrPort // of Relayed: where the client's connection was headed, unmapped
	Len    int            // octets of the header
}

// A Kind is what a header says about the client.
type Kind uint8

// The kinds.
const (
	Relayed   Kind = iota + 1 // the header names the client
	Local                     // the balancer speaks for itself: a health check
	Anonymous                 // there is a client, and the header does not name an address of it
)

// The errors of a header.
var (
	ErrNone    = errors.New("no PROXY header: the balancer must send one first (HAProxy: send-proxy or send-proxy-v2)")
	ErrTooLong = fmt.Errorf("PROXY header longer than %d octets", MaxSize)
	ErrVersion = errors.New("PROXY header of an unknown version, command or address family")
)

// Parse reads a header from the octets that came so far. need is how many octets the header has
// beyond b at the least; 0 means that the header is complete. An error is final.
func Parse(b []byte) (h Header, need int, err error) {
	switch {
	case len(b) == 0:
		return h, len(prefix1), nil
	case agree(b, signature):
		return parse2(b)
	case agree(b, prefix1):
		return parse1(b)
	}
	return Header{}, 0, ErrNone
}

// agree reports whether b and want have the same octets as far as both go.
func agree(b []byte, want string) bool {
	n := min(len(b), len(want))
	return string(b[:n]) == want[:n]
}

// Unexpected is the detail of a request that begins with a PROXY header although its source is no
// balancer.
const Unexpected = "begins with a PROXY header that is not expected: its source is not in [listen] proxy_protocol_from, or another header came before it"

// NoClient is the detail of a request behind a header that names no client.
const NoClient = "the PROXY header names no TCP address of the client"

// Begins reports whether octets that were read as another protocol begin with a PROXY header. The
// first two line ends of version 2 may be missing: HTTP ignores empty lines before a request.
func Begins(b []byte) bool {
	for _, want := range []string{prefix1 + "TCP", prefix1 + "UNKNOWN", signature, signature[len("\r\n\r\n"):]} {
		if len(b) >= len(want) && agree(b, want) {
			return true
		}
	}
	return false
}

// Read reads a header from a connection, and not one octet more. It returns io.EOF if the
// connection ended without any octet.
func Read(r io.Reader) (Header, error) {
	b := make([]byte, 0, 128)
	for need := len(prefix1); ; {
		n := len(b)
		b = append(b, make([]byte, need)...)
		got, err := io.ReadFull(r, b[n:])
		b = b[:n+got]
		h, more, bad := Parse(b)
		switch {
		case bad != nil && len(b) > 0:
			return h, bad
		case err == io.ErrUnexpectedEOF || err == io.EOF && n > 0:
			return h, io.ErrUnexpectedEOF
		case err != nil && len(b) > 0:
			return h, fmt.Errorf("%w after %d octets of a PROXY header", err, len(b))
		case err != nil:
			return h, err
		case more == 0:
			return h, nil
		}
		need = more
	}
}

// endpoint returns an address and a port, unless no host has that address.
func endpoint(a netip.Addr, port uint16) (netip.AddrPort, error) {
	a = a.Unmap()
	if a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return netip.AddrPort{}, fmt.Errorf("PROXY header with %v, which is the address of no host", a)
	}
	return netip.AddrPortFrom(a, port), nil
}
