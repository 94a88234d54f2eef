// What TPROXY costs, in network namespaces: a TCP connection against one that was redirected, and a
// datagram against a plain relay. Both of a pair run in turn, in the same process, with the same
// client and the same server. So the ratios, of CPU time, are of the same run.

package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"sallyport/rules"
)

// A lane is a network namespace for a benchmark, in which every goroutine can open sockets.
type lane struct {
	t    testing.TB
	file *os.File
}

// newLane opens a namespace with links, in the words of "ip -batch", and a ruleset.
func newLane(b *testing.B, links, ruleset string) *lane {
	b.Helper()
	if os.Geteuid() != 0 {
		b.Skip("skipped: network namespaces need root")
	}
	l := &lane{t: b}
	made := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			l.file, err = os.Open("/proc/thread-self/ns/net")
		}
		if err == nil {
			feed(b, links, "ip", "-batch", "-")
			feed(b, ruleset, "nft", "-f", "-")
		}
		made <- err
	}()
	if err := <-made; err != nil {
		b.Skip("skipped: ", err)
	}
	b.Cleanup(func() { l.file.Close() })
	return l
}

// in runs f on a thread in the namespace.
func (l *lane) in(f func() error) {
	l.t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked
		err := unix.Setns(int(l.file.Fd()), unix.CLONE_NEWNET)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		l.t.Fatal(err)
	}
}

// cpu returns the CPU time of this process, the kernel's work for it included.
func cpu() int64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// A contender is one of the ways that a benchmark compares.
type contender struct {
	name string
	run  func(n int)
}

// compare runs the contenders in turn, batch by batch. It reports the CPU time of each for one unit,
// and the ratio of the first two. If there is a third, both others contain its work: net-ratio is
// the ratio without it.
func compare(b *testing.B, batch int, unit string, all ...contender) {
	spent := make([]int64, len(all))
	for _, c := range all {
		c.run(batch) // warm
	}
	n := 0
	for b.Loop() {
		for i, c := range all {
			before := cpu()
			c.run(batch)
			spent[i] += cpu() - before
		}
		n += batch
	}
	for i, c := range all {
		b.ReportMetric(float64(spent[i])/float64(n), c.name+"-cpu-ns/"+unit)
	}
	b.ReportMetric(float64(spent[0])/float64(spent[1]), "ratio")
	if len(all) == 3 {
		b.ReportMetric(float64(spent[0]-spent[2])/float64(spent[1]-spent[2]), "net-ratio")
	}
}

// BenchmarkTPROXYConnection compares a TCP connection by TPROXY with one by REDIRECT: accept, sniff,
// decide, dial, relay, close. The client has a namespace of its own, as a client of a gateway is on
// another host: packets that the gateway's host sends itself would be routed twice for TPROXY.
func BenchmarkTPROXYConnection(b *testing.B) {
	const ruleset = `table inet outside {
	chain redirected { type nat hook prerouting priority dstnat; ip daddr 198.51.100.0/24 tcp dport 443 redirect to :3129; }
	chain prerouting { type filter hook prerouting priority mangle; ip daddr 203.0.113.0/24 tcp dport 443 tproxy ip to :3130 meta mark set 1; }
}
`
	const links = `link set lo up
addr add 10.1.2.1/24 dev g0
link set g0 up
route add default via 10.1.2.2
route add local default dev lo table 100
rule add fwmark 1 lookup 100
`
	w := newRedirectWorld(b, func(c *Config) { c.localDst, c.originalDst = nil, nil })
	w.policy(strings.Replace(redirectConfig, `"127.0.0.0/8"`, `"127.0.0.0/8", "10.1.2.0/24"`, 1))
	w.origin("8.8.8.8:443", echo)
	hello := helloFor(b, "a.example")
	outside := newLane(b, "link set lo up\n", "")
	l := newLane(b, fmt.Sprintf("link add g0 type veth peer name c0 netns /proc/%d/fd/%d\n", os.Getpid(), outside.file.Fd())+links, ruleset)
	outside.in(func() error {
		feed(b, "addr add 10.1.2.2/24 dev c0\nlink set c0 up\nroute add default via 10.1.2.1\n", "ip", "-batch", "-")
		return nil
	})
	var served sync.WaitGroup
	ctx, cancel := context.WithCancel(b.Context())
	b.Cleanup(func() { cancel(); served.Wait() })
	l.in(func() error {
		plain, err := Listen(ctx, "tcp4", netip.MustParseAddrPort("0.0.0.0:3129"))
		if err != nil {
			return err
		}
		served.Go(func() { _ = w.p.ServeTransparent(ctx, plain) })
		tproxy, err := ListenTPROXY(ctx, "tcp4", netip.MustParseAddrPort("0.0.0.0:3130"))
		if err == nil {
			served.Go(func() { _ = w.p.ServeTPROXY(ctx, tproxy) })
		}
		return err
	})
	connections := func(to string) func(n int) {
		return func(n int) {
			outside.in(func() error {
				got := make([]byte, len(hello))
				for range n {
					conn, err := net.Dial("tcp4", to)
					if err != nil {
						return err
					}
					_, _ = conn.Write(hello)
					if _, err := io.ReadFull(conn, got); err != nil {
						return err
					}
					_ = conn.(*net.TCPConn).SetLinger(0) // no port stays in TIME-WAIT
					conn.Close()
				}
				return nil
			})
		}
	}
	compare(b, 200, "conn", contender{"tproxy", connections("203.0.113.7:443")}, contender{"redirect", connections("198.51.100.7:443")})
}

