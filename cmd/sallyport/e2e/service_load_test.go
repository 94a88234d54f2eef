//go:build linux

// Load: new connections and queries at a steady rate. The rate does not depend on
// earlier tries, and each try must be answered rightly.

package e2e

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// longestWait is how long a try may wait for its answer. It ends a try that hangs;
// it is not a promised response time.
const longestWait = 30 * time.Second

// errDenied is the answer to a forbidden try.
var errDenied = errors.New("denied")

// A way makes one try, a new connection or query for a name, at a site's port. It returns
// nil if the try was served in full, errDenied if a proper answer refused it, and another
// error otherwise.
type way func(s *service, name string, port uint16) error

// doors are the ways into sallyport.
var doors = map[string]way{"connect": tryConnect, "socks5": trySOCKS, "http": tryHTTP, "dns-udp": tryUDP, "dns-tcp": tryTCP}

func dialDoor(addr string) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", addr, longestWait)
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(longestWait))
}

// echoed sends bytes through a tunnel and demands that they come back.
func echoed(c net.Conn, r io.Reader) error {
	want := fmt.Sprintf("%08x", time.Now().UnixNano()&0xffffffff)
	if _, err := io.WriteString(c, "\x00"+want); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		return fmt.Errorf("%q instead of %q: %w", got, want, err)
	}
	return nil
}

// ended demands that the connection ends cleanly.
func ended(c net.Conn, r io.Reader) error {
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	if n, err := io.Copy(io.Discard, r); n != 0 || err != nil {
		return fmt.Errorf("at the end: %d bytes, %w", n, err)
	}
	return nil
}

// connectFor opens a tunnel by CONNECT.
func connectFor(s *service, name string, port uint16) (net.Conn, *bufio.Reader, error) {
	c, err := dialDoor(s.http)
	if err != nil {
		return nil, nil, err
	}
	r := bufio.NewReader(c)
	fmt.Fprintf(c, "CONNECT %s:%d HTTP/1.1\r\nHost: %[1]s:%[2]d\r\n\r\n", name, port)
	resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s, %s", resp.Status, resp.Header.Get("X-Sallyport-Reason"))
		if resp.StatusCode == http.StatusForbidden && resp.Header.Get("X-Sallyport-Reason") == "not_listed" {
			err = errDenied
		}
	}
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	return c, r, nil
}

func tryConnect(s *service, name string, port uint16) error {
	c, r, err := connectFor(s, name, port)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := echoed(c, r); err != nil {
		return err
	}
	return ended(c, r)
}

func trySOCKS(s *service, name string, port uint16) error {
	c, err := dialDoor(s.socks)
	if err != nil {
		return err
	}
	defer c.Close()
	_, _ = c.Write(binary.BigEndian.AppendUint16([]byte("\x05\x01\x00\x05\x01\x00\x03"+string(rune(len(name)))+name), port))
	reply := make([]byte, 12)
	if _, err := io.ReadFull(c, reply); err != nil {
		return err
	}
	switch reply[3] {
	case 0:
	case 2:
		return errDenied
	default:
		return fmt.Errorf("SOCKS reply %d", reply[3])
	}
	if err := echoed(c, c); err != nil {
		return err
	}
	return ended(c, c)
}

func tryHTTP(s *service, name string, port uint16) error {
	c, err := dialDoor(s.http)
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Fprintf(c, "GET http://%s:%d/ HTTP/1.1\r\nHost: %[1]s:%[2]d\r\nConnection: close\r\n\r\n", name, port)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	switch {
	case err == nil && resp.StatusCode == http.StatusOK && string(body) == "site":
		return nil
	case err == nil && resp.StatusCode == http.StatusForbidden && resp.Header.Get("X-Sallyport-Reason") == "not_listed":
		return errDenied
	}
	return fmt.Errorf("%s %q, %w", resp.Status, body, err)
}

func tryUDP(s *service, name string, _ uint16) error { return tryQuery(s, "udp", name) }
func tryTCP(s *service, name string, _ uint16) error { return tryQuery(s, "tcp", name) }

