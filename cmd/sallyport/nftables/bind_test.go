//go:build linux

// Tests of bindings: a client is bound to its interface and its link-layer address,
// so that no datagram of a neighbour with a forged source passes.

package nftables

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A forgingScene is a gateway, a client and a neighbour on one Ethernet, and a
// second neighbour on another interface. Both neighbours have the client's
// addresses as well.
type forgingScene struct {
	client, gw, near, far *namespace
	macs                  map[*namespace]string
	filtered              bool // the ruleset is loaded
}

func newForgingScene(t *testing.T) *forgingScene {
	s := &forgingScene{newNamespace(t), newNamespace(t), newNamespace(t), newNamespace(t), map[*namespace]string{}, false}
	s.gw.must("ip", "link", "add", "lan", "type", "bridge")
	s.gw.must("ip", "link", "set", "lan", "up")
	for _, a := range []string{"10.77.0.1/24", "fd77::1/64"} {
		s.gw.must("ip", "addr", "add", a, "dev", "lan", "nodad")
	}
	s.gw.cable(s.client, "port1", "eth0", nil, []string{"10.77.0.10/24", "fd77::10/64"})
	s.gw.cable(s.near, "port2", "eth0", nil, []string{"10.77.0.66/24", "fd77::66/64"})
	s.gw.cable(s.far, "dmz", "eth0", []string{"10.88.0.1/24", "fd88::1/64"}, []string{"10.88.0.66/24", "fd88::66/64"})
	for _, port := range []string{"port1", "port2"} {
		s.gw.must("ip", "link", "set", port, "master", "lan")
	}
	for _, n := range []*namespace{s.near, s.far} {
		n.sysctl("ipv4/conf/all/arp_ignore", "1") // it does not answer ARP for the address that it forges
		n.must("ip", "addr", "add", "10.77.0.10/32", "dev", "lo")
		n.must("ip", "-6", "addr", "add", "fd77::10/128", "dev", "lo", "nodad")
	}
	s.far.must("ip", "route", "add", "10.77.0.1", "via", "10.88.0.1")
	s.far.must("ip", "-6", "route", "add", "fd77::1", "via", "fd88::1")
	for _, n := range []*namespace{s.client, s.near} {
		if err := n.as(0, func() error {
			i, err := net.InterfaceByName("eth0")
			if err == nil {
				s.macs[n] = i.HardwareAddr.String()
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	s.gw.sysctl("ipv4/conf/all/rp_filter", "0")
	s.gw.sysctl("ipv4/conf/dmz/rp_filter", "0")
	s.gw.sysctl("ipv4/conf/lan/rp_filter", "0")
	s.gw.serve("udp", ":5300", "filter")
	s.gw.must("nft", "add table inet seen; add counter inet seen asked; add chain inet seen c { type filter hook input priority 300; }; add rule inet seen c udp dport 5300 counter name asked")
	return s
}

// asked sends queries from the client's addresses and counts the queries that
// reach the DNS filter.
func (s *forgingScene) asked(n *namespace) int {
	s.gw.must("nft", "reset", "counters", "table", "inet", "seen")
	if s.filtered {
		s.gw.must("nft", "reset", "counters", "table", "inet", "sallyport")
	}
	for _, q := range []struct{ from, to string }{{"10.77.0.10", "10.77.0.1:5300"}, {"fd77::10", "[fd77::1]:5300"}} {
		c, err := n.dial(0, "udp", q.from, q.to, patient)
		if err != nil {
			s.gw.t.Fatal(err)
		}
		_, _ = c.Write([]byte("?"))
		c.Close()
	}
	for end := time.Now().Add(patient); ; {
		arrived := s.gw.counters("inet", "seen")["asked"]
		dropped := 0
		if s.filtered {
			dropped = s.gw.counters("inet", "sallyport")["drop_spoofed"]
		}
		if arrived+dropped >= 2 || time.Now().After(end) {
			return arrived
		}
	}
}

func TestNeighbourCannotForgeAClient(t *testing.T) {
	needsRootAndNft(t)
	s := newForgingScene(t)
	if client, near, far := s.asked(s.client), s.asked(s.near), s.asked(s.far); client != 2 || near != 2 || far != 2 {
		t.Fatalf("without a filter %d, %d and %d of 2 queries arrived", client, near, far)
	}
	bind := func(addr string, n *namespace) []string { return []string{"--neighbour", addr + "=" + s.macs[n]} }
	for _, c := range []struct {
		name              string
		args              []string
		client, near, far int
	}{
		{"by interface alone, as by default", nil, 2, 2, 0},
		{"by link-layer address", append(bind("10.77.0.10", s.client), bind("fd77::10", s.client)...), 2, 0, 0},
		{"of IPv4 alone", bind("10.77.0.10", s.client), 2, 1, 0},
		{"of two adapters", append(append(bind("10.77.0.10", s.client), bind("10.77.0.10", s.near)...), bind("fd77::/64", s.client)...), 2, 1, 0},
		{"of another", append(bind("10.77.0.0/24", s.near), bind("fd77::10", s.near)...), 0, 2, 0},
		{"by its interface", []string{"--interface", "10.77.0.10=lan", "--interface", "fd77::10=lan"}, 2, 2, 0},
		{"by another interface", []string{"--interface", "10.77.0.10=dmz", "--interface", "fd77::10=dmz"}, 0, 0, 0},
	} {
		s.gw.must("nft", "-f", ruleset(t, c.args...))
		s.filtered = true
		if client, near, far := s.asked(s.client), s.asked(s.near), s.asked(s.far); client != c.client || near != c.near || far != c.far {
			t.Errorf("%s: %d queries of the client, %d and %d forged ones arrived, want %d, %d and %d", c.name, client, near, far, c.client, c.near, c.far)
		}
	}
}

// Packets from a tunnel have no link-layer address, so the filter drops the packets of a bound
// client.
func TestNeighbourWithoutEthernet(t *testing.T) {
	needsRootAndNft(t)
	s := newForgingScene(t)
	tun := s.gw.tunnel("tun1")
	s.gw.must("ip", "link", "set", "tun1", "up")
	s.gw.must("ip", "route", "add", "10.77.0.10", "dev", "tun1")
	ask := func() int {
		s.gw.must("nft", "reset", "counters", "table", "inet", "seen")
		if _, err := tun.Write(datagram("10.77.0.10", "10.77.0.1", 5300)); err != nil {
			t.Fatal(err)
		}
		return s.gw.counters("inet", "seen")["asked"]
	}
	s.gw.must("nft", "-f", ruleset(t))
	if n := ask(); n != 1 {
		t.Fatalf("without a binding %d queries arrived, want 1", n)
	}
	s.gw.must("nft", "-f", ruleset(t, "--neighbour", "10.77.0.10="+s.macs[s.client]))
	if n := ask(); n != 0 || s.gw.counters("inet", "sallyport")["drop_spoofed"] != 1 {
		t.Errorf("packets of a bound address passed from an interface without link-layer addresses: %d", n)
	}
}

// tunnel opens a tunnel device. The test writes and reads its packets.
func (n *namespace) tunnel(name string) *os.File {
	n.t.Helper()
	var f *os.File
	if err := n.as(0, func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR, 0)
		if err != nil {
			return err
		}
		f = os.NewFile(uintptr(fd), name)
		request, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		return unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { f.Close() })
	return f
}

// datagram returns an IPv4 packet with one octet of UDP payload and no UDP checksum
// (0, see RFC 768).
func datagram(from, to string, port uint16) []byte {
	p := []byte{0x45, 0, 0, 29, 0, 0, 0, 0, 64, unix.IPPROTO_UDP, 0, 0}
	p = append(p, netip.MustParseAddr(from).AsSlice()...)
	p = append(p, netip.MustParseAddr(to).AsSlice()...)
	sum := uint32(0)
	for i := 0; i < len(p); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(p[10:], ^uint16(sum))
	p = binary.BigEndian.AppendUint16(p, 4000)
	p = binary.BigEndian.AppendUint16(p, port)
	return append(p, 0, 9, 0, 0, '?')
}

// The neighbour table gives the bindings; the flags add the bindings that the
// table lacks.
func TestNeighbourTable(t *testing.T) {
	needsRootAndNft(t)
	s := newForgingScene(t)
	s.client.expect(0, "udp - 10.77.0.1:5300 filter") // fills the neighbour tables
	known, err := neighbourTable(int(s.gw.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	found := ""
	for _, n := range known {
		found += fmt.Sprintf("%v=%v ", n.Prefix, n.MAC)
	}
	if !strings.Contains(found, "10.77.0.10/32="+s.macs[s.client]) {
		t.Fatalf("the table has %s", found)
	}
	p := &Plan{}
	cfg := siteConfig(t, "test", filterSite)
	o := Options{NeighbourTable: true}
	if err := o.Bind([]string{"10.77.0.12=52:54:00:00:00:12"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.bind(cfg, o, known); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.Neighbours4, ", "); !strings.Contains(got, "10.77.0.10 . "+s.macs[s.client]) || !strings.Contains(got, "10.77.0.12 . 52:54:00:00:00:12") {
		t.Errorf("bound: %s", got)
	}
	if w := strings.Join(p.Warnings, "\n"); !strings.Contains(w, "fd77::10, so these addresses are bound to no link-layer address") {
		t.Errorf("warnings: %s", w)
	}
}
