// Tests of sockets: the address that the kernel reports decides which listener gets
// which socket.

package systemd

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// passed opens a socket as systemd would, and returns it as a file with a name.
func passed(t *testing.T, name, network, addr string, v6only int) (*os.File, string) {
	t.Helper()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if v6only >= 0 {
			c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, v6only) })
		}
		return err
	}}
	lc.SetMultipathTCP(false)
	var c interface {
		File() (*os.File, error)
		Close() error
	}
	var at string
	if strings.HasPrefix(network, "udp") {
		pc, err := lc.ListenPacket(t.Context(), network, addr)
		if err != nil {
			t.Fatal(err)
		}
		c, at = pc.(*net.UDPConn), pc.LocalAddr().String()
	} else {
		l, err := lc.Listen(t.Context(), network, addr)
		if err != nil {
			t.Fatal(err)
		}
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
			c, at = u, addr
		} else {
			c, at = l.(*net.TCPListener), l.Addr().String()
		}
	}
	f, err := c.File()
	c.Close()
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(func() uintptr { fd, _ := unix.Dup(int(f.Fd())); f.Close(); return uintptr(fd) }(), name), at
}

// A socket matches a door by its address only, not by its name. PORT stands for the
// port of the socket.
func TestMatch(t *testing.T) {
	for _, c := range []struct {
		what, name, network, addr string
		v6only                    int
		doors                     []string // KEY NETWORK ADDRESS
		error                     string   // part of the error; "": the first door gets the socket
	}{
		{"the same address", "sallyport.socket", "tcp4", "127.0.0.1:0", -1, []string{"http tcp 127.0.0.1:PORT"}, ""},
		{"the same address and name", "http", "tcp4", "127.0.0.1:0", -1, []string{"http tcp 127.0.0.1:PORT"}, ""},
		{"the name of another door", "admin", "tcp4", "127.0.0.1:0", -1, []string{"http tcp 127.0.0.1:PORT"}, "but [listen] http has that address"},
		{"datagrams", "x", "udp4", "127.0.0.1:0", -1, []string{"dns udp 127.0.0.1:PORT"}, ""},
		{"datagrams for a stream", "x", "udp4", "127.0.0.1:0", -1, []string{"http tcp 127.0.0.1:PORT"}, "for datagrams ([listen] http is served by streams)"},
		{"another address", "x", "tcp4", "127.0.0.1:0", -1, []string{"http tcp 127.0.0.2:PORT"}, "([listen] http has 127.0.0.2:PORT)"},
		{"every address of IPv4", "x", "tcp4", "0.0.0.0:0", -1, []string{"http tcp 0.0.0.0:PORT"}, ""},
		{"one address for every address", "x", "tcp4", "127.0.0.1:0", -1, []string{"http tcp 0.0.0.0:PORT"}, "but no [listen] entry has it"},
		{"every address", "x", "tcp6", "[::]:0", 0, []string{"http tcp [::]:PORT"}, ""},
		{"IPv6 alone", "x", "tcp6", "[::]:0", 1, []string{"http tcp [::]:PORT"}, "set BindIPv6Only=both"},
		{"IPv6 alone, datagrams", "x", "udp6", "[::]:0", 1, []string{"dns udp [::]:PORT"}, "set BindIPv6Only=both"},
		{"IPv6 alone beside IPv4", "x", "tcp6", "[::]:0", 1, []string{"http tcp [::]:PORT", "http tcp 0.0.0.0:PORT"}, ""},
		{"both families for IPv4", "x", "tcp6", "[::]:0", 0, []string{"http tcp 0.0.0.0:PORT"}, `in the unit, write "ListenStream=0.0.0.0:PORT"; the port alone means [::]`},
		{"an address of IPv6", "x", "tcp6", "[::1]:0", -1, []string{"http tcp [::1]:PORT"}, ""},
	} {
		f, at := passed(t, c.name, c.network, c.addr, c.v6only)
		_, port, _ := net.SplitHostPort(at)
		in, err := openAll([]*os.File{f})
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		var doors []Door
		for _, text := range c.doors {
			p := strings.Fields(strings.ReplaceAll(text, "PORT", port))
			doors = append(doors, Door{Key: p[0], Network: p[1], Addr: netip.MustParseAddrPort(p[2])})
		}
		err = in.Match(doors)
		matched := false
		if doors[0].Network == "udp" {
			matched = len(in.Packets(doors[0])) == 1
		} else {
			matched = in.Listener(doors[0]) != nil
		}
		want := strings.ReplaceAll(c.error, "PORT", port)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) || matched != (want == "") {
			t.Errorf("%s: matched: %t, %v", c.what, matched, err)
		}
		for _, s := range in.list {
			s.close()
		}
	}
}

