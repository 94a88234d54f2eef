//go:build linux

// Faults of proven upstreams: resolvers that cannot prove who they are, that are downgraded, and
// that lie. Beside each of them a resolver of plain DNS would answer. A recorder on the only way
// to them shows that it is never asked.

package e2e

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// faultySite is a gateway with one proven upstream.
const faultySite = `
[listen]
dns = ["127.0.0.1:%[1]d"]
http = ["127.0.0.1:%[2]d"]
[[client]]
name = "lab"
sources = ["127.0.0.0/8"]
profiles = []
[[rule]]
id = "r"
client = "lab"
to = ["www.plain.example"]
tcp = [80]
reason = "test"
[dns]
upstreams = ["tls://%[3]s?name=dns.corp.example"]
upstreams_ca = %[4]q
%[5]s
[journal]
path = "d%[1]d.jsonl"
flows = "f%[1]d.jsonl"
`

// A faultyResolver is one resolver, and what a client of the gateway, the journal and preflight
// say about it.
type faultyResolver struct {
	what      string
	cert      *tls.Certificate
	serve     func(net.Conn) // after the handshake; without cert before it
	change    func(*dns.Msg) // of the answers, if serve is nil
	version   uint16         // the newest version of TLS; 0: any
	settings  string         // of the gateway
	dig       []string       // in the answer of DNS
	proxy     string         // in the answer of the proxy
	preflight string         // in its report
	record    string         // in the journal
}

// framed reads and answers questions with change.
func framed(change func(*dns.Msg)) func(net.Conn) {
	return func(c net.Conn) {
		for {
			var size [2]byte
			if _, err := io.ReadFull(c, size[:]); err != nil {
				return
			}
			buf := make([]byte, binary.BigEndian.Uint16(size[:]))
			q := new(dns.Msg)
			if _, err := io.ReadFull(c, buf); err != nil || q.Unpack(buf) != nil {
				return
			}
			wire, err := truth(q, change).Pack()
			if err != nil {
				return
			}
			if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...)); err != nil {
				return
			}
		}
	}
}

// truth answers a question: every name has the address 93.184.61.10.
func truth(q *dns.Msg, change func(*dns.Msg)) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable, m.AuthenticatedData = true, q.AuthenticatedData
	if q.Question[0].Qtype == dns.TypeA {
		rr, _ := dns.NewRR(q.Question[0].Name + " 300 IN A 93.184.61.10")
		m.Answer = []dns.RR{rr}
	}
	if change != nil {
		change(m)
	}
	return m
}

// toAddress returns a change that puts an address in place of the true one.
func toAddress(address string) func(*dns.Msg) {
	return func(m *dns.Msg) {
		for _, rr := range m.Answer {
			if a, ok := rr.(*dns.A); ok {
				a.A = net.ParseIP(address).To4()
			}
		}
	}
}

// TestFaultyUpstreams asserts for each fault what the client sees, what is recorded, and what
// preflight says; and that nothing but TCP to port 853 leaves the gateway towards the resolvers.
func TestFaultyUpstreams(t *testing.T) {
	need(t, "dig", "curl")
	dir := t.TempDir()
	ca := newAuthority(t, dir)
	issue := func(a *authority, name string, from, to time.Duration) *tls.Certificate {
		cert, err := a.issue(name, from, to)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	good := issue(ca, "dns.corp.example", -time.Hour, time.Hour)
	servfail := []string{"SERVFAIL", "EDE: 22"}
	const unresolved = "X-Sallyport-Fault: resolve"
	list := []*faultyResolver{
		{what: "none", cert: good, dig: []string{"NOERROR", "93.184.61.10"}, proxy: "X-Sallyport-Fault: unreachable", record: `"dial: unreachable"`},
		{what: "another name", cert: issue(ca, "other.corp.example", -time.Hour, time.Hour), dig: servfail, proxy: unresolved,
			preflight: "the certificate is for other.corp.example, not for dns.corp.example", record: `"dial: resolve"`},
		{what: "self-signed", cert: issue(nil, "dns.corp.example", -time.Hour, time.Hour), dig: servfail, proxy: unresolved,
			preflight: "the certificate is self-signed", record: `"dial: resolve"`},
		{what: "expired", cert: issue(ca, "dns.corp.example", -2*time.Hour, -time.Hour), dig: servfail, proxy: unresolved,
			preflight: "expired on", record: `"dial: resolve"`},
		{what: "TLS 1.1", cert: good, version: tls.VersionTLS11, dig: servfail, proxy: unresolved,
			preflight: "check that it serves this name with TLS 1.2 or 1.3", record: `"dial: resolve"`},
		{what: "no TLS", serve: func(c net.Conn) {
			io.ReadFull(c, make([]byte, 5))
			io.WriteString(c, "\x00\x0c\x00\x00\x81\x80\x00\x00\x00\x00\x00\x00\x00\x00")
		}, dig: servfail, proxy: unresolved, preflight: "what answers speaks no TLS", record: `"dial: resolve"`},
		{what: "cut", serve: func(net.Conn) {}, dig: servfail, proxy: unresolved,
			preflight: "the connection ended during the handshake", record: `"dial: resolve"`},
		{what: "closes after the handshake", cert: good, serve: func(net.Conn) {}, dig: servfail, proxy: unresolved, record: `"dial: resolve"`},
		{what: "another question", cert: good, change: func(m *dns.Msg) { m.Question[0].Name = "evil.example." }, dig: servfail, proxy: unresolved,
			preflight: "reply is to another question", record: `"dial: resolve"`},
		{what: "another ID", cert: good, change: func(m *dns.Msg) { m.Id++ }, dig: servfail, proxy: unresolved,
			preflight: "reply is to another question", record: `"dial: resolve"`},
		{what: "an address inside", cert: good, change: toAddress("169.254.169.254"), dig: []string{"private_address"},
			proxy: "X-Sallyport-Reason: private_address", preflight: "private address", record: `"reason":"private_address"`},
		{what: "no proof", cert: good, change: func(m *dns.Msg) { m.AuthenticatedData = false }, settings: `dnssec = "require"`,
			dig: []string{"SERVFAIL", "EDE: 6 (DNSSEC Bogus): (dns_bogus"}, proxy: "X-Sallyport-Reason: dns_bogus",
			preflight: "failed: dns bogus: the zone of the name is not signed", record: `"reason":"dns_bogus"`},
		{what: "no proof, log", cert: good, change: func(m *dns.Msg) { m.AuthenticatedData = false }, settings: `dnssec = "log"`,
			dig: []string{"NOERROR", "93.184.61.10"}, proxy: "X-Sallyport-Fault: unreachable",
			preflight: "it answers, but says of no answer that DNSSEC proves it", record: `"verdict":"would_deny"`},
		{what: "proof", cert: good, settings: `dnssec = "require"`, dig: []string{"NOERROR", "93.184.61.10"}, proxy: "X-Sallyport-Fault: unreachable", record: `"dial: unreachable"`},
	}
	gw, rs := newNetns(t, "fgate"), newNetns(t, "fresolve")
	gw.ip(t, "link add up0 type veth peer name up1 netns "+rs.path(), "link set up0 up", "address add 10.53.0.1/24 dev up0")
	rs.ip(t, "link set up1 up", "address add 10.53.0.2/24 dev up1")
	rec := startRecorder(t, rs, "up1", gw, "10.53.0.2:9")
	mark := rec.mark(t)
	var all sync.WaitGroup
	for i, f := range list {
		address := fmt.Sprintf("10.53.0.%d", 10+i)
		rs.ip(t, "address add "+address+"/24 dev up1")
		startFaulty(t, rs, address, f, &all)
		file := fmt.Sprintf("%d.toml", i)
		if err := os.WriteFile(filepath.Join(dir, file), fmt.Appendf(nil, faultySite, 5400+i, 3200+i, address, ca.file, f.settings), 0o644); err != nil {
			t.Fatal(err)
		}
		background(t, gw, dir, builtBinary(t), "run", "--config", file)
	}
	for i, f := range list {
		for deadline := time.Now().Add(longestWait); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if c, err := gw.dialBriefly(fmt.Sprintf("127.0.0.1:%d", 3200+i)); err == nil {
				c.Close()
				break
			}
		}
		f.check(t, gw, dir, i)
	}
	for _, p := range rec.everything(t, mark) {
		if p.proto != "icmp" && (p.proto != "tcp" || p.dst.Port() != 853) {
			t.Errorf("left the gateway: %v", p)
		}
	}
}

