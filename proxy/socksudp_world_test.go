// A world for tests of SOCKS5 associations: a client with a control connection and a UDP socket, and
// sockets on loopback that stand for the destinations.

package proxy

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sallyport/rules"
)

const udpConfig = worldConfig + `
[[rule]]
id     = "datagrams"
client = "lab"
to     = ["a.example", "b.example", "inside.example", "8.8.8.9"]
udp    = [53, 123, 161, 5000]
reason = "test"
`

type udpWorld struct {
	*world

	mu      sync.Mutex
	origins map[netip.AddrPort]*net.UDPConn
	peers   map[string]netip.AddrPort
	queries []string // to the DNS filter: "client query"
}

func newUDPWorld(t testing.TB, change func(*Config)) *udpWorld {
	t.Helper()
	w := &udpWorld{origins: map[netip.AddrPort]*net.UDPConn{}, peers: map[string]netip.AddrPort{}}
	w.world = newWorld(t, func(c *Config) {
		c.connectUDP, c.remoteUDP, c.AnswerDNS = w.connect, w.remote, w.answer
		if change != nil {
			change(c)
		}
	})
	w.policy(udpConfig)
	t.Cleanup(func() {
		for _, o := range w.origins {
			o.Close()
		}
	})
	return w
}

func (w *udpWorld) answer(_ context.Context, client netip.AddrPort, who *rules.Identity, query []byte, reply func([]byte)) {
	w.mu.Lock()
	w.queries = append(w.queries, strings.TrimSpace(client.Addr().String()+" "+who.Of(nil))+" "+string(query))
	w.mu.Unlock()
	reply(append([]byte("answer to "), query...))
}

func (w *udpWorld) connect(_ context.Context, to netip.AddrPort) (*net.UDPConn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.world.mu.Lock()
	w.dials = append(w.dials, to)
	w.world.mu.Unlock()
	o := w.origins[to]
	if o == nil {
		return nil, syscall.ENETUNREACH
	}
	conn, err := net.DialUDP("udp4", nil, o.LocalAddr().(*net.UDPAddr))
	if err == nil {
		w.peers[conn.LocalAddr().String()] = to
	}
	return conn, err
}

func (w *udpWorld) remote(conn *net.UDPConn) netip.AddrPort {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peers[conn.LocalAddr().String()]
}

// origin returns a socket that stands for an address.
func (w *udpWorld) origin(addr string) *net.UDPConn {
	w.t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.origins[netip.MustParseAddrPort(addr)] = conn
	return conn
}

// associateRequest is a UDP ASSOCIATE for datagrams from an address.
func associateRequest(from string) string {
	a := netip.MustParseAddrPort(from)
	kind := byte(1)
	if a.Addr().Is6() {
		kind = 4
	}
	b := append([]byte{5, 3, 0, kind}, a.Addr().AsSlice()...)
	return string(binary.BigEndian.AppendUint16(b, a.Port()))
}

// header is the header of a datagram to an address or a name.
func header(host string, port uint16) string {
	b := []byte{0, 0, 0}
	if a, err := netip.ParseAddr(host); err == nil {
		b = append(b, map[bool]byte{true: 1, false: 4}[a.Is4()])
		b = append(b, a.AsSlice()...)
	} else {
		b = append(b, 3, byte(len(host)))
		b = append(b, host...)
	}
	return string(binary.BigEndian.AppendUint16(b, port))
}

// A udpClient is a client with an association.
type udpClient struct {
	w       *udpWorld
	control *net.TCPConn
	conn    *net.UDPConn
	relay   netip.AddrPort
}

// associated opens an association for datagrams from any port.
func (w *udpWorld) associated() *udpClient {
	w.t.Helper()
	c := &udpClient{w: w, conn: w.socket("127.0.0.1:0")}
	c.control, c.relay = w.ask("0.0.0.0:0")
	return c
}

// ask sends UDP ASSOCIATE and returns the address of the relay.
func (w *udpWorld) ask(from string) (*net.TCPConn, netip.AddrPort) {
	w.t.Helper()
	conn := w.dial(w.socks)
	io.WriteString(conn, greeting+associateRequest(from))
	b := make([]byte, 2+10)
	if _, err := io.ReadFull(conn, b); err != nil || string(b[:6]) != "\x05\x00\x05\x00\x00\x01" {
		w.t.Fatalf("answer %x, %v", b, err)
	}
	addr, _ := netip.AddrFromSlice(b[6:10])
	return conn, netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[10:]))
}

func (w *udpWorld) socket(addr string) *net.UDPConn {
	w.t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	return conn
}

func (c *udpClient) send(b string) {
	c.w.t.Helper()
	if _, err := c.conn.WriteToUDPAddrPort([]byte(b), c.relay); err != nil {
		c.w.t.Fatal(err)
	}
}

// receive returns the next datagram at a socket, and where it came from.
func (w *udpWorld) receive(conn *net.UDPConn) (string, netip.AddrPort) {
	w.t.Helper()
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 1<<16)
	n, from, err := conn.ReadFromUDPAddrPort(b)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b[:n]), from
}

// nothing fails if a datagram arrives at a socket.
func (w *udpWorld) nothing(conn *net.UDPConn) {
	w.t.Helper()
	conn.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	b := make([]byte, 1<<16)
	if n, _, err := conn.ReadFromUDPAddrPort(b); err == nil {
		w.t.Errorf("got %q", b[:n])
	}
}

// denial waits for the one decision, a denial for this reason.
func (w *udpWorld) denial(why rules.Reason) rules.Attempt {
	w.t.Helper()
	a := w.wantOne(rules.Deny, why).a
	if a.Via != rules.ViaSOCKS5 || a.Proto != rules.UDP {
		w.t.Errorf("via %v, protocol %v", a.Via, a.Proto)
	}
	return a
}
