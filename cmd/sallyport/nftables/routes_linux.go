// Routes: asks the kernel whether the packets of TPROXY stay on this host, see
// rtnetlink(7).

package nftables

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sallyport/rules/site"
)

// MissingRoutes returns an error for each address family whose packets for TPROXY
// would not reach sallyport: the kernel drops them, and counts them nowhere. open has
// the listeners, and cfg the clients. A site that also has a listener for REDIRECT may
// not use TPROXY, so nothing is missing there.
func MissingRoutes(open site.Listen, cfg *site.Config) []error { return missingRoutes(open, cfg, 0) }

// missingRoutes asks in a network namespace; 0: in the current one.
func missingRoutes(open site.Listen, cfg *site.Config, netns int) (missing []error) {
	if len(open.TPROXY) == 0 || len(open.Transparent) > 0 {
		return nil
	}
	t := tproxyTargets(open.TPROXY)
	for _, f := range []struct{ name, target, to string }{{"IPv4", t.V4, "192.0.2.1"}, {"IPv6", t.V6, "2001:db8::1"}} {
		to := netip.MustParseAddr(f.to) // any address that this host does not have
		if f.target == "" || !hasClient(cfg, to.Is4()) {
			continue
		}
		switch stays, err := staysHere(to, netns); {
		case err != nil:
			missing = append(missing, fmt.Errorf("tproxy: cannot ask the kernel for the %s routes: %w", f.name, err))
		case !stays:
			missing = append(missing, fmt.Errorf("tproxy: no %s connection arrives, because the routes for TPROXY are missing: sallyport nft --routes --config %s | sh", f.name, cfg.File))
		}
	}
	return missing
}

// hasClient reports whether packets of a family can come from a client on another
// host.
func hasClient(cfg *site.Config, v4 bool) bool {
	for _, c := range cfg.Clients {
		if slices.ContainsFunc(c.Sources, func(p netip.Prefix) bool { return p.Addr().Is4() == v4 && !isLoopback(p) }) {
			return true
		}
	}
	return false
}

// LeadsHere reports whether a packet from this host to an address reaches this host, though perhaps no
// interface has the address: a route of type local, a broadcast address, or an anycast address. If the
// kernel does not answer, LeadsHere returns true: a service of our own must never be a destination.
func LeadsHere(to netip.Addr) bool { return leadsHere(to, 0) }

// leadsHere asks in a network namespace; 0: in the current one.
func leadsHere(to netip.Addr, netns int) bool {
	kind, err := routeType(to.Unmap().WithZone(""), 0, netns)
	return err != nil || kind == unix.RTN_LOCAL || kind == unix.RTN_BROADCAST || kind == unix.RTN_ANYCAST
}

// staysHere reports whether a marked packet to an address stays on this host.
func staysHere(to netip.Addr, netns int) (bool, error) {
	kind, err := routeType(to, divertedMark, netns)
	return kind == unix.RTN_LOCAL, err
}

// routeType returns the type of the route to an address (RTN_LOCAL, RTN_UNICAST, …), for packets with
// a mark; RTN_UNREACHABLE if there is none.
func routeType(to netip.Addr, mark uint32, netns int) (byte, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{NetNS: netns})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	attrs := netlink.NewAttributeEncoder()
	attrs.Bytes(unix.RTA_DST, to.AsSlice())
	attrs.Uint32(unix.RTA_MARK, mark)
	encoded, err := attrs.Encode()
	if err != nil {
		return 0, err
	}
	ask := make([]byte, unix.SizeofRtMsg)
	ask[0], ask[1] = unix.AF_INET6, byte(to.BitLen()) // the family, and the length of the address
	if to.Is4() {
		ask[0] = unix.AF_INET
	}
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request},
		Data:   append(ask, encoded...),
	})
	switch {
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.EACCES):
		return unix.RTN_UNREACHABLE, nil // there is no route to anywhere, or one that refuses
	case err != nil:
		return 0, err
	case len(answers) == 0 || len(answers[0].Data) < unix.SizeofRtMsg:
		return 0, errors.New("the answer is too short")
	}
	const typeAt = 7 // offset of rtm_type
	return answers[0].Data[typeAt], nil
}
