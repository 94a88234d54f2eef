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
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// probeVariable makes the test binary the probe.
const probeVariable = "SALLYPORT_E2E_PROBE"

// task is one thing to try. Each task runs on a thread of its own.
type task struct {
	Name    string
	How     string // a key of ways
	To      string // address:port
	Payload []byte
	SNI     string
	UID     int // become this user first; 0: stay
	Proto   byte
}

// outcome is the result of a task, as the program that tried it sees it.
type outcome struct{ Name, Err, Answer string }

// patience is how long one try waits for an answer.
const patience = 1200 * time.Millisecond

// ways are the kinds of tasks.
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
			runtime.LockOSThread() // the thread is never unlocked: its user or namespace may have changed
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

// onLink makes the kernel look for the destination on the link itself. That needs
// no route, no router and no privilege.
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

// scan asks every port of loopback, and every unix socket that it can see, for the
// metrics.
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

// query is a DNS question, for the tasks that send one.
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