// Two passed sockets with the same address are an error.
func TestMatchSameAddressTwice(t *testing.T) {
	f, at := passed(t, "x", "tcp4", "127.0.0.1:0", -1)
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	in, err := openAll([]*os.File{f, os.NewFile(uintptr(fd), "y")})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	d := Door{Key: "http", Network: "tcp", Addr: netip.MustParseAddrPort(at)}
	if err := in.Match([]Door{d}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("two sockets with one address: %v", err)
	}
}

// Closing a listener does not shut down the socket that systemd holds. A waiting
// connection goes to the next process. The path of a unix socket stays.
func TestCloseLeavesTheSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin")
	for _, c := range []struct{ network, addr string }{{"tcp4", "127.0.0.1:0"}, {"unix", path}} {
		f, at := passed(t, "x", c.network, c.addr, -1)
		if c.network == "unix" {
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var next []*os.File
		for range 2 {
			fd, err := unix.Dup(int(f.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			next = append(next, os.NewFile(uintptr(fd), "x"))
		}
		d := Door{Key: "admin", Network: "tcp"}
		if c.network == "unix" {
			d.Network, d.Path = "unix", path
		} else {
			d.Addr = netip.MustParseAddrPort(at)
		}
		for i := range next {
			in, err := openAll(next[i : i+1])
			if err != nil {
				t.Fatal(err)
			}
			if err := in.Match([]Door{d}); err != nil {
				t.Fatal(err)
			}
			l := in.Listener(d)
			if i == 0 {
				l.Close()
				conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), strings.TrimSuffix(c.network, "4"), at)
				if err != nil {
					t.Fatalf("%s: refused between two processes: %v", c.network, err)
				}
				defer conn.Close()
				continue
			}
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			l.Close()
		}
		f.Close()
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the path of the unix socket is gone: %v", err)
	}
}

// A descriptor that is no usable socket is refused, with the cure in the error.
func TestUnusableIsRefused(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(pair[1])
	if _, err := openAll([]*os.File{r, os.NewFile(uintptr(pair[0]), "seqpacket")}); err == nil ||
		!strings.Contains(err.Error(), "is no socket") || !strings.Contains(err.Error(), "type 5") {
		t.Errorf("unusable socket: %v", err)
	}
}

// A refused socket is closed.
func TestUnusableIsClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin")
	f, _ := passed(t, "x", "unix", path, -1)
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := openAll([]*os.File{f}); err == nil || !strings.Contains(err.Error(), "every user may connect to") {
		t.Errorf("unusable socket: %v", err)
	}
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		t.Error("the refused socket still listens")
	}
}

// Sockets that were passed to another process are not used. Strayed reports them.
func TestStrayed(t *testing.T) {
	env := map[string]string{"LISTEN_FDS": "2", "LISTEN_PID": "41"}
	if got := Strayed(func(k string) string { return env[k] }, 42); !strings.Contains(got, "LISTEN_PID=41 is not this process (42)") {
		t.Errorf("strayed: %q", got)
	}
	if got := Strayed(func(k string) string { return env[k] }, 41) + Strayed(func(string) string { return "" }, 42); got != "" {
		t.Errorf("no sockets strayed: %q", got)
	}
}
