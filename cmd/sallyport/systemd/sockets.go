// Package systemd is the interface to the service manager: sockets that it keeps
// open across restarts, the state of the service, and signs of life.
package systemd

import _ "sallyport" // this package needs Linux

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
)

// A Door is a listener that the configuration asks for.
type Door struct {
	Key     string         // the key in [listen]; its socket may have it as FileDescriptorName=
	Network string         // "tcp", "udp" or "unix"
	Addr    netip.AddrPort // "[::]" includes every address of IPv4
	Path    string         // the path of a "unix" socket
}

// String returns the network and the address or path.
func (d Door) String() string { return d.Network + " " + cmp.Or(d.Path, d.Addr.String()) }

// names are the names of descriptors that assign a socket to a door. Other names,
// such as the name of the unit, mean nothing.
var names = []string{"http", "https", "socks5", "transparent", "dns", "admin"}

// A socket is a socket that the service manager passed.
type socket struct {
	fd       int
	name     string
	door     Door // without a Key until it is matched
	v6only   bool
	listener net.Listener
	packets  net.PacketConn
	taken    bool
}

// String describes the socket in the terms of the socket units.
func (s *socket) String() string {
	return fmt.Sprintf("%v (file descriptor %d, FileDescriptorName=%s)", s.door, s.fd, s.name)
}

func (s *socket) close() {
	if s.listener != nil {
		s.listener.Close()
	}
	if s.packets != nil {
		s.packets.Close()
	}
}

// Sockets are the sockets that the service manager passed. The nil Sockets has none.
type Sockets struct{ list []*socket }

// Inherit returns the sockets that were passed to this process, and removes their
// variables from the environment. A descriptor that is no usable socket is an error.
func Inherit() (*Sockets, error) {
	return openAll(activation.Files(true))
}

// openAll makes a listener of each file and closes the files.
func openAll(files []*os.File) (*Sockets, error) {
	var in Sockets
	var errs []error
	for _, f := range files {
		s := &socket{fd: int(f.Fd()), name: f.Name()}
		if err := s.open(f); err != nil {
			s.close()
			errs = append(errs, fmt.Errorf("file descriptor %d (FileDescriptorName=%s), passed by the service manager, %w", s.fd, s.name, err))
		} else {
			in.list = append(in.list, s)
		}
		f.Close()
	}
	if err := errors.Join(errs...); err != nil {
		in.Close()
		return nil, err
	}
	return &in, nil
}

// Match finds the door of each socket. A socket without a door is an error, so that no
// listener stays open without an entry in the configuration.
func (in *Sockets) Match(doors []Door) error {
	if in == nil {
		return nil
	}
	var errs []error
	for _, s := range in.list {
		if err := s.match(doors); err != nil {
			errs = append(errs, err)
			continue
		}
		if s.door.Network != "udp" && slices.ContainsFunc(in.list, func(o *socket) bool { return o != s && o.door == s.door }) {
			errs = append(errs, fmt.Errorf("the service manager passed %v twice; list it once in the socket units", s))
		}
	}
	return errors.Join(errs...)
}

func (s *socket) match(doors []Door) error {
	i := slices.IndexFunc(doors, func(d Door) bool {
		return d.Network == s.door.Network && d.Addr == s.door.Addr && d.Path == s.door.Path
	})
	if i < 0 {
		return fmt.Errorf("the service manager passed %v, but no [listen] entry has it%s; add it there, or remove it from the socket unit, then: systemctl daemon-reload && systemctl restart UNIT.socket", s, s.nearly(doors))
	}
	d := doors[i]
	if slices.Contains(names, s.name) && s.name != d.Key {
		return fmt.Errorf("the service manager passed %v, but [listen] %s has that address; correct FileDescriptorName= in the socket unit, or the configuration", s, d.Key)
	}
	if s.v6only && !listsEvery4(doors, s.door) {
		return fmt.Errorf("the service manager passed %v for IPv6 only, but in [listen] %s this address includes IPv4; set BindIPv6Only=both in the socket unit, or list 0.0.0.0:%d, too", s, d.Key, s.door.Addr.Port())
	}
	s.door.Key = d.Key
	return nil
}

// listsEvery4 reports whether 0.0.0.0 has a door of its own beside that of "[::]".
func listsEvery4(doors []Door, d Door) bool {
	every4 := Door{Network: d.Network, Addr: netip.AddrPortFrom(netip.IPv4Unspecified(), d.Addr.Port())}
	return slices.ContainsFunc(doors, func(o Door) bool { return o.Network == every4.Network && o.Addr == every4.Addr })
}

// nearly returns the entry that was probably meant, as text to append.
func (s *socket) nearly(doors []Door) string {
	for _, d := range doors {
		switch {
		case d.Addr.Port() != s.door.Addr.Port() || d.Network == "unix" || s.door.Network == "unix":
		case d.Addr == s.door.Addr && d.Network == "tcp":
			return fmt.Sprintf(" for datagrams ([listen] %s is served by streams)", d.Key)
		case d.Addr == s.door.Addr:
		case d.Addr.Addr() == netip.IPv4Unspecified() && s.door.Addr.Addr() == netip.IPv6Unspecified():
			return fmt.Sprintf(` ([listen] %s has 0.0.0.0:%d; in the unit, write "ListenStream=0.0.0.0:%[2]d"; the port alone means [::])`, d.Key, d.Addr.Port())
		default:
			return fmt.Sprintf(" ([listen] %s has %v)", d.Key, d.Addr)
		}
	}
	return ""
}

// Listener returns the stream socket of a door; nil: none was passed.
func (in *Sockets) Listener(d Door) net.Listener {
	if s := in.take(d); s != nil {
		return s.listener
	}
	return nil
}

// Packets returns the datagram sockets of a door; nil: none was passed.
func (in *Sockets) Packets(d Door) (out []net.PacketConn) {
	for s := in.take(d); s != nil; s = in.take(d) {
		out = append(out, s.packets)
	}
	return out
}

func (in *Sockets) take(d Door) *socket {
	if in == nil {
		return nil
	}
	for _, s := range in.list {
		if s.door == d && !s.taken {
			s.taken = true
			return s
		}
	}
	return nil
}

// Len returns the number of sockets that were passed.
func (in *Sockets) Len() int {
	if in == nil {
		return 0
	}
	return len(in.list)
}

// Close closes the sockets that were not handed out, for this process only.
func (in *Sockets) Close() {
	if in == nil {
		return
	}
	for _, s := range in.list {
		if !s.taken {
			s.taken = true
			s.close()
		}
	}
}

// Strayed describes sockets that were passed to another process, such as a wrapper
// that the service manager started; "": there are none.
func Strayed(env func(string) string, pid int) string {
	if env("LISTEN_FDS") == "" || env("LISTEN_PID") == fmt.Sprint(pid) {
		return ""
	}
	return fmt.Sprintf("LISTEN_PID=%s is not this process (%d), so its sockets are not used; let the unit start sallyport directly, or let the wrapper start sallyport with exec", strings.TrimSpace(env("LISTEN_PID")), pid)
}
