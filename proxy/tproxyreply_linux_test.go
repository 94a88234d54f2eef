// Replies of TPROXY in the kernel: content, source and checksum.

package proxy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sallyport/proxy/datagram"
)

// slowChecksum is the checksum of RFC 1071, word by word.
func slowChecksum(sum uint64, b []byte) uint16 {
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint64(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint64(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	if sum == 0xffff {
		return 0xffff // never "no checksum" (RFC 768)
	}
	return ^uint16(sum)
}

func TestChecksum(t *testing.T) {
	t.Parallel()
	// The example of RFC 1071, section 3: the sum of these words is ddf2.
	if got := checksum(0, []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != ^uint16(0xddf2) {
		t.Errorf("%#x", got)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		b := make([]byte, r.IntN(80))
		for i := range b {
			b[i] = byte(r.Uint32())
			if r.IntN(3) == 0 {
				b[i] = 0xff
			}
		}
		sum := uint64(r.IntN(1 << 20))
		if got, want := checksum(sum, b), slowChecksum(sum, b); got != want {
			t.Fatalf("%d, %x: %#x, want %#x", sum, b, got, want)
		}
	}
}

// A reply comes from an address and port that this host does not have, a port below 1024 too, and
// the kernel of the client finds its checksum right. No capability is needed for that.
func TestRepliesFromAnotherHost(t *testing.T) {
	inNetns(t, func() {
		feed(t, divertLinks, "ip", "-batch", "-")
		feed(t, divertLinks6, "ip", "-6", "-batch", "-")
		replies, err := openReplies(t.Context(), true, true)
		if err != nil {
			t.Error(err)
			return
		}
		defer replies.close()
		withCapabilities(t, 0, func() {
			for _, c := range []struct{ from, client string }{
				{"198.51.100.7:123", "10.1.1.1:0"}, {"[2001:db8::7]:514", "[fd00::1]:0"}, {"0.1.2.3:1", "10.1.1.1:0"},
			} {
				replyFrom(t, replies, netip.MustParseAddrPort(c.from), netip.MustParseAddrPort(c.client))
			}
			if _, err := openReplies(t.Context(), true, false); !errors.Is(err, unix.EPERM) {
				t.Errorf("a new socket without capabilities: %v", err)
			}
		})
	})
}

// withCapabilities runs f with these effective capabilities of the calling thread.
func withCapabilities(t *testing.T, caps uint32, f func()) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var old [2]unix.CapUserData
	if err := unix.Capget(&header, &old[0]); err != nil {
		t.Error(err)
		return
	}
	now := old
	now[0].Effective, now[1].Effective = caps, 0
	if err := unix.Capset(&header, &now[0]); err != nil {
		t.Error(err)
	}
	f()
	if err := unix.Capset(&header, &old[0]); err != nil {
		t.Error(err)
	}
}

func replyFrom(t *testing.T, replies *replySockets, from, bind netip.AddrPort) {
	t.Helper()
	client, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(bind))
	if err != nil {
		t.Error(err)
		return
	}
	defer client.Close()
	_ = client.SetReadBuffer(1 << 20)
	at := client.LocalAddr().(*net.UDPAddr).AddrPort()
	r, err := replies.open(from, at)
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Close()
	got := make([]byte, datagram.MaxContent)
	for range 100 { // the kernel adds the route to a new IPv6 address a moment later
		_ = r.Reply(make([]byte, datagram.Headroom))
		client.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if _, _, err := client.ReadFromUDPAddrPort(got); err == nil {
			break
		}
	}
	client.SetReadDeadline(time.Now().Add(10 * time.Second))
	for _, n := range []int{0, 1, 2, 7, 8, 9, 512, 1472, 1473, 9000, 65507} {
		b := make([]byte, datagram.Headroom+n)
		for i := range b {
			b[i] = byte(i * 7)
		}
		want := bytes.Clone(b[datagram.Headroom:])
		if err := r.Reply(b); err != nil {
			t.Errorf("%v, %d bytes: %v", from, n, err)
			continue
		}
		k, source, err := client.ReadFromUDPAddrPort(got)
		if err != nil || !bytes.Equal(got[:k], want) || netip.AddrPortFrom(source.Addr().Unmap(), source.Port()) != from {
			t.Errorf("%v, %d bytes: got %d from %v, %v", from, n, k, source, err)
		}
	}
	if err := r.Reply(make([]byte, datagram.Headroom+datagram.MaxContent)); !errors.Is(err, unix.EMSGSIZE) {
		t.Errorf("too long: %v", err)
	}
	b := make([]byte, datagram.Headroom+100)
	if n := testing.AllocsPerRun(100, func() { _ = r.Reply(b) }); n > 0 {
		t.Errorf("a reply allocates %v times", n)
	}
}
