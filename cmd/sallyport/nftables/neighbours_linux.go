// Neighbours: reads the kernel's neighbour table, see rtnetlink(7).

package nftables

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// neighbourTable returns the neighbours with a link-layer address in the table of
// a network namespace; 0: of the current one.
func neighbourTable(netns int) ([]Neighbour, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{NetNS: netns})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETNEIGH, Flags: netlink.Request | netlink.Dump},
		Data:   make([]byte, unix.SizeofNdMsg),
	})
	if err != nil {
		return nil, err
	}
	var out []Neighbour
	for _, m := range answers {
		if n, ok := neighbourOf(m.Data); ok {
			out = append(out, n)
		}
	}
	return out, nil
}

// neighbourOf decodes one entry: struct ndmsg, then attributes.
func neighbourOf(data []byte) (Neighbour, bool) {
	const state = 8 // offset of ndm_state: after family, padding and interface
	const known = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE | unix.NUD_PERMANENT
	if len(data) < unix.SizeofNdMsg || binary.NativeEndian.Uint16(data[state:])&known == 0 {
		return Neighbour{}, false
	}
	attrs, err := netlink.NewAttributeDecoder(data[unix.SizeofNdMsg:])
	if err != nil {
		return Neighbour{}, false
	}
	var n Neighbour
	for attrs.Next() {
		switch attrs.Type() {
		case unix.NDA_DST:
			if a, ok := netip.AddrFromSlice(attrs.Bytes()); ok && !a.IsMulticast() {
				n.Prefix = netip.PrefixFrom(a, a.BitLen())
			}
		case unix.NDA_LLADDR:
			n.MAC = net.HardwareAddr(attrs.Bytes())
		}
	}
	return n, attrs.Err() == nil && n.Prefix.IsValid() && len(n.MAC) == 6
}