// plainRelay is the least that a relay of datagrams in Go can do: a socket for clients, one socket
// for each client, no decision.
func plainRelay(conn *net.UDPConn, dial func() (*net.UDPConn, error)) {
	flows := map[netip.AddrPort]*net.UDPConn{}
	b := make([]byte, 1<<16)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		up := flows[from]
		if up == nil {
			if up, err = dial(); err != nil {
				return
			}
			flows[from] = up
			defer up.Close()
			go func() {
				b := make([]byte, 1<<16)
				for {
					n, err := up.Read(b)
					if err != nil {
						return
					}
					_, _ = conn.WriteToUDPAddrPort(b[:n], from)
				}
			}()
		}
		_, _ = up.Write(b[:n])
	}
}

// BenchmarkTPROXYDatagram compares a datagram and its reply by TPROXY with the same by plainRelay, and
// both with the same without a relay.
func BenchmarkTPROXYDatagram(b *testing.B) {
	const ruleset = `table inet outside {
	chain output { type route hook output priority mangle; ip daddr 203.0.113.0/24 udp dport 5000 meta mark set 1; }
	chain prerouting { type filter hook prerouting priority mangle; meta mark 1 meta l4proto udp tproxy ip to :3130; }
}
`
	l := newLane(b, divertLinks+"addr add 10.1.1.2/32 dev lo\n", ruleset)
	dial := func() (conn *net.UDPConn, err error) {
		l.in(func() error {
			conn, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.MustParseAddrPort("10.1.1.2:7")))
			return err
		})
		return conn, err
	}
	w := newWorld(b, func(c *Config) {
		c.connectUDP = func(context.Context, netip.AddrPort) (*net.UDPConn, error) { return dial() }
		c.remoteUDP = func(*net.UDPConn) netip.AddrPort { return netip.MustParseAddrPort("203.0.113.7:5000") }
	})
	w.policy(strings.Replace(worldConfig, `"127.0.0.0/8"`, `"127.0.0.0/8", "10.1.1.1"`, 1) +
		"\n[[rule]]\nid = 'datagrams'\nclient = 'lab'\nto = ['203.0.113.7']\nudp = [5000]\nreason = 'test'\n")
	var served sync.WaitGroup
	ctx, cancel := context.WithCancel(b.Context())
	var echo, plain *net.UDPConn
	clients := [3]*net.UDPConn{}
	l.in(func() (err error) {
		if echo, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("10.1.1.2:7"))); err != nil {
			return err
		}
		if plain, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("10.1.1.2:9"))); err != nil {
			return err
		}
		socket, err := ListenTPROXYDatagrams(ctx, "udp4", netip.MustParseAddrPort("0.0.0.0:3130"))
		if err != nil {
			return err
		}
		served.Go(func() { _ = w.p.ServeTPROXYDatagrams(ctx, socket) })
		for i, to := range []string{"203.0.113.7:5000", "10.1.1.2:9", "10.1.1.2:7"} {
			at := net.UDPAddrFromAddrPort(netip.MustParseAddrPort("10.1.1.1:0"))
			if clients[i], err = net.DialUDP("udp4", at, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to))); err != nil {
				return err
			}
		}
		return nil
	})
	b.Cleanup(func() {
		cancel()
		for _, c := range []*net.UDPConn{echo, plain, clients[0], clients[1], clients[2]} {
			c.Close()
		}
		served.Wait()
	})
	served.Go(func() { plainRelay(plain, dial) })
	served.Go(func() {
		m := make([]byte, 1<<16)
		for {
			n, from, err := echo.ReadFromUDPAddrPort(m)
			if err != nil {
				return
			}
			_, _ = echo.WriteToUDPAddrPort(m[:n], from)
		}
	})
	exchanges := func(c *net.UDPConn) func(n int) {
		return func(n int) {
			content, got := make([]byte, 200), make([]byte, 512)
			for range n {
				if _, err := c.Write(content); err != nil {
					b.Fatal(err)
				}
				if k, err := c.Read(got); err != nil || k != len(content) {
					b.Fatal(k, err)
				}
			}
		}
	}
	compare(b, 2000, "exchange", contender{"tproxy", exchanges(clients[0])}, contender{"plain", exchanges(clients[1])}, contender{"direct", exchanges(clients[2])})
	if d := w.journal.decisions(); len(d) != 1 || d[0].d.Verdict != rules.Allow {
		b.Errorf("decisions %+v", d)
	}
}
