//go:build linux

// MTU black hole: a link on the path has a smaller MTU, and the router before it sends
// no ICMP message about that (RFC 2923, section 2.1).

package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// probing is the setting in the packet filter's unit with which TCP probes for the MTU
// of the path (RFC 4821).
var probing = regexp.MustCompile(`net\.ipv4\.tcp_mtu_probing=(\d)`)

// TestMTUBlackHole uploads through sallyport and through a black hole. It asserts that
// every byte arrives with the setting of the unit.
func TestMTUBlackHole(t *testing.T) {
	need(t, "nft")
	unit, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", "systemd", "sallyport-nft.service"))
	if err != nil {
		t.Fatal(err)
	}
	set := probing.FindStringSubmatch(string(unit))
	if set == nil {
		t.Fatal("the unit does not switch MTU probing on")
	}
	gate, far := blackHole(t)
	gate.sysctl(t, "ipv4/tcp_mtu_probing", set[1])
	l, err := far.listen("93.184.1.1:9000")
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan int64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			arrived <- -1
			return
		}
		defer c.Close()
		n, _ := io.Copy(io.Discard, c)
		arrived <- n
	}()
	t.Cleanup(func() { l.Close() })
	g := newGateway(t, gate)
	g.configure(t, `[listen]
http = ["127.0.0.1:3128"]
admin = "127.0.0.1:9180"
[[client]]
name     = "here"
sources  = ["127.0.0.1"]
profiles = []
[[rule]]
id     = "upload"
client = "here"
to     = ["93.184.1.1"]
tcp    = [9000]
reason = "test"
[dns]
upstreams = ["udp://93.184.1.1:53"]
`)
	g.start(t, "run", "--config", "sallyport.toml")
	c := dialWhenOpen(t, gate, "127.0.0.1:3128")
	defer c.Close()
	const size = 256 << 10
	fmt.Fprint(c, "CONNECT 93.184.1.1:9000 HTTP/1.1\r\nHost: 93.184.1.1:9000\r\n\r\n")
	head := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(c, head); err != nil || string(head) != "HTTP/1.1 200" {
		t.Fatalf("%q, %v", head, err)
	}
	if _, err := io.WriteString(c, "\x00"+strings.Repeat("u", size-1)); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	select {
	case n := <-arrived:
		if n != size {
			t.Errorf("%d of %d bytes arrived", n, size)
		}
	case <-time.After(90 * time.Second): // the limit for a hang; the kernel needs some seconds
		t.Error("the upload hangs in the black hole")
	}
}

// dialWhenOpen connects as soon as a server listens.
func dialWhenOpen(t *testing.T, n *netns, address string) (c net.Conn) {
	t.Helper()
	eventually(t, 30*time.Second, "a listener on "+address, func() (err error) {
		c, err = n.dial("tcp", "", address)
		return err
	})
	return c
}

// blackHole joins two namespaces by two routers. The link between the routers
// carries packets of at most 1280 bytes, and the first router drops the ICMP
// messages about larger packets.
func blackHole(t *testing.T) (gate, far *netns) {
	t.Helper()
	gate, far = newNetns(t, "gate"), newNetns(t, "far")
	first, second := newNetns(t, "first"), newNetns(t, "second")
	gate.ip(t, "link add wan type veth peer name lan netns "+first.path())
	first.ip(t, "link add narrow type veth peer name narrow netns "+second.path())
	far.ip(t, "link add wan type veth peer name lan netns "+second.path())
	gate.ip(t, "addr add 45.83.0.2/24 dev wan", "link set wan up", "route add default via 45.83.0.1")
	first.ip(t, "addr add 45.83.0.1/24 dev lan", "link set lan up", "addr add 45.83.1.1/24 dev narrow", "link set narrow mtu 1280 up")
	second.ip(t, "addr add 45.83.1.2/24 dev narrow", "link set narrow mtu 1280 up", "addr add 93.184.1.254/24 dev lan", "link set lan up", "route add 45.83.0.0/24 via 45.83.1.1")
	first.ip(t, "route add default via 45.83.1.2")
	far.ip(t, "addr add 93.184.1.1/24 dev wan", "link set wan up", "route add default via 93.184.1.254")
	for _, r := range []*netns{first, second} {
		r.sysctl(t, "ipv4/ip_forward", "1")
	}
	if r := first.run(t, t.TempDir(), "table ip hole { chain out { type filter hook output priority 0; icmp type destination-unreachable drop; }; }", "nft", "-f", "-"); r.code != 0 {
		t.Fatal(r)
	}
	return gate, far
}
