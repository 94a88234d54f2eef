//go:build linux

// Network namespaces: made by this process, held by a file descriptor, gone
// with it. Sockets are opened, and commands started, from a thread inside.

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// netns is one network namespace.
type netns struct {
	name string
	file *os.File
}

// newNetns makes an empty namespace with its loopback interface up.
func newNetns(t *testing.T, name string) *netns {
	t.Helper()
	n := &netns{name: name}
	made := make(chan error, 1)
	go n.create(made)
	if err := <-made; err != nil {
		if errors.Is(err, unix.EPERM) {
			missing(t, "this machine does not let root make network namespaces: %v", err)
		}
		t.Fatalf("namespace %s: %v", name, err)
	}
	t.Cleanup(func() { n.file.Close() })
	n.sysctl(t, "ipv6/conf/default/accept_dad", "0") // neighbours find each other without a delay
	n.ip(t, "link set lo up")
	return n
}

// create runs on a thread that is never given back to the scheduler. The thread
// ends with the goroutine, and no other goroutine can run inside the namespace.
func (n *netns) create(made chan<- error) {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		made <- err
		return
	}
	var err error
	n.file, err = os.Open("/proc/thread-self/ns/net")
	made <- err
}

// path names the namespace for ip(8).
func (n *netns) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd()) }

// do runs f on a thread inside the namespace. Sockets that f opens stay there.
func (n *netns) do(f func() error) error {
	done := make(chan error, 1)
	go n.enter(f, done)
	return <-done
}

func (n *netns) enter(f func() error, done chan<- error) {
	runtime.LockOSThread() // the thread is never unlocked, as in create
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
		done <- err
		return
	}
	done <- f()
}

// doAs runs f like do, but as another user and without any capability.
func (n *netns) doAs(uid int, f func() error) error {
	return n.do(func() error {
		// Raw system calls change only this thread. x/sys would change every thread
		// of the process.
		id := uintptr(uid)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, id, id, id); errno != 0 {
			return errno
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, id, id, id); errno != 0 {
			return errno
		}
		return f()
	})
}

// listen opens a TCP listener inside.
func (n *netns) listen(address string) (l net.Listener, err error) {
	err = n.do(func() (err error) { l, err = net.Listen("tcp", address); return err })
	return l, err
}

// serveEach serves the connections of a listener until the listener is closed. all
// waits for the last connection.
func serveEach(l net.Listener, all *sync.WaitGroup, serve func(net.Conn)) {
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { serve(c) })
		}
	})
}

// listenPacket opens a UDP socket inside.
func (n *netns) listenPacket(address string) (c net.PacketConn, err error) {
	err = n.do(func() (err error) { c, err = net.ListenPacket("udp", address); return err })
	return c, err
}

// dial connects from inside; from is the source address, "" for any.
func (n *netns) dial(network, from, address string) (net.Conn, error) {
	return n.dialWithin(3*time.Second, network, from, address)
}

// dialWithin is dial with another limit of time.
func (n *netns) dialWithin(limit time.Duration, network, from, address string) (c net.Conn, err error) {
	d := net.Dialer{Timeout: limit}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
		if network == "udp" {
			d.LocalAddr = &net.UDPAddr{IP: net.ParseIP(from)}
		}
	}
	err = n.do(func() (err error) { c, err = d.Dial(network, address); return err })
	return c, err
}

// result is the outcome of a finished command.
type result struct {
	line           string // the command line, for messages
	stdout, stderr string
	code           int
	took           time.Duration
}

func (r result) String() string {
	return fmt.Sprintf("$ %s\n[exit %d after %v]\n%s%s", r.line, r.code, r.took.Round(time.Millisecond), r.stdout, r.stderr)
}

// all returns both outputs.
func (r result) all() string { return r.stdout + r.stderr }

// command prepares a command without the environment of the test: no proxy
// variables, no configuration from home. It is killed with the thread that starts
// it, which must therefore be locked, as in do.
func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// run runs a command inside to its end, at most two minutes: a browser starts slowly
// from a cold disk.
func (n *netns) run(t *testing.T, dir, stdin, name string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := command(ctx, dir, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	start := time.Now()
	err := n.do(cmd.Run)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s in %s: %v", name, n.name, err)
	}
	return result{
		line: strings.Join(append([]string{name}, args...), " "), stdout: stdout.String(), stderr: stderr.String(),
		code: cmd.ProcessState.ExitCode(), took: time.Since(start),
	}
}

// ip runs lines of ip(8) inside, in one process.
func (n *netns) ip(t *testing.T, lines ...string) {
	t.Helper()
	if r := n.run(t, "/", strings.Join(lines, "\n")+"\n", "ip", "-batch", "-"); r.code != 0 {
		t.Fatalf("namespace %s: %v", n.name, r)
	}
}

// sysctl writes a value below /proc/sys/net. That directory shows the namespace of
// the thread that opens it.
func (n *netns) sysctl(t *testing.T, key, value string) {
	t.Helper()
	file := "/proc/sys/net/" + key
	err := n.do(func() error {
		if now, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(now)) == value {
			return nil
		}
		return os.WriteFile(file, []byte(value), 0)
	})
	if err != nil {
		t.Fatalf("namespace %s: %v", n.name, err)
	}
}

// dialBriefly is dial for a connection that is expected to fail.
func (n *netns) dialBriefly(address string) (c net.Conn, err error) {
	d := net.Dialer{Timeout: 300 * time.Millisecond}
	err = n.do(func() (err error) { c, err = d.Dial("tcp", address); return err })
	return c, err
}
