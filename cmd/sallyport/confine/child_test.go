//go:build linux

// Child: a second process of this test binary that calls Apply on itself. It then
// tries permitted and forbidden operations and reports the error of each.

package confine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An order is what the parent sends to the child on standard input.
type order struct {
	Plan   Plan
	Errno  syscall.Errno // 0, or the error that a seccomp filter returns for landlock_create_ruleset
	As     int           // 0, or an older version of Landlock to use
	Inside string        // a directory that Plan grants for writing
	Read   string        // a directory that Plan grants for reading, with a file f
	Beyond string        // a directory that Plan does not grant, with a file f
	Peer   string        // the parent's TCP listener
	Socket string        // the name of the parent's abstract datagram socket
}

// A report is what the child prints: one line before the tries and one after.
type report struct {
	Steps  []Step
	Covers map[string]bool
	Tries  map[string]string // the error, "" for none
	Status []string          // of each thread: the lines about privileges, see privileges
}

const childMark = "SALLYPORT_CONFINE_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childMark) != "" {
		if err := child(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func child() error {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	var o order
	if err := in.Decode(&o); err != nil {
		return err
	}
	if o.Errno != 0 {
		if err := refuseLandlock(o.Errno); err != nil {
			return err
		}
	}
	early, err := net.Dial("unixgram", o.Socket) // before the confinement, like a notification socket
	if err != nil {
		return err
	}
	threads := startThreads(4)
	c := &Confinement{}
	if o.As == 0 {
		c = Apply(o.Plan)
	} else {
		c.dropCapabilities(o.Plan)
		c.setNoNewPrivs()
		c.restrictAs(o.As, o.Plan.Files)
	}
	if err := out.Encode(report{Steps: c.Steps}); err != nil {
		return err
	}
	var change string // the parent has replaced f
	if err := in.Decode(&change); err != nil {
		return err
	}
	r := report{Steps: c.Steps, Tries: map[string]string{}, Covers: map[string]bool{}}
	for _, path := range []string{o.Read + "/f", o.Beyond + "/f", o.Inside + "/none"} {
		r.Covers[path] = c.Covers(path)
	}
	try := func(name string, f func() error) {
		r.Tries[name] = ""
		if err := f(); err != nil {
			r.Tries[name] = err.Error()
		}
	}
	o.tryFiles(try)
	o.tryOthers(try, early)
	try("every thread is confined", func() error { return threads(o.Beyond + "/by-thread") })
	r.Status, err = privileges()
	if err != nil {
		return err
	}
	return out.Encode(r)
}

// startThreads starts n system threads before the confinement. The function that it
// returns lets each of them write a file.
func startThreads(n int) func(path string) error {
	paths, errs := make(chan string), make(chan error)
	for range n {
		ready := make(chan bool)
		go func() {
			runtime.LockOSThread()
			close(ready)
			errs <- os.WriteFile(<-paths, nil, 0o600)
		}()
		<-ready
	}
	return func(path string) error {
		var last error
		for i := range n {
			paths <- fmt.Sprint(path, i)
			err := <-errs
			if err == nil {
				return nil // one success fails the test
			}
			last = err
		}
		return last
	}
}

func (o order) tryFiles(try func(string, func() error)) {
	in := func(name string) string { return filepath.Join(o.Inside, name) }
	try("read a replaced file", func() error { _, err := os.ReadFile(o.Read + "/f"); return err })
	try("make a file", func() error { return os.WriteFile(in("a"), []byte("x"), 0o600) })
	try("rename it", func() error { return os.Rename(in("a"), in("b")) })
	try("truncate it", func() error { return os.Truncate(in("b"), 0) })
	try("remove it", func() error { return os.Remove(in("b")) })
	try("list the directory", func() error { _, err := os.ReadDir(o.Inside); return err })
	try("list own descriptors", func() error { _, err := os.ReadDir("/proc/self/fd"); return err })

	try("create a file in a readable directory", func() error { return os.WriteFile(o.Read+"/new", nil, 0o600) })
	try("overwrite a readable file", func() error { return os.WriteFile(o.Read+"/f", nil, 0o600) })
	try("list a readable directory", func() error { _, err := os.ReadDir(o.Read); return err })
	try("make a directory", func() error { return os.Mkdir(in("d"), 0o700) })
	try("make a link", func() error { return os.Symlink("/", in("l")) })
	try("make a device", func() error { return unix.Mknod(in("n"), unix.S_IFCHR|0o600, 0x103) })
	try("make a socket", func() error { _, err := net.Listen("unix", in("s")); return err })
	try("move a file to an ungranted directory", func() error {
		if err := os.WriteFile(in("m"), nil, 0o600); err != nil {
			return nil // no error: the test fails
		}
		return os.Rename(in("m"), o.Beyond+"/m")
	})
	try("read an ungranted file", func() error { _, err := os.ReadFile(o.Beyond + "/f"); return err })
	try("create an ungranted file", func() error { return os.WriteFile(o.Beyond+"/new", nil, 0o600) })
	try("truncate an ungranted file", func() error { return os.Truncate(o.Beyond+"/f", 0) })
	try("list an ungranted directory", func() error { _, err := os.ReadDir(o.Beyond); return err })
	try("remove an ungranted file", func() error { return os.Remove(o.Beyond + "/f") })
	try("read the parent's environment", func() error {
		_, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", os.Getppid()))
		return err
	})
	try("execute a program", execute("/bin/true"))
	try("execute own binary", execute("/proc/self/exe", "-test.run=^$"))
	try("execute a written file", func() error {
		// If execution were permitted, the error would be about the format.
		if err := os.WriteFile(in("x"), []byte("no program"), 0o700); err != nil {
			return nil
		}
		return execute(in("x"))()
	})
	try("execute a readable file", execute(o.Read+"/f"))
	try("change own process name", func() error {
		f, err := os.OpenFile("/proc/self/comm", os.O_WRONLY, 0)
		if err == nil {
			f.Close()
		}
		return err
	})
}

// execute runs a program without opening any file first, not even /dev/null.
func execute(name string, args ...string) func() error {
	return func() error {
		c := exec.Command(name, args...)
		c.Env, c.Stdin, c.Stdout, c.Stderr = []string{}, os.Stdin, os.Stderr, os.Stderr
		return c.Run()
	}
}

func (o order) tryOthers(try func(string, func() error), early net.Conn) {
	listen := func(network, address string) func() error {
		return func() error {
			var c net.ListenConfig
			c.SetMultipathTCP(false)
			l, err := c.Listen(context.Background(), network, address)
			if err == nil {
				l.Close()
			}
			return err
		}
	}
	try("listen on TCP", listen("tcp4", "127.0.0.1:0"))
	try("listen on TCP over IPv6", listen("tcp6", "[::1]:0"))
	// Landlock does not restrict these, see SECURITY.md.
	try("listen on a port that the kernel chooses", func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Listen(fd, 1)
	})
	try("connect by TCP", func() error {
		c, err := net.DialTimeout("tcp", o.Peer, 5*time.Second)
		if err == nil {
			c.Close()
		}
		return err
	})
	try("open a socket for datagrams", func() error {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err == nil {
			c.Close()
		}
		return err
	})
	try("send on an earlier socket", func() error { _, err := early.Write([]byte("READY=1")); return err })
	try("reach an abstract socket", func() error { _, err := net.Dial("unixgram", o.Socket); return err })
	try("signal own process", func() error { return unix.Kill(os.Getpid(), unix.SIGURG) })
	try("signal the parent", func() error { return unix.Kill(os.Getppid(), 0) })

	// These need a capability.
	try("listen on a low port", func() error { _, err := net.ListenPacket("udp4", "127.0.0.1:7"); return err })
	try("open a raw socket", func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP); return err })
	try("open a packet socket", func() error { _, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); return err })
	try("change the user", func() error { return syscall.Setresuid(12345, 12345, 12345) })
	try("change the owner of a file", func() error { return os.Chown(o.Inside, 12345, 12345) })
	try("mount", func() error { return unix.Mount("none", o.Inside, "tmpfs", 0, "") })
	try("change the network", func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			return nil
		}
		ifr, err := unix.NewIfreq("lo")
		if err != nil {
			return nil
		}
		ifr.SetUint16(unix.IFF_UP | unix.IFF_LOOPBACK | unix.IFF_RUNNING)
		return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
	})
}

// privileges returns, for each thread, the lines of its /proc status about
// capabilities and no_new_privs.
func privileges() (all []string, err error) {
	files, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		status, err := os.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			return nil, err
		}
		var lines []string
		for line := range strings.Lines(string(status)) {
			if strings.HasPrefix(line, "Cap") || strings.HasPrefix(line, "NoNewPrivs") {
				lines = append(lines, strings.Join(strings.Fields(line), ""))
			}
		}
		all = append(all, strings.Join(lines, " "))
	}
	return all, nil
}

// refuseLandlock makes landlock_create_ruleset fail on every thread, as it fails on a
// kernel without Landlock or under a seccomp filter.
func refuseLandlock(errno syscall.Errno) error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_LANDLOCK_CREATE_RULESET},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	return seccomp(filter)
}
