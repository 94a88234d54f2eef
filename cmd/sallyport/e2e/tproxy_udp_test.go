//go:build linux

// TPROXY and UDP: sallyport decides each flow by its original destination, answers from
// there, and journals the decision and the end.

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The servers of the site, at addresses that no document lists.
const siteDatagrams = `
[[rule]]
id     = "ntp"
client = "es-manager"
to     = ["93.184.251.1", "2a00:1450:123::1"]
udp    = [123]
reason = "the time"
[[rule]]
id     = "syslog"
client = "es-manager"
to     = ["93.184.251.2", "2a00:1450:514::1"]
udp    = [514]
reason = "logs"
[[rule]]
id     = "nine"
client = "es-manager"
to     = ["93.184.251.3"]
udp    = [9]
reason = "a server of the test"
`

// newDatagramScene starts sallyport with TPROXY and siteDatagrams.
func newDatagramScene(t *testing.T) *scene {
	t.Helper()
	s := newScene(t, "tproxy")
	s.catch(t, fleet, siteDatagrams)
	return s
}

// flowRecord is what the file of flows has of a datagram flow.
type flowRecord struct {
	Event    string `json:"event"`
	Via      string `json:"via"`
	Proto    string `json:"proto"`
	Name     string `json:"client_name"`
	Rule     string `json:"rule"`
	Original string `json:"original_dst"`
	Detail   string `json:"detail"`
	BytesIn  int    `json:"bytes_in"`
	BytesOut int    `json:"bytes_out"`
}

// flowsTo waits until the file of flows has n records about an original destination.
func (s *scene) flowsTo(t *testing.T, dst string, n int) (found []flowRecord) {
	t.Helper()
	eventually(t, 30*time.Second, fmt.Sprintf("%d records about %s", n, dst), func() error {
		found = nil
		data, err := os.ReadFile(filepath.Join(s.g.dir, "flows.jsonl"))
		for line := range strings.Lines(string(data)) {
			var r flowRecord
			if json.Unmarshal([]byte(line), &r) == nil && r.Original == dst {
				found = append(found, r)
			}
		}
		if len(found) < n {
			return errors.Join(err, fmt.Errorf("it has %+v", found))
		}
		return nil
	})
	return found
}

// Each destination is decided by itself; of a denied one no byte arrives, and each has
// its record.
func TestTPROXYDatagramDenials(t *testing.T) {
	s := newDatagramScene(t)
	for _, c := range []struct{ to, reason string }{
		{"93.184.251.1:124", "port_not_listed"},
		{"93.184.251.9:123", "ip_literal"},
		{"[2a00:1450:123::2]:123", "ip_literal"},
		{"93.184.251.1:514", "port_not_listed"},
		{"93.184.250.1:853", "ip_literal"},
		{"10.20.66.99:514", "ip_literal"},
		{"169.254.169.254:514", "ip_literal"},
	} {
		dst := netip.MustParseAddrPort(c.to)
		mark, records := s.rec.mark(t), s.g.journal().mark()
		if answer, err := s.exchange(dst, "exfiltration", 50*time.Millisecond); err == nil {
			t.Errorf("%s answers %q", c.to, answer)
		}
		r := s.g.journal().mustDeny(t, records, denial{via: "udp", client: fleet[0].name, host: dst.Addr().String(), port: int(dst.Port()), reason: c.reason})
		if !strings.Contains(r.line, `"original_dst":"`+c.to+`"`) {
			t.Errorf("%s: %s", c.to, r.line)
		}
		try{}.check(t, s, s.rec.everything(t, mark))
	}
	// Another client has no such rule.
	s.become(t, named("es-agent"))
	mark, records := s.rec.mark(t), s.g.journal().mark()
	_, _ = s.exchange(netip.MustParseAddrPort("93.184.251.1:123"), "exfiltration", 50*time.Millisecond)
	s.g.journal().mustDeny(t, records, denial{via: "udp", client: "es-agent", port: 123, reason: "ip_literal"})
	try{}.check(t, s, s.rec.everything(t, mark))
}

