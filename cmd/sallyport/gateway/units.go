// Units: writes the addresses of [listen] for the socket units of systemd, so that
// they are listed in one place only.

package gateway

import (
	"net/netip"
	"os"
	"path/filepath"
	"sallyport/cmd/sallyport/terminal"
	"sallyport/rules/site"
	"strings"
)

// A DropIn is a drop-in file of a unit. Path is relative to a directory of units.
type DropIn struct{ Path, Text string }

// Write writes the file below a directory of units.
func (d DropIn) Write(dir string) error {
	path := filepath.Join(dir, d.Path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(d.Text), 0o644)
}

// SocketDropIns returns the drop-ins for the two socket units and the service. The
// service depends only on the units that have a socket, because systemd does not
// load a socket unit without one. A configuration with datagram sockets always has
// stream sockets. So PartOf=sallyport.socket stops and restarts all units in one
// transaction: a client cannot start the service in the middle of it. For TPROXY the
// service gets a capability and opens the sockets itself.
func SocketDropIns(config string, l site.Listen) []DropIn {
	var streams, datagrams, units []string
	all := l.Streams()
	for _, list := range [][]netip.AddrPort{l.HTTP, l.HTTPS, l.SOCKS5, l.Transparent, l.DNS} {
		streams = append(streams, listenLines("ListenStream", unspanned(list, all), all)...)
	}
	datagrams = listenLines("ListenDatagram", l.DNS, l.DNS)

	var out []DropIn
	head := "# By sallyport sockets, from [listen] in " + terminal.Printable(config) + "\n"
	for _, u := range []struct {
		name  string
		lines []string
	}{{"sallyport.socket", streams}, {"sallyport-dns.socket", datagrams}} {
		if len(u.lines) > 0 {
			units = append(units, u.name)
			out = append(out, DropIn{u.name + ".d/50-listen.conf", head + "[Socket]\n" + strings.Join(u.lines, "\n") + "\n"})
		}
	}
	if len(units) > 0 {
		list := strings.Join(units, " ")
		out = append(out, DropIn{"sallyport.service.d/50-sockets.conf", head + "[Unit]\nPartOf=" + units[0] + "\n[Service]\nSockets=" + list + "\n"})
	}
	if len(l.TPROXY) > 0 {
		out = append(out, DropIn{"sallyport.service.d/50-tproxy.conf", head + "# The kernel demands a capability for sockets with addresses of other hosts.\n[Service]\nAmbientCapabilities=CAP_NET_RAW\nCapabilityBoundingSet=CAP_NET_RAW\n"})
	}
	return out
}

// listenLines returns one line for each address that a unit can name. BindIPv6Only=
// holds for all sockets of a unit, so listenLines leaves out "[::]" where 0.0.0.0
// with the same port is listed too.
func listenLines(key string, list, all []netip.AddrPort) (lines []string) {
	for _, a := range list {
		if a.Port() != 0 && a.Addr().Zone() == "" && !site.OnlyIPv6(a, all) {
			lines = append(lines, key+"="+a.String())
		}
	}
	return lines
}
