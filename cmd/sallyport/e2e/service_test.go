// Service: sallyport as systemd runs it. The test keeps its sockets open during
// restarts, reads its notifications, and plays the internet. All is on loopback, so
// that the test needs no privilege.

package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// service is a gateway and its manager.
type service struct {
	*gateway
	http, socks, dns string // addresses of the sockets that the manager holds
	allowed, denied  *site
	upstream         *counting

	mu    sync.Mutex
	heard []string // notifications so far
}

// newService opens the sockets and starts the internet, but not sallyport.
func newService(t *testing.T) *service {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: -short")
	}
	s := &service{gateway: newGateway(t, nil), allowed: newSite(t), denied: newSite(t)}
	s.http, s.socks = s.hold(t, "127.0.0.1:0"), s.hold(t, "127.0.0.1:0")
	s.holdDNS(t)
	s.upstream = newCounting(t, "127.0.0.1", "always", "now-and-then", "never", "slow")
	s.listenForNotes(t)
	return s
}

// counting is a resolver that counts its queries.
type counting struct {
	book
	addr    string
	slow    chan struct{} // release closes it; then queries for "slow" are answered
	release func()
	mu      sync.Mutex
	asked   map[string]int
}

// newCounting starts a counting resolver. It answers all names of the site with the
// same address.
func newCounting(t *testing.T, addr string, names ...string) *counting {
	t.Helper()
	c := &counting{book: book{}, slow: make(chan struct{}), asked: map[string]int{}}
	for _, name := range names {
		c.book[name+".site.example"] = addrs(addr)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	startDNS(t, &dns.Server{PacketConn: pc, Handler: c})
	c.release = sync.OnceFunc(func() { close(c.slow) })
	t.Cleanup(c.release)
	c.addr = pc.LocalAddr().String()
	return c
}

// below returns the number of queries for names below a suffix.
func (c *counting) below(suffix string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, asked := range c.asked {
		if strings.HasSuffix(name, "."+suffix) {
			n += asked
		}
	}
	return n
}

// count returns the number of queries for a name.
func (c *counting) count(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[name]
}

// total returns the number of all queries.
func (c *counting) total() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, asked := range c.asked {
		n += asked
	}
	return n
}

// ServeDNS counts and answers.
func (c *counting) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	c.mu.Lock()
	c.asked[strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))]++
	c.mu.Unlock()
	if strings.HasPrefix(strings.ToLower(q.Question[0].Name), "slow") {
		<-c.slow
	}
	c.book.ServeDNS(w, q)
}

// hold opens a stream socket that outlives every process that gets it. The test
// itself never accepts from it.
func (s *service) hold(t *testing.T, addr string) string {
	t.Helper()
	l, err := plainTCP(t, addr)
	if err != nil {
		t.Fatal(err)
	}
	s.keep(t, l.(*net.TCPListener))
	return l.Addr().String()
}

// plainTCP listens as systemd does: without MPTCP.
func plainTCP(t *testing.T, addr string) (net.Listener, error) {
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	return c.Listen(t.Context(), "tcp", addr)
}

// holdDNS opens a stream and a datagram socket on the same address.
func (s *service) holdDNS(t *testing.T) {
	t.Helper()
	for range 20 { // tries until a port is free for both
		u, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l, err := plainTCP(t, u.LocalAddr().String())
		if err != nil {
			u.Close()
			continue
		}
		s.keep(t, u.(*net.UDPConn))
		s.keep(t, l.(*net.TCPListener))
		s.dns = u.LocalAddr().String()
		return
	}
	t.Fatal("no port is free for streams and datagrams")
}

func (s *service) keep(t *testing.T, c interface {
	File() (*os.File, error)
	io.Closer
}) {
	t.Helper()
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	s.files = append(s.files, f)
	t.Cleanup(func() { f.Close(); c.Close() })
}

// configuration returns a configuration that permits "always", with the text of
// more.
func (s *service) configuration(more ...string) string {
	return fmt.Sprintf(`[listen]
http   = [%q]
socks5 = [%q]
dns    = [%q]
admin  = ""
[[client]]
name     = "tester"
sources  = ["127.0.0.0/8"]
profiles = []
[dns]
upstreams = ["udp://%s"]
[resolve]
private = ["127.0.0.0/8"]
[journal]
path  = "denials.jsonl"
flows = "flows.jsonl"
%s%s`, s.http, s.socks, s.dns, s.upstream.addr, s.rule("always"), strings.Join(more, ""))
}

// rule returns a rule that permits a name, on the port of the permitted site.
func (s *service) rule(name string) string {
	return fmt.Sprintf("[[rule]]\nid = %q\nclient = \"tester\"\nto = [\"%[1]s.site.example\"]\ntcp = [%d]\nreason = \"test\"\n", name, s.allowed.addr.Port())
}

// activate starts sallyport and waits until it reports that it is ready.
func (s *service) activate(t *testing.T) {
	t.Helper()
	mark := s.notes()
	s.launch(t)
	s.waitNote(t, mark, "READY=1")
}

// launch starts sallyport as systemd does. exec keeps the process number that is in
// the environment.
func (s *service) launch(t *testing.T) {
	t.Helper()
	script := fmt.Sprintf(`export LISTEN_PID=$$ LISTEN_FDS=%d; exec "$@"`, len(s.files))
	s.startCommand(t, "sh", "-c", script, "sh", builtBinary(t), "run", "--config", "sallyport.toml")
}

// listenForNotes opens NOTIFY_SOCKET.
func (s *service) listenForNotes(t *testing.T) {
	t.Helper()
	path := filepath.Join(s.dir, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, "NOTIFY_SOCKET="+path)
	done := make(chan struct{})
	t.Cleanup(func() { c.Close(); <-done })
	go func() {
		defer close(done)
		for b := make([]byte, 64<<10); ; {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.heard = append(s.heard, string(b[:n]))
			s.mu.Unlock()
		}
	}()
}

// notes returns the number of notifications so far.
func (s *service) notes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.heard)
}

// since returns the notifications after the first n.
func (s *service) since(n int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard[n:])
}

// waitNote waits for a notification with a certain line, after the first n, and
// returns it.
func (s *service) waitNote(t *testing.T, n int, line string) (found string) {
	t.Helper()
	eventually(t, 30*time.Second, "a notification with "+line, func() error {
		select {
		case <-s.exited:
			t.Fatalf("sallyport ended by itself: %v", s.cmd.ProcessState)
		default:
		}
		heard := s.since(n)
		for _, found = range heard {
			if slices.Contains(strings.Split(found, "\n"), line) {
				return nil
			}
		}
		return fmt.Errorf("heard %q", heard)
	})
	return found
}

// restart ends sallyport, calls gone, and starts sallyport again. It returns the
// time from the signal to READY.
func (s *service) restart(t *testing.T, gone func()) time.Duration {
	t.Helper()
	started := time.Now()
	s.signal(t, syscall.SIGTERM)
	if code := s.waitExit(t, 30*time.Second); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	gone()
	s.activate(t)
	return time.Since(started)
}
