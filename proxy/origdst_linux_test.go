// Original destinations from the kernel: real redirections, in a network namespace of the test.

package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sallyport/rules"
)

// missing skips the test. It fails the test instead if SALLYPORT_E2E=required is set, because then
// everything must run.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("SALLYPORT_E2E") == "required" {
		t.Fatalf("SALLYPORT_E2E=required, but "+format, args...)
	}
	t.Skipf("skipped: "+format, args...)
}

// inNetns runs f on a thread in a new network namespace, with loopback up. The sockets that f
// opens stay in that namespace; the thread ends with f.
func inNetns(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "network namespaces need root")
	}
	for _, tool := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, "%s is not installed", tool)
		}
	}
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			defer close(failed)
			f()
			return
		}
		failed <- err
	}()
	if err := <-failed; err != nil {
		missing(t, "this machine does not let root make network namespaces: %v", err)
	}
}

// feed runs a command with text on its standard input, in the namespace of the
// calling thread.
func feed(t testing.TB, text, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

// outsideLinks gives the namespace addresses of the documentation prefixes, to stand for the
// outside, and redirects all their TCP ports.
const outsideLinks = `link set lo up
addr add 198.51.100.7/32 dev lo
addr add 2001:db8::7/128 dev lo nodad
`

// redirectTo returns the ruleset that redirects all TCP ports of the outside.
func redirectTo(port string) string {
	return `table inet outside {
	chain output {
		type nat hook output priority -100;
		ip daddr 198.51.100.0/24 tcp dport 1-65535 redirect to :` + port + `
		ip6 daddr 2001:db8::/32 tcp dport 1-65535 redirect to :` + port + `
	}
}
`
}

// pairIn connects to an address and returns both ends.
func pairIn(t *testing.T, l net.Listener, to string) (server, client *net.TCPConn) {
	t.Helper()
	d := net.Dialer{Timeout: 5 * time.Second}
	conn, err := d.Dial("tcp", to)
	if err != nil {
		t.Error(err)
		return nil, nil
	}
	t.Cleanup(func() { conn.Close() })
	got, err := l.Accept()
	if err != nil {
		t.Error(err)
		return nil, nil
	}
	t.Cleanup(func() { got.Close() })
	return got.(*net.TCPConn), conn.(*net.TCPConn)
}

func TestOriginalDst(t *testing.T) {
	inNetns(t, func() {
		feed(t, outsideLinks, "ip", "-batch", "-")
		feed(t, redirectTo("3130"), "nft", "-f", "-")
		for _, c := range []struct{ listen, to, want string }{
			{"127.0.0.1:3130", "198.51.100.7:443", "198.51.100.7:443"},
			{"127.0.0.1:3130", "198.51.100.9:1", "198.51.100.9:1"},
			{"[::1]:3130", "[2001:db8::7]:65535", "[2001:db8::7]:65535"},
			{"[::]:3130", "198.51.100.7:1433", "198.51.100.7:1433"}, // an IPv4 client of a dual-stack socket
			{"[::]:3130", "[2001:db8::7]:22", "[2001:db8::7]:22"},
			{"0.0.0.0:3130", "198.51.100.7:25", "198.51.100.7:25"},
			{"[::]:3130", "127.0.0.1:3130", "127.0.0.1:3130"}, // not redirected: the socket's own address
			{"[::]:3130", "[::1]:3130", "[::1]:3130"},
		} {
			if strings.Contains(c.to, "100.9") { // redirected by the filter, but there must be a route out
				feed(t, "addr add 198.51.100.9/32 dev lo\n", "ip", "-batch", "-")
			}
			network := "tcp"
			if strings.HasPrefix(c.listen, "0.") {
				network = "tcp4"
			}
			l, err := Listen(t.Context(), network, netip.MustParseAddrPort(c.listen))
			if err != nil {
				t.Error(err)
				continue
			}
			if conn, _ := pairIn(t, l, c.to); conn != nil {
				if got, err := originalDst(conn); err != nil || got.String() != c.want {
					t.Errorf("%s at %s: %v, %v", c.to, c.listen, got, err)
				}
			}
			l.Close()
		}
	})
}

// Without connection tracking the kernel does not know the destination: that is an error and no
// address.
func TestOriginalDstUntracked(t *testing.T) {
	inNetns(t, func() {
		feed(t, outsideLinks, "ip", "-batch", "-")
		l, err := Listen(t.Context(), "tcp", netip.MustParseAddrPort("[::]:3130"))
		if err != nil {
			t.Error(err)
			return
		}
		defer l.Close()
		for _, to := range []string{"127.0.0.1:3130", "[::1]:3130"} {
			conn, _ := pairIn(t, l, to)
			if conn == nil {
				continue
			}
			if got, err := originalDst(conn); err == nil || got.IsValid() {
				t.Errorf("%s: %v, %v", to, got, err)
			}
		}
	})
}

// A real redirection: a ClientHello with a forged name, headed for an unlisted address of each
// family, reaches our resolution of the name and nothing else. A connection to the listener
// itself reaches nothing.
func TestRealRedirect(t *testing.T) {
	b := newRedirectWorld(t, func(c *Config) { c.originalDst = nil })
	o := b.origin("8.8.8.8:443", echo)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	defer wg.Wait()
	defer cancel()
	hello := helloFor(t, "a.example")
	inNetns(t, func() {
		feed(t, outsideLinks, "ip", "-batch", "-")
		feed(t, redirectTo("3130"), "nft", "-f", "-")
		l, err := Listen(ctx, "tcp", netip.MustParseAddrPort("[::]:3130"))
		if err != nil {
			t.Error(err)
			return
		}
		b.own.Listeners = append(b.own.Listeners, unmapped(l.Addr()))
		b.policy(strings.Replace(redirectConfig, `"127.0.0.0/8"`, `"127.0.0.0/8", "198.51.100.0/24", "2001:db8::/32", "::1"`, 1))
		wg.Go(func() { b.p.ServeTransparent(ctx, l) })
		for _, to := range []string{"198.51.100.7:443", "[2001:db8::7]:443"} {
			before := len(b.journal.decisions())
			d := net.Dialer{Timeout: 5 * time.Second}
			conn, err := d.Dial("tcp", to)
			if err != nil {
				t.Error(err)
				continue
			}
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			conn.Write(hello)
			if _, err := io.ReadFull(conn, make([]byte, len(hello))); err != nil {
				t.Errorf("%s: %v", to, err)
			}
			conn.Close()
			ds := b.journal.decisions()[before:]
			if len(ds) != 1 || !ds[0].d.Allowed() || !ds[0].a.Mismatch || ds[0].a.Original.String() != to {
				t.Errorf("%s: on record %+v", to, ds)
			}
		}
		for _, to := range []string{"127.0.0.1:3130", "[::1]:3130"} {
			before := len(b.journal.decisions())
			conn, err := net.Dial("tcp", to)
			if err == nil { // the reset can come before the connection is established
				conn.SetDeadline(time.Now().Add(20 * time.Second))
				var got []byte
				if got, err = io.ReadAll(conn); len(got) > 0 {
					t.Errorf("%s: got %q", to, got)
				}
				conn.Close()
			}
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s: %v, want a reset", to, err)
			}
			if ds := b.journal.decisions()[before:]; len(ds) != 1 || ds[0].d.Allowed() || ds[0].d.Why() != rules.Self {
				t.Errorf("%s: on record %+v", to, ds)
			}
		}
	})
	b.eventually("the end of the flows", func() bool { return len(b.journal.closes()) == 2 })
	if o.received() != string(hello)+string(hello) {
		t.Errorf("%d bytes arrived", len(o.received()))
	}
}
