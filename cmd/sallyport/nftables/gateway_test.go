//go:build linux

// Tests of a gateway's packet filter in the kernel: client, gateway and internet
// are namespaces. Test servers listen instead of sallyport.

package nftables

import (
	"strings"
	"testing"
)

const filterSite = `
[listen]
transparent = ["[::]:3129"]
dns         = ["[::]:5300"]
[dns]
upstreams = ["udp://192.0.2.53"]

[[client]]
name     = "manager"
sources  = ["10.77.0.10", "fd77::10"]
profiles = []
[[rule]]
id     = "syslog"
client = "manager"
to     = ["93.184.0.51", "2a00:1450::51"]
udp    = [514]
reason = "test"
[[rule]]
id     = "everything"
client = "manager"
to     = ["93.184.0.99"]
any    = true
reason = "test"
[[rule]]
id     = "by-name"
client = "manager"
to     = ["support.example"]
udp    = [5000]
reason = "test"

[[client]]
name     = "plain"
sources  = ["10.77.0.12"]
profiles = ["endpoint-secure-onprem"]

[[client]]
name     = "other"
sources  = ["10.77.0.0/24"]
profiles = ["endpoint-secure-saas"]
`

// ruleset writes the ruleset of filterSite to a file.
func ruleset(t *testing.T, args ...string) string {
	t.Helper()
	return rulesetOf(t, filterSite, args...)
}

// newInternet returns a namespace in which every address of some ranges answers. It
// counts the packets that arrive, except neighbour discovery.
func newInternet(t *testing.T) *namespace {
	n := newNamespace(t)
	for _, route := range []string{"93.184.0.0/16", "8.8.8.8/32", "10.200.0.0/16"} {
		n.must("ip", "route", "add", "local", route, "dev", "lo")
	}
	n.must("ip", "route", "add", "local", "2a00:1450::/32", "dev", "lo")
	for _, a := range []string{"2a00:1450::1", "2a00:1450::51"} {
		n.must("ip", "addr", "add", a+"/128", "dev", "lo", "nodad") // to bind to
	}
	n.serve("tcp", ":9999", "internet")
	n.serve("tcp", ":53", "internet")
	for _, a := range []string{"93.184.0.51:514", "[2a00:1450::51]:514", "93.184.0.1:9999", "[2a00:1450::1]:9999", "93.184.0.99:9999", "93.184.0.99:443", "8.8.8.8:53"} {
		n.serve("udp", a, "internet")
	}
	n.must("nft", `add table inet seen; add counter inet seen arrived; add chain inet seen c { type filter hook prerouting priority -500; };
		add rule inet seen c iif != lo icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld2-listener-report } return;
		add rule inet seen c iif != lo meta l4proto { tcp, udp, icmp, ipv6-icmp, sctp, gre } counter name arrived`)
	return n
}

// arrived returns the number of packets that have arrived since the last call.
func (n *namespace) arrived() int {
	n.t.Helper()
	count := n.counters("inet", "seen")["arrived"]
	n.must("nft", "reset", "counters", "table", "inet", "seen")
	return count
}

// expect sends for each row, "network from address answer", and compares the answer.
func (n *namespace) expect(uid int, rows string) {
	n.t.Helper()
	for row := range strings.Lines(rows) {
		f := strings.Fields(row)
		if len(f) == 0 {
			continue
		}
		from := f[1]
		if from == "-" {
			from = ""
		}
		wait := patient
		if f[3] == "nothing" {
			wait = brief
		}
		if got := outcome(n.ask(uid, f[0], from, f[2], wait)); got != strings.Join(f[3:], " ") {
			n.t.Errorf("%s from %s to %s: %s, want %s", f[0], f[1], f[2], got, strings.Join(f[3:], " "))
		}
	}
}

// newRouted returns a client, a gateway that routes for it, and the internet.
func newRouted(t *testing.T) (client, gw, internet *namespace) {
	t.Helper()
	client, gw, internet = newNamespace(t), newNamespace(t), newInternet(t)
	gw.cable(client, "inside", "eth0", []string{"10.77.0.1/24", "fd77::1/64"}, []string{"10.77.0.10/24", "10.77.0.11/24", "10.77.0.12/24", "fd77::10/64", "fd77::11/64"})
	gw.cable(internet, "outside", "net", []string{"45.83.0.2/24", "2a0d:5600::2/64"}, []string{"45.83.0.1/24", "2a0d:5600::1/64"})
	gw.must("ip", "route", "add", "default", "via", "45.83.0.1")
	gw.must("ip", "-6", "route", "add", "default", "via", "2a0d:5600::1")
	client.must("ip", "route", "add", "default", "via", "10.77.0.1", "src", "10.77.0.10")
	client.must("ip", "-6", "route", "add", "default", "via", "fd77::1", "src", "fd77::10")
	internet.must("ip", "route", "add", "10.77.0.0/24", "via", "45.83.0.2")
	internet.must("ip", "-6", "route", "add", "fd77::/64", "via", "2a0d:5600::2")
	gw.sysctl("ipv4/ip_forward", "1")
	gw.sysctl("ipv6/conf/all/forwarding", "1")
	return client, gw, internet
}