// tryQuery asks once: a lost query is not sent again. After a truncated answer
// it asks by TCP, as stub resolvers do.
func tryQuery(s *service, network, name string) error {
	q := new(dns.Msg)
	q.SetQuestion(name+".", dns.TypeA)
	m, _, err := (&dns.Client{Net: network, Timeout: longestWait}).Exchange(q, s.dns)
	switch {
	case err != nil:
		return err
	case m.Truncated && network == "udp":
		return tryQuery(s, "tcp", name)
	case m.Rcode == dns.RcodeNameError:
		return errDenied
	case m.Rcode == dns.RcodeSuccess && len(m.Answer) == 1 && m.Answer[0].(*dns.A).A.IsLoopback():
		return nil
	}
	return fmt.Errorf("answer %v", m)
}

// most is the highest number of tries at the same time. A machine that is too slow
// for the rate gets a lower rate.
const most = 1500

// load is a steady stream of tries.
type load struct {
	s     *service
	t     *testing.T
	stop  chan struct{}
	work  sync.WaitGroup
	alive atomic.Int64

	mu      sync.Mutex
	sent    map[string]int // keys are a way and a name
	denied  map[string]int
	other   int // neither served nor denied, if the name permits that result
	longest time.Duration
	failed  int
	lost    int // queries by UDP without an answer
}

func newLoad(t *testing.T, s *service) *load {
	l := &load{s: s, t: t, stop: make(chan struct{}), sent: map[string]int{}, denied: map[string]int{}}
	t.Cleanup(l.end)
	return l
}

// send makes tries of one way for one name, at a given rate per second, until the
// load ends.
func (l *load) send(way, name string, rate int) {
	l.work.Go(func() {
		const tick = 20 * time.Millisecond
		pace := time.NewTicker(tick)
		defer pace.Stop()
		start := time.Now()
		for n := 0; ; {
			select {
			case <-pace.C:
			case <-l.stop:
				return
			}
			for due := int(time.Since(start) * time.Duration(rate) / time.Second); n < due; n++ {
				if l.alive.Load() < most {
					l.one(way, name)
				}
			}
		}
	})
}

// one starts a try and checks its result. "always" must be served and "never" must
// be denied at any time. Any other name may be served or denied.
func (l *load) one(way, name string) {
	l.alive.Add(1)
	l.mu.Lock()
	l.sent[way+" "+name]++
	l.mu.Unlock()
	l.work.Go(func() {
		defer l.alive.Add(-1)
		port := l.s.allowed.addr.Port()
		if name == "never" {
			port = l.s.denied.addr.Port()
		}
		start := time.Now()
		err := doors[way](l.s, name+".site.example", port)
		took := time.Since(start)
		isDenied := errors.Is(err, errDenied)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.longest = max(l.longest, took)
		switch {
		case isDenied:
			l.denied[way+" "+name]++
		case err != nil:
			l.other++
		}
		right := name == "always" && err == nil || name == "never" && isDenied ||
			name != "always" && name != "never" && (err == nil || isDenied || !strings.HasPrefix(way, "dns")) // a reload may cut such a connection off
		var late net.Error
		if way == "dns-udp" && errors.As(err, &late) && late.Timeout() {
			l.lost++
		} else if !right {
			if l.failed++; l.failed <= 20 {
				l.t.Errorf("%s to %s, after %v: %v", way, name, took, err)
			}
		}
	})
}

// total returns the number of tries that were started so far.
func (l *load) total() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.sent {
		n += m
	}
	return n
}

// end stops the stream and waits for every answer.
func (l *load) end() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.work.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost == 0 {
		return
	}
	// A datagram that the kernel drops because the machine is busy never reaches sallyport.
	if dropped := dropsAt(l.t, netip.MustParseAddrPort(l.s.dns).Port()); l.lost > dropped {
		l.t.Errorf("%d queries by UDP got no answer, and the kernel dropped %d datagrams", l.lost, dropped)
	}
	l.lost = 0
}
