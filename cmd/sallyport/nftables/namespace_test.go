//go:build linux

// Network namespaces for the tests of the packet filter. Each ends with its test.

package nftables

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A namespace is a network namespace, held open by a file.
type namespace struct {
	t    *testing.T
	file *os.File
}

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	n := &namespace{t: t}
	made := make(chan error, 1)
	go n.create(made)
	if err := <-made; err != nil {
		t.Fatalf("cannot make a network namespace: %v", err)
	}
	t.Cleanup(func() { n.file.Close() })
	n.must("ip", "link", "set", "lo", "up")
	n.sysctl("ipv6/conf/default/accept_dad", "0") // no waiting for addresses
	return n
}

// create leaves its thread locked, so that the thread ends with the goroutine.
func (n *namespace) create(made chan<- error) {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		made <- err
		return
	}
	var err error
	n.file, err = os.Open("/proc/thread-self/ns/net")
	made <- err
}

// as runs f inside as a user. What f opens belongs to this namespace and user.
func (n *namespace) as(uid int, f func() error) error {
	done := make(chan error, 1)
	go n.enter(uid, f, done)
	return <-done
}

func (n *namespace) enter(uid int, f func() error, done chan<- error) {
	runtime.LockOSThread()
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
		done <- err
		return
	}
	if uid != 0 {
		// The packet filter identifies a socket by the file system user that opened it.
		if _, err := unix.SetfsuidRetUid(uid); err != nil {
			done <- err
			return
		}
	}
	done <- f()
}

// run runs a command inside and returns its output.
func (n *namespace) run(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out []byte
	err := n.as(0, func() (err error) { out, err = cmd.CombinedOutput(); return err })
	return string(out), err
}

func (n *namespace) must(name string, args ...string) {
	n.t.Helper()
	if out, err := n.run(name, args...); err != nil {
		n.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// cable joins two namespaces and gives each end its addresses.
func (n *namespace) cable(o *namespace, here, there string, hereAddrs, thereAddrs []string) {
	n.t.Helper()
	n.must("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), o.file.Fd()))
	for _, end := range []struct {
		n     *namespace
		link  string
		addrs []string
	}{{n, here, hereAddrs}, {o, there, thereAddrs}} {
		for _, a := range end.addrs {
			end.n.must("ip", "addr", "add", a, "dev", end.link, "nodad")
		}
		end.n.must("ip", "link", "set", end.link, "up")
	}
}

// sysctl writes below /proc/sys/net.
func (n *namespace) sysctl(key, value string) {
	n.t.Helper()
	if err := n.as(0, func() error { return os.WriteFile("/proc/sys/net/"+key, []byte(value), 0) }); err != nil {
		n.t.Fatal(err)
	}
}

// serve answers every datagram, and everything received on a connection, with a
// word.
func (n *namespace) serve(network, address, word string) io.Closer {
	n.t.Helper()
	return n.serveAs(0, network, address, word)
}

func (n *namespace) serveAs(uid int, network, address, word string) io.Closer {
	n.t.Helper()
	var c io.Closer
	err := n.as(uid, func() error {
		if network == "udp" {
			p, err := net.ListenPacket("udp", address)
			if err == nil {
				go answerPackets(p, word)
				c = p
			}
			return err
		}
		l, err := net.Listen("tcp", address)
		if err == nil {
			go answerConns(l, word)
			c = l
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { c.Close() })
	return c
}

func answerPackets(p net.PacketConn, word string) {
	buf := make([]byte, 4096)
	for {
		_, from, err := p.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = p.WriteTo([]byte(word), from)
	}
}

func answerConns(l net.Listener, word string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go answerConn(c, word)
	}
}

func answerConn(c net.Conn, word string) {
	defer c.Close()
	buf := make([]byte, 512)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		if _, err := c.Write([]byte(word)); err != nil {
			return
		}
	}
}

// How long the tests wait for an answer that must not come, and for an answer
// that must come.
const (
	brief   = 300 * time.Millisecond
	patient = 10 * time.Second
)

// ask sends a word to an address and returns the answer.
func (n *namespace) ask(uid int, network, from, address string, wait time.Duration) (string, error) {
	c, err := n.dial(uid, network, from, address, wait)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return askOn(c, wait)
}

// dial opens a connection from inside.
func (n *namespace) dial(uid int, network, from, address string, wait time.Duration) (c net.Conn, err error) {
	d := net.Dialer{Timeout: wait}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
		if network == "udp" {
			d.LocalAddr = &net.UDPAddr{IP: net.ParseIP(from)}
		}
	}
	err = n.as(uid, func() (err error) { c, err = d.Dial(network, address); return err })
	return c, err
}

func askOn(c net.Conn, wait time.Duration) (string, error) {
	if _, err := c.Write([]byte("?")); err != nil {
		return "", err
	}
	_ = c.SetReadDeadline(time.Now().Add(wait))
	buf := make([]byte, 512)
	k, err := c.Read(buf)
	return string(buf[:k]), err
}

// outcome returns one word for an answer or its absence.
func outcome(answer string, err error) string {
	var timeout net.Error
	switch {
	case err == nil:
		return answer
	case errors.Is(err, syscall.EPERM):
		return "not permitted"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EACCES):
		return "prohibited"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "nothing"
	}
	return err.Error()
}

// raw sends one packet of a protocol, as only root can.
func (n *namespace) raw(network, address string, payload []byte) error {
	return n.as(0, func() error {
		c, err := net.Dial(network, address)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write(payload)
		return err
	})
}

// counters returns the packets of the named counters of a table.
func (n *namespace) counters(table ...string) map[string]int {
	n.t.Helper()
	out, err := n.run("nft", append([]string{"list", "counters", "table"}, table...)...)
	if err != nil {
		n.t.Fatalf("%v\n%s", err, out)
	}
	found, name := map[string]int{}, ""
	for line := range strings.Lines(out) {
		var packets, bytes int
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "counter "); ok {
			name, _, _ = strings.Cut(rest, " ")
		} else if k, _ := fmt.Sscanf(line, "packets %d bytes %d", &packets, &bytes); k == 2 {
			found[name] = packets
		}
	}
	return found
}

// awaitCounter waits until a counter of the packet filter has at least this many
// packets. It returns their number.
func (n *namespace) awaitCounter(name string, packets int) int {
	n.t.Helper()
	for end := time.Now().Add(patient); ; {
		if got := n.counters("inet", "sallyport")[name]; got >= packets || time.Now().After(end) {
			return got
		}
	}
}

// asNobody runs f inside without capabilities.
func (n *namespace) asNobody(f func() error) error {
	return n.as(0, func() error {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			return err
		}
		return f()
	})
}
