//go:build linux

// Probe: what code inside a container can try. The test binary itself is copied
// into the application's image and run there with a list of tasks.

package e2e

import (
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// probeVariable makes the test binary the probe.
const probeVariable = "SALLYPORT_E2E_PROBE"

// task is one thing to try; every one is done on a thread of its own.
type task struct {
	Name    string
	How     string // a key of ways
	To      string // address:port
	Payload []byte
	SNI     string
	UID     int // become this user first; 0: stay
	Proto   byte
}

// outcome is what came of it, as the one who tried sees it.
type outcome struct{ Name, Err, Answer string }

// patience is how long one try waits for an answer.
const patience = 1200 * time.Millisecond

// ways are what a task can be.
var ways = map[string]func(task) (string, error){
	"tcp":       func(k task) (string, error) { return k.stream(nil) },
	"tcp-link":  func(k task) (string, error) { return k.stream(onLink) },
	"tls":       task.hello,
	"udp":       func(k task) (string, error) { return k.packet(nil) },
	"udp-link":  func(k task) (string, error) { return k.packet(onLink) },
	"broadcast": func(k task) (string, error) { return k.packet(broadcast) },
	"ping":      task.ping,
	"raw":       task.raw,
	"frame":     task.frame,
	"unload":    task.unload,
	"namespace": task.namespace,
	"scan":      task.scan,
	"vsock":     task.vsock,
}

// vsock opens a socket to the hypervisor, which no packet filter sees.
func (k task) vsock() (string, error) {
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	return "opened", unix.Close(fd)
}

// runProbe reads tasks, tries all at once, and writes the outcomes in their order.
func runProbe(r io.Reader, w io.Writer) int {
	var tasks []task
	if err := json.NewDecoder(r).Decode(&tasks); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	outcomes := make([]outcome, len(tasks))
	var all sync.WaitGroup
	for i, k := range tasks {
		all.Go(func() {
			runtime.LockOSThread() // and never unlocked: a user or a namespace may have changed
			answer, err := "", error(nil)
			if k.UID != 0 {
				id := uintptr(k.UID)
				if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, id, id, id); errno != 0 {
					err = errno
				}
			}
			if err == nil {
				answer, err = ways[k.How](k)
			}
			outcomes[i] = outcome{Name: k.Name, Answer: answer}
			if err != nil {
				outcomes[i].Err = err.Error()
			}
		})
	}
	all.Wait()
	if err := json.NewEncoder(w).Encode(outcomes); err != nil {
		return 2
	}
	return 0
}

// onLink makes the kernel look for the destination on the link itself: no
// route, no router, no privilege.
func onLink(_, _ string, c syscall.RawConn) error {
	var err error
	_ = c.Control(func(fd uintptr) {
		err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DONTROUTE, 1),
			unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, "eth0"))
	})
	return err
}

func broadcast(_, _ string, c syscall.RawConn) error {
	var err error
	_ = c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1) })
	return err
}

func (k task) dial(network string, control func(string, string, syscall.RawConn) error) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: patience, Control: control}).Dial(network, k.To)
	if err == nil {
		_ = c.SetDeadline(time.Now().Add(patience))
	}
	return c, err
}

func (k task) stream(control func(string, string, syscall.RawConn) error) (string, error) {
	c, err := k.dial("tcp", control)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.Write(k.Payload); err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(c, 4096))
	return string(b), err
}

