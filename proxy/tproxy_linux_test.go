// TPROXY in the kernel, in a network namespace of the test.

package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sallyport/rules"
)

// divertTo returns the ruleset that gives the packets to the outside to a listener on a port.
func divertTo(port string) string {
	return `table inet outside {
	chain output {
		type route hook output priority mangle;
		ip daddr { 198.51.100.0/24, 203.0.113.0/24 } tcp dport 1-65535 meta mark set 1
		ip6 daddr 2001:db8::/32 tcp dport 1-65535 meta mark set 1
	}
	chain prerouting {
		type filter hook prerouting priority mangle;
		meta mark != 1 return
		meta nfproto ipv4 meta l4proto tcp tproxy ip to :` + port + ` accept
		meta nfproto ipv6 meta l4proto tcp tproxy ip6 to :` + port + ` accept
	}
}
`
}

// divertLinks routes the outside over loopback, where no address of it exists.
const divertLinks = `link set lo up
addr add 10.1.1.1/32 dev lo
addr add fd00::1/128 dev lo nodad
route add default dev lo src 10.1.1.1
route add local default dev lo table 100
rule add fwmark 1 lookup 100
`

const divertLinks6 = `route add default dev lo src fd00::1
route add local default dev lo table 100
rule add fwmark 1 lookup 100
`

// A ClientHello with a forged name, headed for an address that this host does not have, of each
// family, reaches our resolution of the name and nothing else. A connection to the listener itself
// reaches nothing.
func TestRealTPROXY(t *testing.T) {
	for _, listen := range []string{"[::]:3130", "0.0.0.0:3130"} {
		t.Run(listen, func(t *testing.T) {
			b := newRedirectWorld(t, func(c *Config) { c.localDst = nil })
			o := b.origin("8.8.8.8:443", echo)
			var wg sync.WaitGroup
			ctx, cancel := context.WithCancel(context.Background())
			defer wg.Wait()
			defer cancel()
			hello := string(helloFor(t, "a.example"))
			tries := []string{"198.51.100.7:443", "203.0.113.9:443"}
			own := []string{"127.0.0.1:3130", "10.1.1.1:3130"}
			network := "tcp4"
			if listen[0] == '[' {
				network, tries, own = "tcp", append(tries, "[2001:db8::7]:443"), append(own, "[::1]:3130")
			}
			inNetns(t, func() {
				feed(t, divertLinks, "ip", "-batch", "-")
				feed(t, divertLinks6, "ip", "-6", "-batch", "-")
				feed(t, divertTo("3130"), "nft", "-f", "-")
				l, err := ListenTPROXY(ctx, network, netip.MustParseAddrPort(listen))
				if err != nil {
					t.Error(err)
					return
				}
				b.own.Listeners = append(b.own.Listeners, unmapped(l.Addr()))
				b.own.Local = func(a netip.Addr) bool { return a.IsLoopback() || a.String() == "10.1.1.1" }
				b.policy(strings.Replace(redirectConfig, `"127.0.0.0/8"`, `"127.0.0.0/8", "10.1.1.1", "fd00::/8", "::1"`, 1))
				wg.Go(func() { b.p.ServeTPROXY(ctx, l) })
				for _, to := range tries {
					before := len(b.journal.decisions())
					if got, err := sendIn(to, hello); err != nil || got != hello {
						t.Errorf("%s: %d bytes, %v", to, len(got), err)
					}
					ds := b.journal.decisions()[before:]
					if len(ds) != 1 || !ds[0].d.Allowed() || !ds[0].a.Mismatch || ds[0].a.Original.String() != to {
						t.Errorf("%s: on record %+v", to, ds)
					}
				}
				for _, to := range own {
					before := len(b.journal.decisions())
					if got, err := sendIn(to, hello); got != "" || !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
						t.Errorf("%s: got %q, %v, want a reset", to, got, err)
					}
					if ds := b.journal.decisions()[before:]; len(ds) != 1 || ds[0].d.Allowed() || ds[0].d.Why() != rules.Self {
						t.Errorf("%s: on record %+v", to, ds)
					}
				}
			})
			b.eventually("the end of the flows", func() bool { return len(b.journal.closes()) == len(tries) })
			if o.received() != strings.Repeat(hello, len(tries)) {
				t.Errorf("%d bytes arrived", len(o.received()))
			}
		})
	}
}

// sendIn sends text and returns as much of the answer, from the namespace of the calling thread.
func sendIn(to, text string) (string, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	conn, err := d.Dial("tcp", to)
	if err != nil { // the reset can come before the connection is established
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	got := make([]byte, len(text))
	n, err := io.ReadFull(conn, got)
	return string(got[:n]), err
}

// Without a capability there is no listener. For TCP the kernel accepts CAP_NET_RAW or CAP_NET_ADMIN;
// for datagrams, with the raw sockets of their replies, CAP_NET_RAW alone.
func TestListenTPROXYNeedsACapability(t *testing.T) {
	inNetns(t, func() {
		feed(t, "link set lo up\n", "ip", "-batch", "-")
		for _, c := range []struct {
			caps uint32
			ok   bool
		}{{0, false}, {1 << unix.CAP_NET_BIND_SERVICE, false}, {1 << unix.CAP_NET_RAW, true}, {1 << unix.CAP_NET_ADMIN, true}} {
			withCapabilities(t, c.caps, func() {
				for _, a := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
					l, err := ListenTPROXY(t.Context(), "tcp", netip.MustParseAddrPort(a))
					if c.ok != (err == nil) || err != nil && !errors.Is(err, unix.EPERM) {
						t.Errorf("%s with capabilities %#x: %v", a, c.caps, err)
					}
					if l != nil {
						l.Close()
					}
					d, err := ListenTPROXYDatagrams(t.Context(), "udp", netip.MustParseAddrPort(a))
					if raw := c.caps == 1<<unix.CAP_NET_RAW; raw != (err == nil) || err != nil && !errors.Is(err, unix.EPERM) {
						t.Errorf("datagrams, %s with capabilities %#x: %v", a, c.caps, err)
					}
					if d != nil {
						d.Close()
					}
				}
			})
		}
	})
}
