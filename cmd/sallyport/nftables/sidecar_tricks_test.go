//go:build linux

// Tests of what an application without privileges could try against a sidecar's
// packet filter: to use another host's address, or sallyport's flow.

package nftables

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// freebound returns a dialer that binds to any address, also another host's.
func freebound(network, from string) net.Dialer {
	d := net.Dialer{Timeout: brief, Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_FREEBIND, 1) })
		return errors.Join(err, failed)
	}}
	d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	if network == "udp" {
		d.LocalAddr = &net.UDPAddr{IP: net.ParseIP(from)}
	}
	return d
}

// askAs sends from another host's address. The answer would go to that host.
func (n *namespace) askAs(uid int, network, from, to string) {
	n.t.Helper()
	d := freebound(network, from)
	_ = n.as(uid, func() error {
		c, err := d.DialContext(context.Background(), network, to)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("?"))
		return err
	})
}

// askFrom sends by UDP from an address and port, and returns the answer.
func (n *namespace) askFrom(uid int, from, to string) string {
	n.t.Helper()
	local, err := net.ResolveUDPAddr("udp", from)
	if err != nil {
		n.t.Fatal(err)
	}
	var c net.Conn
	if err := n.as(uid, func() (err error) { c, err = (&net.Dialer{LocalAddr: local}).Dial("udp", to); return err }); err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	return outcome(askOn(c, 2*time.Second))
}

func newPod(t *testing.T) (pod, internet *namespace) {
	pod, internet = newNamespace(t), newInternet(t)
	internet.cable(pod, "net", "eth0", []string{"10.77.0.1/24", "fd77::1/64"}, []string{"10.77.0.10/24", "fd77::10/64"})
	pod.must("ip", "route", "add", "default", "via", "10.77.0.1")
	pod.must("ip", "-6", "route", "add", "default", "via", "fd77::1")
	pod.serveAs(65532, "tcp", "[::1]:3129", "sallyport")
	for _, a := range []string{"127.0.0.1:5300", "[::1]:5300"} {
		pod.serveAs(65532, "udp", a, "filter")
	}
	pod.serve("udp", "127.0.0.11:40053", "docker")
	pod.must("nft", `add table ip docker; add chain ip docker o { type nat hook output priority -100; };
		add rule ip docker o ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:40053`)
	return pod, internet
}

// An answer to a question with a forged source would carry data to the forged
// address: as an answer of the DNS filter, or as the acknowledgement of a SYN.
func TestSidecarSpoofedSource(t *testing.T) {
	needsRootAndNft(t)
	pod, internet := newPod(t)
	pod.expect(0, "udp - [2a00:1450::1]:9999 internet") // fills the neighbour tables
	try := func() int {
		internet.arrived()
		for _, q := range []string{"udp [2a00:1450::1]:53", "udp [fd77::10]:53", "udp [::1]:5300", "tcp [2a00:1450::1]:443", "tcp [::1]:3129"} {
			pod.askAs(1000, q[:3], "2001:db8::77", q[4:])
		}
		return internet.arrived()
	}
	if try() == 0 {
		t.Fatal("the detector does not detect")
	}
	pod.must("nft", "-f", ruleset(t, "--mode", "sidecar", "--user", "65532"))
	if n := try(); n != 0 {
		t.Errorf("%d packets got out to the address that was borrowed", n)
	}
	if pod.counters("inet", "sallyport")["drop_spoofed"] == 0 {
		t.Error("drop_spoofed counted nothing")
	}
}

// The application and sallyport use the same addresses and ports, one after the
// other. Neither gets into the other's flow.
func TestSidecarReusedFlow(t *testing.T) {
	needsRootAndNft(t)
	const app, own = 1000, 65532
	pod, _ := newPod(t)
	pod.must("nft", "-f", ruleset(t, "--mode", "sidecar", "--user", "65532"))
	for _, c := range []struct {
		uid            int
		from, to, want string
	}{
		{app, "10.77.0.10:4001", "8.8.8.8:53", "filter"},
		{own, "10.77.0.10:4001", "8.8.8.8:53", "internet"},
		{app, "10.77.0.10:4001", "8.8.8.8:53", "filter"},
		{own, "10.77.0.10:4002", "8.8.8.8:53", "internet"},
		{app, "10.77.0.10:4002", "8.8.8.8:53", "filter"},
		{own, "127.0.0.1:4003", "127.0.0.11:53", "docker"},
		{app, "127.0.0.1:4003", "127.0.0.11:53", "filter"},
		{own, "127.0.0.1:4003", "127.0.0.11:53", "docker"},
		{own, "127.0.0.1:4004", "127.0.0.11:40053", "docker"},
		{app, "127.0.0.1:4004", "127.0.0.11:40053", "not permitted"},
	} {
		if got := pod.askFrom(c.uid, c.from, c.to); got != c.want {
			t.Errorf("user %d from %s to %s: %s, want %s", c.uid, c.from, c.to, got, c.want)
		}
	}
}

// A redirected packet must not leave this namespace, even if its socket is bound to
// the device that leads out.
func TestSidecarBoundToDevice(t *testing.T) {
	needsRootAndNft(t)
	pod, _ := newPod(t)
	pod.expect(0, "udp - [2a00:1450::1]:9999 internet") // fills the neighbour tables
	pod.must("nft", `add table inet left; add counter inet left out; add chain inet left c { type filter hook postrouting priority 500; };
		add rule inet left c oif != lo meta l4proto { tcp, udp } counter name out`)
	try := func() {
		for _, q := range []string{"tcp [2a00:1450::1]:443", "udp [2a00:1450::1]:53", "udp [::1]:9999", "tcp 93.184.0.1:443", "udp 127.0.0.1:9999"} {
			d := net.Dialer{Timeout: brief, Control: func(_, _ string, c syscall.RawConn) error {
				return c.Control(func(fd uintptr) { _ = unix.BindToDevice(int(fd), "eth0") })
			}}
			_ = pod.as(1000, func() error {
				c, err := d.Dial(q[:3], q[4:])
				if err == nil {
					_, _ = c.Write([]byte("?"))
					c.Close()
				}
				return err
			})
		}
	}
	if try(); pod.counters("inet", "left")["out"] == 0 {
		t.Fatal("the detector does not detect")
	}
	pod.must("nft", "-f", ruleset(t, "--mode", "sidecar", "--user", "65532"))
	pod.must("nft", "reset", "counters", "table", "inet", "left")
	if try(); pod.counters("inet", "left")["out"] != 0 {
		t.Error("packets left by the device that their socket was bound to")
	}
	if pod.counters("inet", "sallyport")["drop_bound"] == 0 {
		t.Error("drop_bound counted nothing")
	}
}
