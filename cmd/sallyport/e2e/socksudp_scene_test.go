//go:build linux

// SOCKS UDP scene: a lab with servers of datagrams, and a forwarder in front of programs that
// speak no SOCKS: it sends what they send through an association.

package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// datagramRules permit what the scene's programs need.
const datagramRules = `
[[rule]]
id     = "datagrams"
client = "es-manager"
to     = ["time.corp.example", "agent.corp.example", "log.corp.example", "rebind.corp.example", "93.184.241.9"]
udp    = [123, 161, 514]
reason = "test"
`

type udpScene struct {
	*lab
	g      *gateway
	syslog net.PacketConn // log.corp.example:514 and 93.184.241.9:514
}

func newUDPScene(t *testing.T) *udpScene {
	t.Helper()
	s := &udpScene{lab: newLab(t)}
	s.book["time.corp.example"] = addrs("93.184.241.1")
	s.book["agent.corp.example"] = addrs("93.184.241.2")
	s.book["log.corp.example"] = addrs("93.184.241.3")
	s.g = startGateway(t, s.lab, configuration(fleet, datagramRules))
	var err error
	if s.syslog, err = s.internet.listenPacket("93.184.241.3:514"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.syslog.Close() })
	return s
}

// serveTime starts an NTP server, and serveAgent an SNMP agent, on every address of the internet.
func (s *udpScene) serveTime(t *testing.T) {
	conf := "local stratum 1\nallow\ncmdport 0\nbindcmdaddress /\npidfile " + filepath.Join(s.dir, "chronyd.pid") + "\n"
	s.serve(t, "chrony.conf", conf, "chronyd", "-d", "-x", "-u", "root", "-f")
}

func (s *udpScene) serveAgent(t *testing.T) {
	conf := "rocommunity public\nsysdescr the agent of the lab\n"
	s.serve(t, "snmpd.conf", conf, "snmpd", "-f", "-Lo", "-p", filepath.Join(s.dir, "snmpd.pid"), "-C", "-c")
}

func (s *udpScene) serve(t *testing.T, file, conf, name string, args ...string) {
	t.Helper()
	path := filepath.Join(s.dir, file)
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	background(t, s.internet, s.dir, name, append(args, path)...)
}

// udpHeader is the header of a datagram (RFC 1928, section 7).
func udpHeader(host string, port uint16) []byte {
	b := []byte{0, 0, 0}
	if a, err := netip.ParseAddr(host); err == nil && a.Is4() {
		b = append(append(b, 1), a.AsSlice()...)
	} else if err == nil {
		b = append(append(b, 4), a.AsSlice()...)
	} else {
		b = append(append(b, 3, byte(len(host))), host...)
	}
	return binary.BigEndian.AppendUint16(b, port)
}

// An association is one of a client of the lab.
type association struct {
	control net.Conn
	conn    net.Conn // to the relay, from the client's address
	relay   string
}

// associate asks the gateway for an association.
func (s *udpScene) associate(t *testing.T, c client) *association {
	t.Helper()
	control, err := s.clients.dial("tcp", c.v4(), gateway4+":1080")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { control.Close() })
	control.SetDeadline(time.Now().Add(longestWait))
	io.WriteString(control, "\x05\x01\x00\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00")
	b := make([]byte, 12)
	if _, err := io.ReadFull(control, b); err != nil || string(b[:6]) != "\x05\x00\x05\x00\x00\x01" {
		t.Fatalf("answer %x, %v", b, err)
	}
	a := &association{control: control, relay: fmt.Sprintf("%v:%d", netip.AddrFrom4([4]byte(b[6:10])), binary.BigEndian.Uint16(b[10:]))}
	if a.conn, err = s.clients.dial("udp", c.v4(), a.relay); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.conn.Close() })
	return a
}

func (a *association) send(t *testing.T, host string, port uint16, content string) {
	t.Helper()
	if _, err := a.conn.Write(append(udpHeader(host, port), content...)); err != nil {
		t.Fatal(err)
	}
}

// receive returns the next datagram with its header, "" if none comes.
func (a *association) receive(limit time.Duration) string {
	b := make([]byte, 1<<16)
	a.conn.SetReadDeadline(time.Now().Add(limit))
	n, _ := a.conn.Read(b)
	return string(b[:n])
}

// forward listens on a UDP address of the clients' namespace, and sends what arrives there to one
// destination through an association of es-manager.
func (s *udpScene) forward(t *testing.T, at, host string, port uint16) {
	t.Helper()
	local, err := s.clients.listenPacket(at)
	if err != nil {
		t.Fatal(err)
	}
	a := s.associate(t, named("es-manager"))
	back := make(chan net.Addr, 64)
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := local.ReadFrom(b)
			if err != nil {
				return
			}
			select {
			case back <- from:
			default:
			}
			a.conn.Write(append(udpHeader(host, port), b[:n]...))
		}
	}()
	go func() {
		b := make([]byte, 1<<16)
		var to net.Addr
		for {
			n, err := a.conn.Read(b)
			if err != nil {
				return
			}
			for more := true; more; {
				select {
				case to = <-back:
				default:
					more = false
				}
			}
			head := 10
			if b[3] == 3 {
				head = 7 + int(b[4])
			}
			local.WriteTo(b[head:n], to)
		}
	}()
	t.Cleanup(func() { local.Close() })
}

// port returns the UDP port of the association.
func (a *association) port(t *testing.T) uint16 {
	t.Helper()
	at, err := netip.ParseAddrPort(a.relay)
	if err != nil {
		t.Fatal(err)
	}
	return at.Port()
}
