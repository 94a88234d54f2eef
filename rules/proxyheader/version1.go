// Version 1: one line of text.

package proxyheader

import (
	"bytes"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

const (
	prefix1  = "PROXY "
	maxLine  = 107 // with its CRLF
	shortest = len("PROXY UNKNOWN\r\n")
)

// The errors of a line.
var (
	errLine = errors.New(`PROXY header of version 1 that is not "PROXY TCP4 source destination port port", or TCP6, with single spaces and one CRLF`)
	errLong = errors.New("PROXY header of version 1 without a line end in its first 107 octets")
)

// parse1 reads a line.
func parse1(b []byte) (h Header, need int, err error) {
	line := b[:min(len(b), maxLine)]
	end := bytes.IndexFunc(line, func(r rune) bool { return r < ' ' || r > '~' })
	switch {
	case end < 0 && len(line) == maxLine:
		return h, 0, errLong
	case end < 0 && !unfinished(string(line)):
		return h, 0, errLine
	case end < 0:
		return h, max(shortest-len(line), len("\r\n")), nil
	case line[end] != '\r' || end+1 < len(line) && line[end+1] != '\n' || end+1 == maxLine:
		return h, 0, errLine
	case end+1 == len(line):
		return h, 1, nil
	}
	h, err = fields(string(line[:end]))
	h.Len = end + len("\r\n")
	return h, 0, err
}

// unfinished reports whether a line without its end can still become a header.
func unfinished(line string) bool {
	family := strings.TrimPrefix(line, prefix1)
	if len(line) <= len(prefix1) {
		return true
	}
	for _, known := range []string{"TCP4 ", "TCP6 ", "UNKNOWN"} {
		if agree([]byte(family), known) {
			return true
		}
	}
	return false
}

// fields reads a line without its end.
func fields(line string) (h Header, err error) {
	f := strings.Split(line, " ")
	if len(f) > 1 && f[1] == "UNKNOWN" {
		return Header{Kind: Anonymous}, nil // whatever follows has no meaning
	}
	if len(f) != 6 || f[1] != "TCP4" && f[1] != "TCP6" {
		return h, errLine
	}
	h.Kind = Relayed
	if h.Client, err = side(f[1], f[2], f[4]); err != nil {
		return h, err
	}
	h.Dest, err = side(f[1], f[3], f[5])
	return h, err
}

// side reads the address and the port of one side. The address must be of the family.
func side(family, addr, port string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(addr)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || a.Zone() != "" || a.Is4() != (family == "TCP4") || strconv.FormatUint(n, 10) != port {
		return netip.AddrPort{}, errLine
	}
	return endpoint(a, uint16(n))
}
