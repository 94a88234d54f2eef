//go:build linux

// Tests that open flows of datagrams end with the rule that permitted them, also if
// other rules have the same port. A reload of the ruleset ends them in both
// directions, without sallyport.

package nftables

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const flowSite = `
[listen]
transparent = ["[::]:3129"]
dns         = ["[::]:5300"]
[dns]
upstreams = ["udp://192.0.2.53"]
[[client]]
name     = "manager"
sources  = ["10.77.0.10", "fd77::10"]
profiles = []
`

// flowRule returns a rule to a destination. All these rules have the same port.
func flowRule(id, to string) string {
	return "[[rule]]\nid = \"" + id + "\"\nclient = \"manager\"\nto = [" + to + "]\nudp = [5000]\nreason = \"test\"\n"
}

// rulesetOf writes the ruleset of a configuration to a file.
func rulesetOf(t *testing.T, config string, args ...string) string {
	t.Helper()
	out, _ := printed(t, "standard input", config, args...)
	file := filepath.Join(t.TempDir(), "ruleset.nft")
	if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// soon is long enough to read what has arrived already.
const soon = 20 * time.Millisecond

// A stream is one flow: a client's socket, and a server that sends on demand.
type stream struct {
	t      *testing.T
	client net.Conn
	server net.PacketConn
	back   net.Addr // where the server's datagrams go
}

// newStream opens a flow from one namespace to a server in another.
func newStream(t *testing.T, from, to *namespace, uid int, address string) *stream {
	t.Helper()
	s := &stream{t: t}
	if err := to.as(0, func() (err error) { s.server, err = net.ListenPacket("udp", address); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.server.Close() })
	var err error
	if s.client, err = from.dial(uid, "udp", "", address, patient); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.client.Close() })
	return s
}

// ask sends from the client and reports whether the datagram arrived. If the kernel
// refuses to send it, ask returns false.
func (s *stream) ask(wait time.Duration) bool {
	_, _ = s.client.Write([]byte("?"))
	return s.came(wait)
}

// came reports whether a datagram of the client has reached the server.
func (s *stream) came(wait time.Duration) bool {
	_ = s.server.SetReadDeadline(time.Now().Add(wait + soon))
	_, from, err := s.server.ReadFrom(make([]byte, 16))
	if err == nil {
		s.back = from
	}
	return err == nil
}

// push sends from the server.
func (s *stream) push() {
	s.t.Helper()
	if _, err := s.server.WriteTo([]byte("!"), s.back); err != nil {
		s.t.Fatal(err)
	}
}

// gets reports whether a datagram of the server has reached the client. An ICMP
// error on the socket does not count.
func (s *stream) gets(wait time.Duration) bool {
	_ = s.client.SetReadDeadline(time.Now().Add(wait + soon))
	for {
		_, err := s.client.Read(make([]byte, 16))
		if timeout, ok := err.(net.Error); err == nil || ok && timeout.Timeout() {
			return err == nil
		}
	}
}

// A flowScene is a packet filter between a client and the internet.
type flowScene struct {
	client, filter, internet *namespace
	uid                      int
	args                     []string
}

func flowScenes(t *testing.T) map[string]flowScene {
	client, gw, beyond := newRouted(t)
	pod, internet := newPod(t)
	for _, n := range []*namespace{beyond, internet} {
		n.must("ip", "addr", "add", "2a00:1450::52/128", "dev", "lo", "nodad") // an address to bind to
	}
	return map[string]flowScene{
		"gateway":             {client, gw, beyond, 0, nil},
		"gateway, masquerade": {client, gw, beyond, 0, []string{"--masquerade"}},
		"sidecar":             {pod, pod, internet, 1000, []string{"--mode", "sidecar", "--user", "65532"}},
	}
}