// hello makes a TLS handshake like a browser, with any server that answers.
func (k task) hello() (string, error) {
	c, err := k.dial("tcp", nil)
	if err != nil {
		return "", err
	}
	defer c.Close()
	secure := tls.Client(c, &tls.Config{ServerName: k.SNI, InsecureSkipVerify: true})
	if _, err := fmt.Fprintf(secure, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", k.SNI); err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(secure, 4096))
	return string(b), err
}

func (k task) packet(control func(string, string, syscall.RawConn) error) (string, error) {
	c, err := k.dial("udp", control)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.Write(k.Payload); err != nil {
		return "", err
	}
	b := make([]byte, 4096)
	n, err := c.Read(b)
	return string(b[:n]), err
}

// ping uses the sockets that Docker lets every user have.
func (k task) ping() (string, error) {
	dst := netip.MustParseAddrPort(k.To).Addr()
	family, proto, to := unix.AF_INET, unix.IPPROTO_ICMP, unix.Sockaddr(&unix.SockaddrInet4{Addr: [4]byte(dst.AsSlice()[:4])})
	if dst.Is6() {
		family, proto, to = unix.AF_INET6, unix.IPPROTO_ICMPV6, &unix.SockaddrInet6{Addr: dst.As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	_, message := echo(dst, dst, string(k.Payload))
	return "", unix.Sendto(fd, message, 0, to)
}

// own returns this container's address of a family.
func own(v6 bool) (netip.Addr, error) {
	i, err := net.InterfaceByName("eth0")
	if err != nil {
		return netip.Addr{}, err
	}
	list, err := i.Addrs()
	for _, a := range list {
		if p, perr := netip.ParsePrefix(a.String()); perr == nil && p.Addr().Is6() == v6 && !p.Addr().IsLinkLocalUnicast() {
			return p.Addr(), nil
		}
	}
	return netip.Addr{}, errors.Join(err, errorf("no address"))
}

// build makes a whole packet of the task's protocol.
func (k task) build() (netip.Addr, []byte, error) {
	to := netip.MustParseAddrPort(k.To)
	src, err := own(to.Addr().Is6())
	if err != nil {
		return to.Addr(), nil, err
	}
	from, proto, payload := netip.AddrPortFrom(src, 40000), k.Proto, k.Payload
	switch proto {
	case protoUDP:
		payload = datagram(from, to, string(payload))
	case protoTCP:
		payload = segment(from, to, tcpSYN, string(payload))
	case protoICMP:
		proto, payload = echo(src, to.Addr(), string(payload))
	}
	return to.Addr(), ipPacket(src, to.Addr(), proto, 0, nil, payload), nil
}

func (k task) raw() (string, error) {
	dst, packet, err := k.build()
	if err != nil {
		return "", err
	}
	return "", sendRaw(dst, packet)
}

// frame sends below the packet filter, to the router's hardware address.
func (k task) frame() (string, error) {
	_, packet, err := k.build()
	if err != nil {
		return "", err
	}
	for _, wake := range []string{"8.8.8.8:9", "[2001:4860:4860::8888]:9"} {
		_, _ = task{To: wake, Payload: []byte("wake")}.packet(nil)
	}
	mac := net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	table, _ := os.ReadFile("/proc/net/arp")
	for _, row := range lines(string(table))[1:] {
		if m, err := net.ParseMAC(strings.Fields(row)[3]); err == nil {
			mac = m
		}
	}
	return "", sendFrame("eth0", mac, packet)
}

// unload deletes every rule of the namespace.
func (task) unload() (string, error) {
	c, err := nftables.New()
	if err != nil {
		return "", err
	}
	c.FlushRuleset()
	return "", c.Flush()
}

// namespace makes a network namespace of its own, as an unprivileged user could
// on many hosts.
func (task) namespace() (string, error) {
	out, err := exec.Command("unshare", "--user", "--net", "id").CombinedOutput()
	return string(out), err
}

// scan asks every port of loopback for the metrics, and the unix sockets that
// can be seen.
func (k task) scan() (string, error) {
	var found []string
	var mu sync.Mutex
	var all sync.WaitGroup
	slots := make(chan struct{}, 256)
	ask := func(network, address string) {
		defer func() { <-slots }()
		c, err := (&net.Dialer{Timeout: patience}).Dial(network, address)
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(c, "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
		b, _ := io.ReadAll(io.LimitReader(c, 1<<16))
		mu.Lock()
		defer mu.Unlock()
		what := "open"
		if strings.Contains(string(b), "sallyport_") {
			what = "metrics"
		}
		found = append(found, what+" "+address)
	}
	for port := 1; port < 1<<16; port++ {
		slots <- struct{}{}
		all.Go(func() { ask("tcp", fmt.Sprintf("127.0.0.1:%d", port)) })
	}
	sockets, err := os.ReadFile("/proc/net/unix")
	for _, row := range lines(string(sockets)) {
		if f := strings.Fields(row); len(f) == 8 && (f[7][0] == '/' || f[7][0] == '@') {
			slots <- struct{}{}
			all.Go(func() { ask("unix", f[7]) })
		}
	}
	all.Wait()
	return strings.Join(found, "\n"), err
}

// query is a DNS question, for the tasks that ask.
func query(name string, overTCP bool) []byte {
	b := []byte{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for _, label := range strings.Split(name, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	b = append(b, 0, 0, 1, 0, 1)
	if overTCP {
		return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
	}
	return b
}
