//go:build linux

// Notify: the notifications that systemd gets and their order, and that a process
// that hangs sends none.

package e2e

import (
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// From READY to STOPPING: notifications announce the start and the end of a reload.
// The status shows a bad reload and a dead upstream. The watchdog gets its
// notifications, and no notification comes twice.
func TestNotify(t *testing.T) {
	s := newService(t)
	s.env = append(s.env, "WATCHDOG_USEC=400000")
	s.configure(t, s.configuration())
	s.activate(t)
	first := s.since(0)[0]
	if err := lacks(first, "READY=1\nSTATUS=", "1 rule in force, mode enforce"); err != nil {
		t.Errorf("the first word %q: %v", first, err)
	}
	s.waitNote(t, 0, "WATCHDOG=1")

	mark := s.notes()
	s.configure(t, s.configuration(s.rule("now-and-then")))
	s.signal(t, syscall.SIGHUP)
	s.waitNote(t, mark, "READY=1")
	heard := slices.DeleteFunc(s.since(mark), func(m string) bool { return m == "WATCHDOG=1" || strings.HasPrefix(m, "STATUS=") })
	if len(heard) < 2 || !strings.HasPrefix(heard[0], "RELOADING=1\nMONOTONIC_USEC=") || lacks(heard[1], "READY=1", "2 rules in force") != nil {
		t.Errorf("about a reload: %q", heard)
	}

	mark = s.notes()
	s.configure(t, "mood = 1\n")
	s.signal(t, syscall.SIGHUP)
	if err := lacks(s.waitNote(t, mark, "READY=1"), "STATUS=not ready: configuration", "2 rules in force"); err != nil {
		t.Errorf("about a bad reload: %v", err)
	}
	mark = s.notes()
	s.configure(t, strings.ReplaceAll(s.configuration(), s.upstream.addr, deadPort(t)))
	s.signal(t, syscall.SIGHUP)
	eventually(t, 30*time.Second, "word of a dead upstream", func() error {
		return lacks(strings.Join(s.since(mark), "\n"), "STATUS=not ready: dns: no upstream answers")
	})

	mark = s.notes()
	s.signal(t, syscall.SIGTERM)
	if code := s.waitExit(t, 30*time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	last := slices.DeleteFunc(s.since(mark), func(m string) bool { return m == "WATCHDOG=1" })
	if len(last) == 0 || lacks(last[len(last)-1], "STOPPING=1", "EXTEND_TIMEOUT_USEC=35000000", "STATUS=draining") != nil {
		t.Errorf("at the end: %q", last)
	}
}

// A process that hangs sends no watchdog notification. After it continues, it sends
// them again.
func TestWatchdogOfAHungProcess(t *testing.T) {
	s := newService(t)
	s.env = append(s.env, "WATCHDOG_USEC=200000")
	s.configure(t, s.configuration())
	s.activate(t)
	s.waitNote(t, 0, "WATCHDOG=1")
	s.signal(t, syscall.SIGSTOP)
	eventually(t, 30*time.Second, "silence for more than an interval", func() error {
		mark := s.notes()
		time.Sleep(300 * time.Millisecond) // a wait is necessary, because no notification may come
		if n := s.notes() - mark; n > 0 {
			return errorf("%d notifications", n)
		}
		return nil
	})
	mark := s.notes()
	s.signal(t, syscall.SIGCONT)
	s.waitNote(t, mark, "WATCHDOG=1")
}

// If the sockets from systemd do not fit the configuration, sallyport does not
// start. It reports the cause and the cure.
func TestStrangeDoors(t *testing.T) {
	for name, c := range map[string]struct {
		hold func(t *testing.T, s *service)
		env  string
		says []string
	}{
		"nobody asked for it": {func(t *testing.T, s *service) { s.hold(t, "127.0.0.1:0") }, "", []string{"but no [listen] entry has it", "systemctl daemon-reload"}},
		"another name":        {nil, "LISTEN_FDNAMES=socks5:sallyport.socket:dns:dns", []string{"FileDescriptorName=socks5), but [listen] http has that address"}},
		"MPTCP": {func(t *testing.T, s *service) {
			l, err := net.Listen("tcp", "127.0.0.1:0") // Go's default is MPTCP
			if err != nil {
				t.Fatal(err)
			}
			s.keep(t, l.(*net.TCPListener))
		}, "", []string{"is no plain TCP but protocol 262", "SocketProtocol="}},
		"connected": {func(t *testing.T, s *service) {
			l, err := plainTCP(t, "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			s.keep(t, c.(*net.TCPConn))
		}, "", []string{"Accept=no"}},
		"unix for everybody": {func(t *testing.T, s *service) {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.dir + "/admin", Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Chmod(s.dir+"/admin", 0o666); err != nil {
				t.Fatal(err)
			}
			s.keep(t, l)
		}, "", []string{"every user may connect to", "SocketMode=0600"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			if c.hold != nil {
				c.hold(t, s)
			}
			if c.env != "" {
				s.env = append(s.env, c.env)
			}
			s.configure(t, s.configuration())
			s.launch(t)
			if code := s.waitExit(t, 30*time.Second); code != 1 || lacks(s.out.String(), c.says...) != nil || s.notes() != 0 {
				t.Errorf("exit code %d, %d notifications, %s", code, s.notes(), s.out.String())
			}
		})
	}
}

// deadPort returns an address where no server answers.
func deadPort(t *testing.T) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc.Close()
	return pc.LocalAddr().String()
}
