//go:build linux

// Scene: the lab without any configuration of the clients. Only their default route
// and a packet filter bring their packets to sallyport. Without the filter they
// reach an internet that answers on every address and port.

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The packet filter of a sidecar distinguishes these users.
const (
	sallyportUser = 64853
	clientUser    = 64854
)

// The outside resolvers in the configuration of the clients. No document lists them.
const (
	outsideDNS4 = "8.8.8.8"
	outsideDNS6 = "2001:4860:4860::8888"
)

// scene is one lab in one of the two modes of "sallyport nft", or as a gateway that
// uses TPROXY.
type scene struct {
	*lab
	mode string // "gateway", "sidecar" or "tproxy"
	host *netns // the namespace of sallyport and its packet filter
	g    *gateway

	neighbour net.HardwareAddr // address of the interface next to the clients
	source    string           // the client that sends; "": not chosen yet

	known  map[string]bool         // names that the gateway may look up
	places map[netip.AddrPort]bool // addresses and ports of documented names
}

// modes runs a test once as a gateway and once as a sidecar.
func modes(t *testing.T, test func(t *testing.T, mode string)) {
	for _, mode := range []string{"gateway", "sidecar"} {
		t.Run(mode, func(t *testing.T) { test(t, mode) })
	}
}

// everyMode runs a test in the two modes, and as a gateway that uses TPROXY.
func everyMode(t *testing.T, test func(t *testing.T, mode string)) {
	modes(t, test)
	t.Run("tproxy", func(t *testing.T) { test(t, "tproxy") })
}

