//go:build linux

// Export to resolvers: Debian's Unbound and BIND with the exports answer for the names
// that the policy permits, and for no other name.

package e2e

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// chained is the internet's DNS server. One permitted name is an alias of a name that no
// document lists, as names of content networks are. It remembers every question.
type chained struct {
	book
	mu    sync.Mutex
	asked map[string]bool
}

func (c *chained) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	name := strings.TrimSuffix(strings.ToLower(q.Question[0].Name), ".")
	c.mu.Lock()
	c.asked[name] = true
	c.mu.Unlock()
	if name != "upd.sangfor.com" {
		c.book.ServeDNS(w, q)
		return
	}
	m := new(dns.Msg)
	m.SetReply(q)
	head := dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 60}
	m.Answer = []dns.RR{&dns.CNAME{Hdr: head, Target: "edge.cdn.invalid."}}
	_ = w.WriteMsg(m)
}

// resolverScene is a namespace with the internet's DNS server and the clients' addresses.
func resolverScene(t *testing.T, name string) (*exporter, *chained) {
	t.Helper()
	ns := newNetns(t, name)
	e := newExporter(t, ns)
	for _, c := range e.clients {
		ns.ip(t, "addr add "+c.v4()+"/32 dev lo")
	}
	server := &chained{book: book{}, asked: map[string]bool{}}
	pc, err := ns.listenPacket("127.0.0.1:5353")
	if err != nil {
		t.Fatal(err)
	}
	l, err := ns.listen("127.0.0.1:5353")
	if err != nil {
		t.Fatal(err)
	}
	startDNS(t, &dns.Server{PacketConn: pc, Handler: server})
	startDNS(t, &dns.Server{Listener: l, Handler: server})
	return e, server
}

// askedNames returns one probe for each name, on a port that no rule has.
func (e *exporter) askedNames(t *testing.T, clients []client) (out []exportProbe) {
	t.Helper()
	for _, c := range clients {
		seen := map[string]bool{}
		for _, p := range e.exportProbes(t, c, "tcp") {
			first := p.port == 443 && !seen[p.host]
			if first && p.isName() {
				seen[p.host] = true
				out = append(out, p)
			}
		}
	}
	return out
}

// lookUp reports whether the resolver of the namespace has an address of a name.
func (e *exporter) lookUp(t *testing.T, from, name string) bool {
	t.Helper()
	c, err := e.ns.dial("udp", from, "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), dns.TypeA)
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	conn := &dns.Conn{Conn: c.(*net.UDPConn)}
	if err := conn.WriteMsg(m); err != nil {
		t.Fatal(err)
	}
	answer, err := conn.ReadMsg()
	if err != nil {
		t.Fatalf("%s from %s: %v", name, from, err)
	}
	switch {
	case answer.Rcode == dns.RcodeSuccess && len(answer.Answer) > 0:
		return true
	case answer.Rcode == dns.RcodeNameError, answer.Rcode == dns.RcodeSuccess:
		return false
	}
	t.Errorf("%s from %s: %v", name, from, answer)
	return false
}

// ready reports whether the resolver answers.
func (e *exporter) ready() bool {
	c, err := e.ns.dial("udp", "", "127.0.0.1:53")
	if err != nil {
		return false
	}
	defer c.Close()
	m := new(dns.Msg)
	m.SetQuestion("ready.invalid.", dns.TypeA)
	conn := &dns.Conn{Conn: c}
	_ = c.SetDeadline(time.Now().Add(200 * time.Millisecond))
	_ = conn.WriteMsg(m)
	_, err = conn.ReadMsg()
	return err == nil
}

// noneLeaked fails the test if a denied name went to the internet's DNS server.
func (c *chained) noneLeaked(t *testing.T, all []exportProbe) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	permitted := map[string]bool{}
	for _, p := range all {
		permitted[p.host] = permitted[p.host] || p.named()
	}
	for _, p := range all {
		if !permitted[p.host] && c.asked[p.host] {
			t.Errorf("%s is denied, and was looked up", p.host)
		}
	}
}