func TestFlowsEndWithTheirRule(t *testing.T) {
	needsRootAndNft(t)
	const a4, b4, a6, b6 = "93.184.0.51", "93.184.0.52", "2a00:1450::51", "2a00:1450::52"
	for name, scene := range flowScenes(t) {
		for _, c := range []struct {
			name          string
			before, after string
			a, b          string
			sets          []string // set and address, as sallyport would have put them
			refill        bool     // B's address is in its set again after the reload
		}{
			{"addresses, IPv4", flowRule("a", quoted(a4)) + flowRule("b", quoted(b4)), flowRule("b", quoted(b4)), a4, b4, nil, false},
			{"addresses, IPv6", flowRule("a", quoted(a6)) + flowRule("b", quoted(b6)), flowRule("b", quoted(b6)), a6, b6, nil, false},
			{"one rule loses an address", flowRule("a", quoted(a4)+", "+quoted(b4)), flowRule("a", quoted(b4)), a4, b4, nil, false},
			{"an address beside a name", flowRule("a", quoted(a4)) + flowRule("b", quoted("b.example")), flowRule("b", quoted("b.example")), a4, b4,
				[]string{"names4/manager/site/b " + b4}, false},
			{"names, IPv4", flowRule("a", quoted("a.example")) + flowRule("b", quoted("b.example")), flowRule("b", quoted("b.example")), a4, b4,
				[]string{"names4/manager/site/a " + a4, "names4/manager/site/b " + b4}, false},
			{"names, IPv6", flowRule("a", quoted("a.example")) + flowRule("b", quoted("b.example")), flowRule("b", quoted("b.example")), a6, b6,
				[]string{"names6/manager/site/a " + a6, "names6/manager/site/b " + b6}, false},
			{"another name under the same id", flowRule("a", quoted("a.example")) + flowRule("b", quoted("b.example")), flowRule("a", quoted("c.example")) + flowRule("b", quoted("b.example")), a4, b4,
				[]string{"names4/manager/site/a " + a4, "names4/manager/site/b " + b4}, false},
			{"a rule loses a name, its other is in the set", flowRule("a", quoted("a.example")+", "+quoted("b.example")), flowRule("a", quoted("b.example")), a4, b4,
				[]string{"names4/manager/site/a " + a4, "names4/manager/site/a " + b4}, true},
		} {
			t.Run(name+", "+c.name, func(t *testing.T) {
				a, b := newStream(t, scene.client, scene.internet, scene.uid, net.JoinHostPort(c.a, "5000")), newStream(t, scene.client, scene.internet, scene.uid, net.JoinHostPort(c.b, "5000"))
				scene.filter.must("nft", "-f", rulesetOf(t, flowSite+c.before, scene.args...))
				for _, s := range c.sets {
					scene.put(s)
				}
				for _, s := range []*stream{a, b} {
					if !s.ask(patient) {
						t.Fatal("a permitted datagram did not come")
					}
					if s.push(); !s.gets(patient) {
						t.Fatal("the answer to a permitted datagram did not come")
					}
				}

				scene.filter.must("nft", "-f", rulesetOf(t, flowSite+c.after, scene.args...))
				if c.refill {
					scene.put(c.sets[1])
				}
				for range 5 {
					a.push()
				}
				if b.push(); !b.gets(patient) {
					t.Error("a flow whose rule is still there does not get what its server sends")
				}
				if !b.ask(patient) {
					t.Error("a flow whose rule is still there has ended")
				}
				if n := scene.filter.awaitCounter("drop_unsolicited", 5); n != 5 {
					t.Errorf("drop_unsolicited: %d, want the 5 datagrams of the revoked server", n)
				}
				if a.gets(0) {
					t.Error("a flow whose rule is gone goes on receiving")
				}
				_, _ = a.client.Write([]byte("?"))
				if n := scene.filter.awaitCounter("drop_udp", 1); n != 1 {
					t.Errorf("drop_udp: %d, want the datagram of the revoked flow", n)
				}
				if a.came(0) {
					t.Error("a flow whose rule is gone goes on sending")
				}
			})
		}
	}
}

// put adds an address to a set, as sallyport with --live-sets would.
func (s flowScene) put(element string) {
	set, address, _ := strings.Cut(element, " ")
	s.filter.must("nft", "add element inet sallyport "+set+" { "+address+" timeout 1h }")
}

func quoted(s string) string { return `"` + s + `"` }

// Rules with the same number keep no open flows, so that no rule keeps the flows of another.
func TestEqualFlowNumbersKeepNoFlows(t *testing.T) {
	p := &Plan{Clients: []clientFilter{
		{Name: "one", Passes: []pass{{Comment: "site/a", Mark: "m"}, {Comment: "site/a", flow: 7}, {Comment: "site/b", flow: 8}}},
		{Name: "two", Passes: []pass{{Comment: "site/c", flow: 7}}},
	}}
	p.separate()
	if one, two := p.Clients[0].Passes, p.Clients[1].Passes; len(one) != 2 || one[1].flow != 8 || len(two) != 0 {
		t.Errorf("left: %+v and %+v", one, two)
	}
	if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "one: site/a and two: site/c have the same number") {
		t.Errorf("warnings: %q", p.Warnings)
	}
}

// The number of a rule depends on its client, id and names only, and it fits its
// bits.
func TestFlowNumbers(t *testing.T) {
	numbers := func(config string) map[string]uint32 {
		out := map[string]uint32{}
		for _, g := range livePolicy(t, flowSite+config).Grants() {
			out[g.Rule.String()] = flowID(g)
		}
		return out
	}
	both := numbers(flowRule("a", quoted("a.example")+", "+quoted("b.example")) + flowRule("b", quoted("b.example")))
	alone, turned := numbers(flowRule("b", quoted("b.example"))), numbers(flowRule("a", quoted("b.example")+", "+quoted("a.example")))
	less := numbers(flowRule("a", quoted("a.example")))
	if both["site/b"] != alone["site/b"] || both["site/a"] != turned["site/a"] {
		t.Errorf("not the same in another ruleset: %v, %v, %v", both, alone, turned)
	}
	if both["site/a"] == both["site/b"] || both["site/a"] == less["site/a"] {
		t.Errorf("not apart: %v, %v", both, less)
	}
	for rule, id := range both {
		if id == 0 || id<<flowShift&^flowMask != 0 {
			t.Errorf("%s: %#x is 0 or leaves its bits", rule, id)
		}
	}
}
