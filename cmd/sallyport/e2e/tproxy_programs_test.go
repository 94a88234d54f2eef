//go:build linux

// TPROXY and everyday programs that send datagrams.

package e2e

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Everyday programs: the time, a log line, and names, over both families.
func TestTPROXYDatagramPrograms(t *testing.T) {
	need(t, "ntpdig", "logger", "dig")
	s := newDatagramScene(t)
	s.load(t, s.internet, `table inet clock {
	chain c {
		type nat hook prerouting priority dstnat - 10;
		udp dport 123 redirect to :123
	}
}`)
	ntp, err := s.internet.listenPacket("[::]:123")
	if err != nil {
		t.Fatal(err)
	}
	defer ntp.Close()
	go serveNTP(ntp)
	for _, to := range []string{"93.184.251.1", "2a00:1450:123::1"} {
		if r := s.user(t, "", "ntpdig", "-t", "30", to); r.code != 0 || !strings.Contains(r.stdout, to) {
			t.Errorf("the time: %v", r)
		}
	}
	for _, to := range []string{"93.184.251.2", "2a00:1450:514::1"} {
		mark := s.rec.mark(t)
		s.user(t, "", "logger", "-n", to, "-P", "514", "-d", "a line of a log")
		dst := netip.AddrPortFrom(netip.MustParseAddr(to), 514)
		eventually(t, 30*time.Second, "the line", func() error {
			for _, p := range s.rec.since(t, mark) {
				if p.dst == dst && strings.Contains(string(p.payload), "a line of a log") {
					return nil
				}
			}
			return errors.New("it did not arrive at " + dst.String())
		})
	}
	if r := s.user(t, "", "dig", "@"+outsideDNS4, "+short", "license.sangfor.com"); !strings.Contains(r.stdout, s.book.of("license.sangfor.com")[0].String()) {
		t.Errorf("%v", r)
	}
	if ds := s.g.journal().denials(0); len(ds) > 0 {
		t.Errorf("the journal has %d denials, among them\n%s", len(ds), ds[0].line)
	}
}

// serveNTP answers as a time server of stratum 2 (RFC 5905, section 7.3).
func serveNTP(c net.PacketConn) {
	b := make([]byte, 512)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		if n < 48 {
			continue
		}
		const since1900 = 2208988800
		now := time.Now()
		stamp := uint64(now.Unix()+since1900)<<32 | uint64(now.Nanosecond())<<32/1e9
		reply := make([]byte, 48)
		reply[0], reply[1], reply[2], reply[3] = 4<<3|4, 2, 6, 0xec
		copy(reply[12:16], "TEST")
		binary.BigEndian.PutUint64(reply[16:], stamp)
		copy(reply[24:32], b[40:48])
		binary.BigEndian.PutUint64(reply[32:], stamp)
		binary.BigEndian.PutUint64(reply[40:], stamp)
		_, _ = c.WriteTo(reply, from)
	}
}
