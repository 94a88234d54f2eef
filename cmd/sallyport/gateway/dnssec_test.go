// DNSSEC that a site demands: what preflight and the health page say about a resolver that
// proves nothing, and what changes with a reload.

package gateway

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/cmd/sallyport/preflight"
	"sallyport/proxy"
	"sallyport/rules"
)

// serveProof starts a resolver that gives every name the address 127.0.0.1, and says that DNSSEC
// proves it while proves is set.
func serveProof(t *testing.T, proves *atomic.Bool) (addr string) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	done := make(chan struct{})
	s := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.AuthenticatedData = proves.Load() && q.AuthenticatedData
		if q.Question[0].Qtype == dns.TypeA {
			rr, _ := dns.NewRR(q.Question[0].Name + " 300 IN A 127.0.0.1")
			m.Answer = []dns.RR{rr}
		}
		_ = w.WriteMsg(m)
	})}
	go func() { defer close(done); _ = s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = s.Shutdown(); <-done })
	return pc.LocalAddr().String()
}

// TestProbeOfDNSSEC asserts what preflight says about a name and about the resolver.
func TestProbeOfDNSSEC(t *testing.T) {
	const nothing = "it answers, but says of no answer that DNSSEC proves it"
	var proves atomic.Bool
	addr := serveProof(t, &proves)
	for _, c := range []struct {
		setting string
		proves  bool
		status  preflight.Status
		problem preflight.Problem
		fault   string
	}{
		{"require", false, preflight.Failed, preflight.DNSBogus, nothing},
		{"require", true, preflight.NotTried, preflight.None, ""},
		{"log", false, preflight.Warning, preflight.DNSBogus, nothing},
		{"log", true, preflight.NotTried, preflight.None, ""},
		{"off", false, preflight.NotTried, preflight.None, ""},
	} {
		proves.Store(c.proves)
		file := filepath.Join(t.TempDir(), "sallyport.toml")
		text := fmt.Sprintf("[dns]\nupstreams = [\"udp://%s\"]\ndnssec = %q\n[resolve]\nprivate = [\"127.0.0.0/8\"]\n"+
			"[[client]]\nname = \"a\"\nsources = [\"10.0.0.1\"]\nprofiles = []\n[[rule]]\nid = \"r\"\nclient = \"a\"\nto = [\"a.example\"]\nudp = [4500]\nreason = \"test\"\n", addr, c.setting)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, problems, err := LoadConfig(file, strings.NewReader(""))
		if err != nil {
			t.Fatal(err, problems)
		}
		report, err := Probe(t.Context(), cfg, Probes{Wanted: func(string, string) bool { return true }, Timeout: time.Second, Parallel: 2, Agent: "test"})
		if err != nil {
			t.Fatal(err)
		}
		d := report.Destinations[0]
		if d.Status != c.status || d.Problem != c.problem || (c.problem != "") != strings.Contains(d.Detail, "the zone is not signed") || !strings.HasPrefix(report.Upstreams[0].Fault, c.fault) || (c.fault == "") != (report.Upstreams[0].Fault == "") {
			t.Errorf("%s, proves %v: %s %q %q; resolver %+v", c.setting, c.proves, d.Status, d.Problem, d.Detail, report.Upstreams[0])
		}
		if (c.problem != "") != (d.Cure != "") {
			t.Errorf("%s, proves %v: the cure is %q", c.setting, c.proves, d.Cure)
		}
	}
}

// TestParentNameMustBeProven asserts that the name of a parent is looked up like any other: with
// dnssec = "require" an unproven address is not used.
func TestParentNameMustBeProven(t *testing.T) {
	for _, c := range []struct {
		setting, hosts string
		proves         bool
		cure           string
	}{
		{"require", "", false, "has a name whose address DNSSEC does not prove"},
		{"require", "[hosts]\n\"proxy.corp.example\" = \"127.0.0.1\"\n", false, ""},
		{"require", "", true, ""},
		{"log", "", false, ""},
		{"off", "", false, ""},
	} {
		var proves atomic.Bool
		proves.Store(c.proves)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		file := filepath.Join(t.TempDir(), "sallyport.toml")
		text := fmt.Sprintf("[journal]\npath = \"denials.jsonl\"\n[dns]\nupstreams = [\"udp://%s\"]\ndnssec = %q\n%s[[parent]]\nname = \"corporate\"\nurl = \"http://proxy.corp.example:%d\"\n",
			serveProof(t, &proves), c.setting, c.hosts, listener.Addr().(*net.TCPAddr).Port)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		g, _ := openGateway(t, file)
		parent := g.live.Policy().Parents()[0]
		if err := findService(t.Context(), lookupBy(g.filter), g.live.Load(), parent.At.Name, g.found); (err == nil) != (c.cure == "") {
			t.Errorf("%+v: the look-up: %v", c, err)
		}
		_, err = g.proxy.CheckParent(t.Context(), parent)
		_, help, _ := proxy.ParentFault(err)
		if (err == nil) != (c.cure == "") || !strings.Contains(help, c.cure) || c.cure != "" && parentFault(err) != "parent_unreachable" {
			t.Errorf("%+v: the check: %v; %s", c, err, help)
		}
	}
}

// TestHealthOfDNSSEC asserts that the health page says that a resolver proves nothing, until it
// does, and only where the site demands proof.
func TestHealthOfDNSSEC(t *testing.T) {
	var proves atomic.Bool
	addr := serveProof(t, &proves)
	g, _, write := readyGateway(t)
	shows := func(what, name string, says bool) {
		t.Helper()
		n, err := rules.ParseName(name)
		if err != nil {
			t.Fatal(err)
		}
		g.filter.Lookup(t.Context(), nil, n)
		if health := fmt.Sprint(g.health()); strings.Contains(health, "says of no answer that DNSSEC proves it ([dns] dnssec): turn on DNSSEC validation") != says {
			t.Errorf("%s: %s", what, health)
		}
	}
	text := func(setting string) string {
		return strings.Replace(readySite, `upstreams = ["udp://127.0.0.1:9"]`, fmt.Sprintf("upstreams = [\"udp://%s\"]\ndnssec = %q", addr, setting), 1)
	}
	write(text("require"))
	g.Reload("test")
	shows("no proof", "a.example", true)
	proves.Store(true)
	shows("a proof", "b.example", false)
	proves.Store(false)
	shows("no proof again: that name's zone is not signed", "c.example", false)
	write(text("off"))
	g.Reload("test")
	shows("off", "a.example", false)
}