func TestGatewayFilter(t *testing.T) {
	needsRootAndNft(t)
	client, gw, internet := newRouted(t)
	transparent := gw.serve("tcp", ":3129", "sallyport")
	gw.serve("udp", ":5300", "filter")
	gw.serve("tcp", ":5300", "filter")
	gw.serve("tcp", ":22", "ssh")

	// Connections are tracked before the ruleset comes, as on any host with a firewall.
	gw.must("nft", `add table inet other; add chain inet other c { type filter hook forward priority 0; }; add rule inet other c ct state new accept`)

	// Without the filter everything gets out. This checks the servers and the counter.
	before, err := client.dial(0, "tcp", "", "93.184.0.1:9999", patient)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	client.expect(0, `
		tcp - 93.184.0.1:9999        internet
		udp - 93.184.0.1:9999        internet
		udp - [2a00:1450::1]:9999    internet
		tcp 10.77.0.11 8.8.8.8:53    internet`)
	if internet.arrived() == 0 {
		t.Fatal("no packet was counted without the filter")
	}

	file := ruleset(t)
	gw.must("nft", "-f", file)
	internet.arrived()
	client.expect(0, `
		tcp -          93.184.0.1:443          sallyport
		tcp -          93.184.0.1:22           sallyport
		tcp -          93.184.0.1:9999         sallyport
		tcp 10.77.0.11 93.184.0.1:9999         sallyport
		tcp -          93.184.0.99:853         sallyport
		tcp -          10.200.0.1:5432         sallyport
		tcp -          [2a00:1450::1]:443      sallyport
		tcp -          [2a00:1450::1]:25       sallyport
		tcp -          10.77.0.1:22            ssh
		udp -          8.8.8.8:53              filter
		tcp -          8.8.8.8:53              filter
		udp -          10.77.0.1:53            filter
		udp -          93.184.0.99:53          filter
		tcp -          [2a00:1450::1]:53       filter
		udp -          [2a00:1450::1]:53       filter
		tcp 10.77.0.11 93.184.0.1:853          sallyport
		udp 10.77.0.12 8.8.8.8:53              filter
		tcp 10.77.0.12 93.184.0.1:443          sallyport
		tcp 10.77.0.12 93.184.0.1:853          nothing
		udp -          93.184.0.1:443          prohibited
		udp -          [2a00:1450::1]:443      prohibited
		udp -          93.184.0.1:853          nothing
		udp -          93.184.0.1:9999         nothing
		udp -          93.184.0.1:514          nothing
		udp 10.77.0.11 93.184.0.51:514         nothing
		udp fd77::11   [2a00:1450::51]:514     nothing
		tcp fd77::11   [2a00:1450::1]:443      nothing
		udp -          93.184.0.1:5000         nothing`)
	if got := outcome(askOn(before, brief)); got != "nothing" {
		t.Errorf("a connection opened before the ruleset was loaded: %s", got)
	}
	for _, send := range []struct {
		network, address string
		payload          []byte
	}{
		{"ip4:icmp", "93.184.0.1", append([]byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0}, make([]byte, 64)...)},
		{"ip4:sctp", "93.184.0.1", make([]byte, 32)},
		{"ip4:gre", "93.184.0.1", make([]byte, 32)},
		{"ip4:gre", "93.184.0.51", make([]byte, 32)},
		{"ip6:sctp", "2a00:1450::1", make([]byte, 32)},
		{"udp", "93.184.0.51:514", make([]byte, 3000)}, // in fragments, even to a documented destination
		{"udp", "[2a00:1450::51]:514", make([]byte, 3000)},
	} {
		if err := client.raw(send.network, send.address, send.payload); err != nil {
			t.Errorf("%s to %s: %v", send.network, send.address, err)
		}
	}
	if n := internet.arrived(); n != 0 {
		t.Errorf("%d packets got past the filter", n)
	}
	seen := gw.counters("inet", "sallyport")
	for _, name := range []string{"drop_fragment", "drop_unknown_client", "reject_quic", "drop_dot", "drop_icmp", "drop_tcp", "drop_udp", "drop_other"} {
		if seen[name] == 0 {
			t.Errorf("counter %s counted no packet; all: %v", name, seen)
		}
	}

	// The packets that the rules let pass without sallyport, and the answers.
	client.expect(0, `
		udp - 93.184.0.51:514      internet
		udp - [2a00:1450::51]:514  internet
		udp - 93.184.0.99:9999     internet
		udp - 93.184.0.99:443      internet`)
	if err := client.raw("ip4:gre", "93.184.0.99", make([]byte, 32)); err != nil || internet.arrived() < 5 {
		t.Errorf("every protocol to one address: %v", err)
	}

	testReloadAndDeath(t, client, gw, internet, file, transparent)
}

// testReloadAndDeath checks that a redirected connection survives a reload, that no
// flow from outside begins, and that without a listener no packet gets out.
func testReloadAndDeath(t *testing.T, client, gw, internet *namespace, file string, transparent interface{ Close() error }) {
	c, err := client.dial(0, "tcp", "", "93.184.0.1:443", patient)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	gw.must("nft", "-f", file)
	for range 2 {
		if got := outcome(askOn(c, patient)); got != "sallyport" {
			t.Errorf("after a reload of the ruleset: %s", got)
		}
	}
	internet.expect(0, `
		tcp - 10.77.0.10:22   nothing
		udp - 10.77.0.10:514  nothing`)
	if gw.counters("inet", "sallyport")["drop_unsolicited"] == 0 {
		t.Error("flows from outside are not counted")
	}
	internet.arrived()
	transparent.Close()
	client.expect(0, `
		tcp - 93.184.0.1:443        refused
		tcp - 93.184.0.1:9999       refused
		tcp - [2a00:1450::1]:443    refused`)
	if n := internet.arrived(); n != 0 {
		t.Errorf("without a listener %d packets got out", n)
	}
}
