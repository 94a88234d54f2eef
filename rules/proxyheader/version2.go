// Version 2: a binary header.

package proxyheader

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

const (
	signature = "\r\n\r\n\x00\r\nQUIT\n"
	fixed     = len(signature) + 4 // the signature, version and command, family and protocol, length
)

// The values of the octets after the signature.
const (
	version2     = 2
	commandLocal = 0
	commandProxy = 1

	maxFamily, maxProtocol = 3, 2 // the last ones that are assigned
	overTCP4               = 0x11
	overTCP6               = 0x21
)

// parse2 reads a binary header.
func parse2(b []byte) (h Header, need int, err error) {
	if len(b) < fixed {
		return h, fixed - len(b), nil
	}
	command, kind := b[len(signature)], b[len(signature)+1]
	size := int(binary.BigEndian.Uint16(b[len(signature)+2:]))
	switch {
	case command>>4 != version2 || command&15 > commandProxy:
		return h, 0, ErrVersion
	case command&15 == commandProxy && (kind>>4 > maxFamily || kind&15 > maxProtocol):
		return h, 0, ErrVersion
	case fixed+size > MaxSize:
		return h, 0, ErrTooLong
	case len(b) < fixed+size:
		return h, fixed + size - len(b), nil
	}
	h.Len = fixed + size
	if command&15 == commandLocal { // its family and addresses have no meaning
		h.Kind = Local
		return h, 0, nil
	}
	err = h.addresses(kind, b[fixed:h.Len])
	return h, 0, err
}

// addresses reads both sides. The values after them are skipped.
func (h *Header) addresses(kind byte, b []byte) (err error) {
	size := 4
	switch kind {
	case overTCP4:
	case overTCP6:
		size = 16
	default: // unix sockets, datagrams, unspecified
		h.Kind = Anonymous
		return nil
	}
	if len(b) < 2*size+4 {
		return fmt.Errorf("PROXY header of version 2 with %d octets of addresses, not %d", len(b), 2*size+4)
	}
	client, _ := netip.AddrFromSlice(b[:size])
	dest, _ := netip.AddrFromSlice(b[size : 2*size])
	h.Kind = Relayed
	if h.Client, err = endpoint(client, binary.BigEndian.Uint16(b[2*size:])); err == nil {
		h.Dest, err = endpoint(dest, binary.BigEndian.Uint16(b[2*size+2:]))
	}
	return err
}