// Datagrams to a name pass to the addresses that the DNS filter gave to the client. No
// live set and no capability is needed.
func TestTPROXYDatagramsToNames(t *testing.T) {
	need(t, "dig")
	s := newScene(t, "tproxy")
	s.catch(t, fleet)
	s.mustHaveCapabilities(t, "0000000000000000")
	cc := named("cc")
	s.become(t, cc)
	const host = "remote0.scloud.sangfor.com"
	for _, a := range s.book.of(host) {
		s.user(t, "", "dig", "+short", host, map[bool]string{true: "A", false: "AAAA"}[a.Is4()])
		dst := netip.AddrPortFrom(a, 5000)
		eventually(t, 30*time.Second, "a datagram to "+host, func() error { // sallyport looks its names up by itself, too
			_, err := s.exchange(dst, "is it pinned?", time.Second)
			return err
		})
		s.mustEcho(t, dst)
		s.flowsTo(t, dst.String(), 1)
		mark, records := s.rec.mark(t), s.g.journal().mark()
		_, _ = s.exchange(netip.AddrPortFrom(a, 5001), "exfiltration", 20*time.Millisecond)
		_, _ = s.exchange(netip.AddrPortFrom(s.far(a.Is6()), 5000), "exfiltration", 20*time.Millisecond)
		s.g.journal().mustDeny(t, records, denial{via: "udp", client: "cc", port: 5001, reason: "port_not_listed"})
		s.g.journal().mustDeny(t, records, denial{via: "udp", client: "cc", port: 5000, reason: "ip_literal"})
		s.become(t, fleet[0]) // no document permits this to the other client
		_, _ = s.exchange(dst, "exfiltration", 20*time.Millisecond)
		s.g.journal().mustDeny(t, records, denial{via: "udp", client: fleet[0].name, port: 5000, reason: "ip_literal"})
		s.become(t, cc)
		try{}.check(t, s, s.rec.everything(t, mark))
	}
}

// A client gets only what its destination sends: not from another address, and not from
// another port. The reply comes from the address that the client sent to.
func TestTPROXYSpoofedReplies(t *testing.T) {
	s := newDatagramScene(t)
	open := func(address string) net.PacketConn {
		c, err := s.internet.listenPacket(address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	server, neighbour, port := open("93.184.251.3:9"), open("93.184.251.4:9"), open("93.184.251.3:10")
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			if string(b[:n]) == "long" {
				_, _ = server.WriteTo(make([]byte, 20000), from)
				continue
			}
			_, _ = neighbour.WriteTo([]byte("forged"), from)
			_, _ = port.WriteTo([]byte("forged"), from)
			_, _ = server.WriteTo([]byte("true"), from)
		}
	}()
	c, err := s.clients.dial("udp", fleet[0].v4(), "93.184.251.3:9") // connected: the kernel takes replies from there alone
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 {
		_ = c.SetDeadline(time.Now().Add(longestWait))
		b := make([]byte, 512)
		if _, err := c.Write([]byte("?")); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(b); err != nil || string(b[:n]) != "true" {
			t.Errorf("the client got %q, %v", b[:n], err)
		}
	}
	_ = c.SetDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := c.Read(make([]byte, 512)); err == nil {
		t.Errorf("%d bytes more", n)
	}
	// A reply that is longer than a packet arrives in fragments.
	_ = c.SetDeadline(time.Now().Add(longestWait))
	long := make([]byte, 1<<16)
	if _, err := c.Write([]byte("long")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(long); err != nil || n != 20000 {
		t.Errorf("a long reply: %d bytes, %v", n, err)
	}
	decided := s.flowsTo(t, "93.184.251.3:9", 1)[0]
	if decided.Event != "decision" || decided.Via != "udp" || decided.Proto != "udp" || decided.Name != fleet[0].name || decided.Rule != "site/nine" {
		t.Errorf("%+v", decided)
	}
}

// When a reload takes a rule away, its flows end, with a record, and the next datagram
// is denied. The flows of other rules go on.
func TestTPROXYFlowEndsWithItsRule(t *testing.T) {
	s := newDatagramScene(t)
	dial := func(to string) net.Conn {
		c, err := s.clients.dial("udp", fleet[0].v4(), to)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	ask := func(c net.Conn, wait time.Duration) error {
		_ = c.SetDeadline(time.Now().Add(wait))
		if _, err := c.Write([]byte("hello")); err != nil {
			return err
		}
		_, err := c.Read(make([]byte, 512))
		return err
	}
	ntp, syslog := dial("93.184.251.1:123"), dial("93.184.251.2:514")
	for _, c := range []net.Conn{ntp, syslog} {
		if err := ask(c, longestWait); err != nil {
			t.Fatal(err)
		}
	}
	without := strings.Replace(siteDatagrams, "93.184.251.1", "93.184.251.77", 1)
	s.g.configure(t, configurationOf(redirecting("tproxy"), fleet, without))
	end := s.flowsTo(t, "93.184.251.1:123", 2)[1]
	if end.Event != "close" || end.Detail != "policy" || end.Rule != "site/ntp" || end.BytesIn != 5 || end.BytesOut != 5 {
		t.Errorf("the end: %+v", end)
	}
	mark, records := s.rec.mark(t), s.g.journal().mark()
	if err := ask(ntp, 100*time.Millisecond); err == nil {
		t.Error("the destination still answers")
	}
	s.g.journal().mustDeny(t, records, denial{via: "udp", client: fleet[0].name, host: "93.184.251.1", port: 123, reason: "ip_literal"})
	try{}.check(t, s, s.rec.everything(t, mark))
	if err := ask(syslog, longestWait); err != nil {
		t.Errorf("the flow of the other rule: %v", err)
	}
}