// startFaulty starts a resolver of DNS over TLS at port 853, and one of plain DNS at port 53
// of the same address, which would answer.
func startFaulty(t *testing.T, rs *netns, address string, f *faultyResolver, all *sync.WaitGroup) {
	t.Helper()
	pc, err := rs.listenPacket(address + ":53")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := rs.listen(address + ":53")
	if err != nil {
		t.Fatal(err)
	}
	l, err := rs.listen(address + ":853")
	if err != nil {
		t.Fatal(err)
	}
	h := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { _ = w.WriteMsg(truth(q, nil)) })
	startDNS(t, &dns.Server{PacketConn: pc, Handler: h})
	startDNS(t, &dns.Server{Listener: plain, Handler: h})
	serve := f.serve
	if serve == nil {
		serve = framed(f.change)
	}
	serveEach(l, all, func(c net.Conn) {
		defer c.Close()
		if f.cert == nil {
			serve(c)
			return
		}
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*f.cert}, MinVersion: tls.VersionTLS10, MaxVersion: f.version})
		if s.Handshake() == nil {
			serve(s)
			s.Close()
		}
	})
	t.Cleanup(func() { l.Close() })
}

// check asks by DNS, by the proxy and by preflight, and reads the journal.
func (f *faultyResolver) check(t *testing.T, gw *netns, dir string, i int) {
	t.Helper()
	file := fmt.Sprintf("%d.toml", i)
	out := digWhenServed(t, gw, dir, 5400+i, "www.plain.example", "+tries=1", "+time=30")
	for _, want := range f.dig {
		if !strings.Contains(out, want) {
			t.Errorf("%s: dig: no %q in %s", f.what, want, out)
		}
	}
	r := gw.run(t, dir, "", "curl", "-sS", "-m", "60", "-D", "-", "-o", "/dev/null", "-x", fmt.Sprintf("http://127.0.0.1:%d", 3200+i), "http://www.plain.example/")
	if !strings.Contains(r.stdout, f.proxy) {
		t.Errorf("%s: the proxy: no %q in %v", f.what, f.proxy, r)
	}
	r = gw.run(t, dir, "", builtBinary(t), "preflight", "--config", file, "--timeout", "20s")
	if !strings.Contains(r.stdout, f.preflight) {
		t.Errorf("%s: preflight: no %q in %v", f.what, f.preflight, r)
	}
	var records string
	for deadline := time.Now().Add(longestWait); !strings.Contains(records, f.record) && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		denied, _ := os.ReadFile(filepath.Join(dir, fmt.Sprintf("d%d.jsonl", 5400+i)))
		flows, _ := os.ReadFile(filepath.Join(dir, fmt.Sprintf("f%d.jsonl", 5400+i)))
		records = string(denied) + string(flows)
	}
	if !strings.Contains(records, f.record) {
		t.Errorf("%s: the journal has no %q: %s", f.what, f.record, records)
	}
}
