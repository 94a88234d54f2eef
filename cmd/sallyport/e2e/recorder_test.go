//go:build linux

// Recorder: a packet socket on the internet's interface, below its listeners,
// that keeps every packet that arrives.

package e2e

import (
	"crypto/rand"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// recorder keeps the packets that arrived, in order.
type recorder struct {
	from   *netns // the namespace that fences are sent from
	sink   string // the address that fences are sent to
	file   *os.File
	fd     int
	mu     sync.Mutex
	seen   []packet
	fences map[string]chan struct{}
}

// startRecorder listens on one interface of n from now on.
func startRecorder(t *testing.T, n *netns, iface string, from *netns, sink string) *recorder {
	t.Helper()
	r := &recorder{from: from, sink: sink, fences: make(map[string]chan struct{})}
	if err := n.do(func() error { return r.open(iface) }); err != nil {
		t.Fatalf("recorder: %v", err)
	}
	done := make(chan struct{})
	go r.read(done)
	t.Cleanup(func() {
		if drops, err := r.drops(); err != nil || drops != 0 {
			t.Errorf("the recorder lost %d packets (%v): absence proves nothing", drops, err)
		}
		r.file.Close()
		<-done
	})
	return r
}

// open makes the socket on the calling thread.
func (r *recorder) open(iface string) error {
	index, err := ifindex(iface)
	if err != nil {
		return err
	}
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // network byte order
	r.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, all)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20); err != nil {
		return err
	}
	r.file = os.NewFile(uintptr(r.fd), "recorder")
	return unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index})
}

// ifindex looks up an interface in the calling thread's namespace.
func ifindex(name string) (int, error) {
	req, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, req)
	return int(req.Uint32()), err
}

// drops returns the number of packets that the kernel lost since the last call.
func (r *recorder) drops() (uint32, error) {
	stats, err := unix.GetsockoptTpacketStats(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, err
	}
	return stats.Drops, nil
}

func (r *recorder) read(done chan<- struct{}) {
	defer close(done)
	raw, err := r.file.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, 1<<17)
	for {
		var n int
		var from unix.Sockaddr
		var rerr error
		err := raw.Read(func(fd uintptr) bool {
			n, from, rerr = unix.Recvfrom(int(fd), buf, 0)
			return rerr != unix.EAGAIN
		})
		if err != nil {
			return // closed
		}
		if rerr != nil {
			continue
		}
		const arp = unix.ETH_P_ARP<<8&0xff00 | unix.ETH_P_ARP>>8 // network byte order
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && (ll.Pkttype == unix.PACKET_OUTGOING || ll.Protocol == arp) {
			continue // packets that the internet itself sent, and ARP
		}
		r.add(parsePacket(buf[:n]))
	}
}

func (r *recorder) add(p packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c, ok := r.fences[string(p.payload)]; ok {
		delete(r.fences, string(p.payload))
		close(c)
		return
	}
	r.seen = append(r.seen, p)
}

// fence waits until all packets that were sent before it are recorded. It sends a
// datagram the same way and waits until that datagram is recorded.
func (r *recorder) fence(t *testing.T) {
	t.Helper()
	nonce := "fence " + rand.Text()
	arrived := make(chan struct{})
	r.mu.Lock()
	r.fences[nonce] = arrived
	r.mu.Unlock()
	c, err := r.from.dial("udp", "", r.sink)
	if err != nil {
		t.Fatalf("recorder: %v", err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(nonce)); err != nil {
		t.Fatalf("recorder: %v", err)
	}
	select {
	case <-arrived:
	case <-time.After(5 * time.Second):
		t.Fatal("recorder: a packet that was sent on purpose was not recorded")
	}
}

// mark returns a place in the recording.
func (r *recorder) mark(t *testing.T) int {
	t.Helper()
	r.fence(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// since returns the packets that arrived after mark. It leaves out ICMP (neighbour
// discovery) and the gateway's probes of its resolvers.
func (r *recorder) since(t *testing.T, mark int) []packet {
	t.Helper()
	return slices.DeleteFunc(r.everything(t, mark), func(p packet) bool { return p.proto == "icmp" || p.query == probe })
}

// everything returns all packets that arrived after mark.
func (r *recorder) everything(t *testing.T, mark int) []packet {
	t.Helper()
	r.fence(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen[mark:])
}

// queries returns the names of the DNS queries among packets, each once.
func queries(packets []packet) []string {
	var names []string
	for _, p := range packets {
		if p.query != "" && !slices.Contains(names, p.query) {
			names = append(names, p.query)
		}
	}
	return names
}

// sent returns the bytes that packets carried to dst.
func sent(packets []packet, dst netip.AddrPort) (n int) {
	for _, p := range packets {
		if p.dst == dst {
			n += len(p.payload)
		}
	}
	return n
}
