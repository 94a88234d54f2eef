//go:build linux

// Packet tasks of the probe: packets that the probe builds itself, and ways around
// the packet filter.

package e2e

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// vsock opens a socket to the hypervisor, which no packet filter sees.
func (k task) vsock() (string, error) {
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	return "opened", unix.Close(fd)
}

// ping uses the sockets that Docker lets every user have.
func (k task) ping() (string, error) {
	dst := netip.MustParseAddrPort(k.To).Addr()
	family, proto, to := unix.AF_INET, unix.IPPROTO_ICMP, unix.Sockaddr(&unix.SockaddrInet4{Addr: [4]byte(dst.AsSlice()[:4])})
	if dst.Is6() {
		family, proto, to = unix.AF_INET6, unix.IPPROTO_ICMPV6, &unix.SockaddrInet6{Addr: dst.As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	_, message := echo(dst, dst, string(k.Payload))
	return "", unix.Sendto(fd, message, 0, to)
}

// own returns the container's own address of a family.
func own(v6 bool) (netip.Addr, error) {
	i, err := net.InterfaceByName("eth0")
	if err != nil {
		return netip.Addr{}, err
	}
	list, err := i.Addrs()
	for _, a := range list {
		if p, perr := netip.ParsePrefix(a.String()); perr == nil && p.Addr().Is6() == v6 && !p.Addr().IsLinkLocalUnicast() {
			return p.Addr(), nil
		}
	}
	return netip.Addr{}, errors.Join(err, errorf("no address"))
}

// build makes a whole packet of the task's protocol.
func (k task) build() (netip.Addr, []byte, error) {
	to := netip.MustParseAddrPort(k.To)
	src, err := own(to.Addr().Is6())
	if err != nil {
		return to.Addr(), nil, err
	}
	from, proto, payload := netip.AddrPortFrom(src, 40000), k.Proto, k.Payload
	switch proto {
	case protoUDP:
		payload = datagram(from, to, string(payload))
	case protoTCP:
		payload = segment(from, to, tcpSYN, string(payload))
	case protoICMP:
		proto, payload = echo(src, to.Addr(), string(payload))
	}
	return to.Addr(), ipPacket(src, to.Addr(), proto, 0, nil, payload), nil
}

func (k task) raw() (string, error) {
	dst, packet, err := k.build()
	if err != nil {
		return "", err
	}
	return "", sendRaw(dst, packet)
}

// frame sends below the packet filter, to the router's hardware address.
func (k task) frame() (string, error) {
	_, packet, err := k.build()
	if err != nil {
		return "", err
	}
	for _, wake := range []string{"8.8.8.8:9", "[2001:4860:4860::8888]:9"} {
		_, _ = task{To: wake, Payload: []byte("wake")}.packet(nil)
	}
	mac := net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	table, _ := os.ReadFile("/proc/net/arp")
	for _, row := range lines(string(table))[1:] {
		if m, err := net.ParseMAC(strings.Fields(row)[3]); err == nil {
			mac = m
		}
	}
	return "", sendFrame("eth0", mac, packet)
}

// unload deletes every rule of the namespace.
func (task) unload() (string, error) {
	c, err := nftables.New()
	if err != nil {
		return "", err
	}
	c.FlushRuleset()
	return "", c.Flush()
}

// namespace makes a network namespace of its own, as an unprivileged user could
// on many hosts.
func (task) namespace() (string, error) {
	out, err := exec.Command("unshare", "--user", "--net", "id").CombinedOutput()
	return string(out), err
}