// newScene builds the lab without any filter: packets are forwarded. As a
// sidecar, sallyport is in the clients' namespace, and the gateway is a plain
// router.
func newScene(t *testing.T, mode string) *scene {
	t.Helper()
	need(t, "nft", "unshare", "setpriv")
	l := newLab(t)
	s := &scene{lab: l, mode: mode, host: l.gateway}
	if mode == "sidecar" {
		s.host = l.clients
	}
	s.readable(t)
	l.gateway.sysctl(t, "ipv4/ip_forward", "1")
	l.gateway.sysctl(t, "ipv6/conf/all/forwarding", "1")
	s.everywhere(t)
	s.become(t, fleet[0])
	s.neighbour = s.hardwareAddress(t)
	servers := "nameserver " + outsideDNS4 + "\nnameserver " + outsideDNS6 + "\noptions timeout:2 attempts:2\n"
	if err := os.WriteFile(s.resolvConf(), []byte(servers), 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

// readable lets other users read files that the tests write: the CA, the configuration.
func (s *scene) readable(t *testing.T) {
	t.Helper()
	for _, dir := range []string{filepath.Dir(s.dir), workDir} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *scene) resolvConf() string { return filepath.Join(s.dir, "resolv.conf") }

// everywhere makes the internet answer on every address and port: TCP with the
// origin, UDP with an echo, port 53 of the outside resolvers with DNS.
func (s *scene) everywhere(t *testing.T) {
	t.Helper()
	s.internet.ip(t,
		"addr add "+outsideDNS4+"/32 dev lo", "addr add "+outsideDNS6+"/128 dev lo nodad",
		"route add local 0.0.0.0/0 dev lo table main", "route add local ::/0 dev lo table main",
		"route add 10.77.0.0/24 via "+outside4, "route add fd77::/64 via 2a0d:5600::2")
	serveDNS(t, s.internet, s.book, outsideDNS4+":53", "["+outsideDNS6+"]:53")
	echo, err := s.internet.listenPacket("[::]:7")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go serveEcho(echo, done)
	t.Cleanup(func() { echo.Close(); <-done })
	ports := strings.Trim(strings.ReplaceAll(fmt.Sprint(originPorts), " ", ", "), "[]")
	s.load(t, s.internet, `table inet everywhere {
	chain c {
		type nat hook prerouting priority dstnat;
		iif lo return
		udp dport != { 9, 53 } redirect to :7
		tcp dport != { 53, `+ports+` } redirect to :8888
	}
}`)
}

// serveEcho sends every datagram back.
func serveEcho(c net.PacketConn, done chan<- struct{}) {
	defer close(done)
	buf := make([]byte, 1<<16)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = c.WriteTo(buf[:n], from)
	}
}

// load gives a ruleset to nft -f.
func (s *scene) load(t *testing.T, n *netns, ruleset string) {
	t.Helper()
	if r := n.run(t, s.dir, ruleset, "nft", "-f", "-"); r.code != 0 {
		t.Fatalf("the ruleset does not load: %v\n%s", r, ruleset)
	}
}

// become gives the clients' side the address of one client. Packets of programs
// that choose no source have that address.
func (s *scene) become(t *testing.T, c client) {
	t.Helper()
	s.clients.ip(t, "route replace default via "+gateway4+" src "+c.v4(), "route replace default via "+gateway6+" src "+c.v6())
}

// catch loads exactly the ruleset that "sallyport nft" prints for a configuration,
// and starts sallyport as a user without privileges.
func (s *scene) catch(t *testing.T, clients []client, more ...string) {
	t.Helper()
	s.catchWith(t, nil, nil, configurationOf(redirecting(s.mode), clients, more...))
}

// catchWith does the same as catch, with capabilities and further arguments of
// "run".
func (s *scene) catchWith(t *testing.T, caps []uintptr, args []string, config string) {
	t.Helper()
	s.g = newGateway(t, s.host)
	s.g.uid, s.g.caps = sallyportUser, caps
	if s.mode == "tproxy" {
		s.g.caps = append(slices.Clone(caps), unix.CAP_NET_RAW)
	}
	if err := os.Chmod(filepath.Dir(s.g.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(s.g.dir, sallyportUser, sallyportUser); err != nil {
		t.Fatal(err)
	}
	s.g.configure(t, config)
	s.load(t, s.host, s.ruleset(t))
	if r := s.host.run(t, s.g.dir, s.ruleset(t, "--routes"), "sh"); r.code != 0 {
		t.Fatalf("the routes: %v", r)
	}
	s.run(t, args...)
}

// run starts sallyport and waits until it is ready.
func (s *scene) run(t *testing.T, args ...string) {
	t.Helper()
	s.g.start(t, append([]string{"run", "--config", "sallyport.toml"}, args...)...)
	s.g.waitReady(t)
}

// ruleset returns the output of "sallyport nft".
func (s *scene) ruleset(t *testing.T, more ...string) string {
	t.Helper()
	args := append([]string{"nft", "--config", "sallyport.toml"}, more...)
	if s.mode == "sidecar" {
		args = append(args, "--mode", s.mode, "--user", fmt.Sprint(sallyportUser))
	}
	r := s.host.run(t, s.g.dir, "", builtBinary(t), args...)
	if r.code != 0 {
		t.Fatalf("%v", r)
	}
	return r.stdout
}

// redirecting returns the top of the configurations of a mode.
func redirecting(mode string) string {
	streams, dns := `transparent = ["[::]:3129"]`, `"[::]:5300"`
	switch mode {
	case "sidecar":
		streams, dns = `transparent = ["127.0.0.1:3129", "[::1]:3129"]`, `"127.0.0.1:5300", "[::1]:5300"`
	case "tproxy":
		streams = `tproxy = ["127.0.0.1:3130", "[::1]:3130"]`
	}
	return `
[listen]
` + streams + `
dns         = [` + dns + `]
admin       = "127.0.0.1:9180"
[dns]
upstreams = ["udp://45.83.0.1:53", "udp://[2a0d:5600::1]:53"]
[journal]
path  = "denials.jsonl"
flows = "flows.jsonl"
`
}

// user runs a program on the clients' side as an unprivileged user that is
// configured only with the outside resolvers.
func (s *scene) user(t *testing.T, stdin, name string, args ...string) result {
	t.Helper()
	uid := fmt.Sprint(clientUser)
	const script = `mount --bind "$0" /etc/resolv.conf && exec "$@"`
	args = append([]string{"--mount", "--propagation", "private", "sh", "-c", script, s.resolvConf(),
		"setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--inh-caps=-all", name}, args...)
	r := s.clients.run(t, s.dir, stdin, "unshare", args...)
	_, r.line, _ = strings.Cut(r.line, "--inh-caps=-all ")
	return r
}