const unboundBase = `
server:
  interface: 127.0.0.1
  port: 53
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "%s"
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@5353
`

// A local zone has the names below it. The export says so, and these are the only names
// that Unbound answers for beside those of the policy.
func TestExportToUnbound(t *testing.T) {
	need(t, "unbound", "unbound-checkconf")
	e, _ := resolverScene(t, "unbound")
	conf := fmt.Sprintf(unboundBase, "iterator")
	for _, c := range e.clients {
		text := e.export(t, c, "unbound")
		conf += "include: " + e.write(t, c.name+".conf", text) + "\n"
		if c.name == "es-manager" && !strings.Contains(text, "# wider: a local zone also permits the names below it") {
			t.Error("the head does not say that names below are looked up")
		}
	}
	file := e.write(t, "unbound.conf", conf)
	if r := e.ns.run(t, e.dir, "", "unbound-checkconf", file); r.code != 0 {
		t.Fatal(r)
	}
	e.started(t, e.ready, "unbound", "-d", "-c", file)
	all := e.askedNames(t, e.clients)
	named := map[string]bool{}
	for _, p := range all {
		if p.named() {
			named[p.client.name+" "+p.host] = true
		}
	}
	disagreements(t, "unbound", all, func(p exportProbe) bool {
		wider := false
		for host := p.host; strings.Contains(host, "."); {
			_, host, _ = strings.Cut(host, ".")
			wider = wider || named[p.client.name+" "+host]
		}
		return e.lookUp(t, p.client.v4(), p.host) == (p.named() || wider)
	})
}

// The zone is exact, in Unbound as well.
func TestExportToRPZOfUnbound(t *testing.T) {
	need(t, "unbound")
	for _, name := range []string{"es-manager", "cc", "Wild_1"} {
		t.Run(name, func(t *testing.T) {
			e, server := resolverScene(t, "rpz-unbound")
			c := e.clients[slices.IndexFunc(e.clients, func(c client) bool { return c.name == name })]
			zone := e.write(t, "zone", e.export(t, c, "rpz"))
			conf := fmt.Sprintf(unboundBase, "respip iterator") + "server:\n  access-control: 10.77.0.0/24 allow\nrpz:\n  name: \"rpz.sallyport.invalid\"\n  zonefile: \"" + zone + "\"\n"
			e.started(t, e.ready, "unbound", "-d", "-c", e.write(t, "unbound.conf", conf))
			all := e.askedNames(t, []client{c})
			disagreements(t, "unbound with rpz", all, func(p exportProbe) bool { return e.lookUp(t, c.v4(), p.host) == p.named() })
			server.noneLeaked(t, all)
		})
	}
}

func TestExportToRPZOfBIND(t *testing.T) {
	need(t, "named", "named-checkzone")
	e, server := resolverScene(t, "bind")
	conf := `options {
  directory "` + e.dir + `"; pid-file none; session-keyfile none; lock-file none;
  listen-on { 127.0.0.1; }; listen-on-v6 { none; };
  forward only; forwarders { 127.0.0.1 port 5353; };
  dnssec-validation no; recursion yes;
};
controls { };
`
	for _, c := range e.clients {
		zone := e.write(t, c.name+".zone", e.export(t, c, "rpz"))
		if r := e.ns.run(t, e.dir, "", "named-checkzone", "-k", "fail", "rpz.sallyport.invalid", zone); r.code != 0 {
			t.Fatal(r)
		}
		conf += fmt.Sprintf(`view %q {
  match-clients { %s; };
  zone "rpz.sallyport.invalid" { type primary; file %q; };
  response-policy { zone "rpz.sallyport.invalid"; } qname-wait-recurse no;
};
`, c.name, c.v4(), zone)
	}
	conf += "view \"others\" { match-clients { any; }; };\n"
	e.started(t, e.ready, "named", "-g", "-c", e.write(t, "named.conf", conf))
	all := e.askedNames(t, e.clients)
	disagreements(t, "named", all, func(p exportProbe) bool { return e.lookUp(t, p.client.v4(), p.host) == p.named() })
	server.noneLeaked(t, all)
}
