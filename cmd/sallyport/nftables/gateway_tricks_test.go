//go:build linux

// Tests of what a client could try against a gateway's packet filter: to have the
// gateway send its answers to an outside address.

package nftables

import "testing"

// The host itself answers pings, connections and queries. If a client forged an
// outside address, the answer would go to that address. It would carry out the data
// that the client put into the question.
func TestGatewaySpoofedSource(t *testing.T) {
	needsRootAndNft(t)
	client, gw, internet := newNamespace(t), newNamespace(t), newInternet(t)
	gw.cable(client, "inside", "eth0", []string{"10.77.0.1/24", "fd77::1/64"}, []string{"10.77.0.10/24", "fd77::10/64"})
	gw.cable(internet, "outside", "net", []string{"45.83.0.2/24", "2a0d:5600::2/64"}, []string{"45.83.0.1/24", "2a0d:5600::1/64"})
	gw.must("ip", "route", "add", "default", "via", "45.83.0.1")
	gw.must("ip", "-6", "route", "add", "default", "via", "2a0d:5600::1")
	client.must("ip", "route", "add", "default", "via", "10.77.0.1")
	client.must("ip", "-6", "route", "add", "default", "via", "fd77::1")
	client.must("ip", "addr", "add", "93.184.0.9/32", "dev", "lo") // an outside address, which the client forges
	gw.sysctl("ipv4/conf/all/rp_filter", "0")
	gw.sysctl("ipv4/conf/inside/rp_filter", "0")
	gw.sysctl("ipv4/tcp_synack_retries", "0") // a late packet would be counted in the next try
	gw.sysctl("ipv4/ip_forward", "1")
	gw.sysctl("ipv6/conf/all/forwarding", "1")
	gw.serve("udp", ":5300", "filter")
	gw.serve("tcp", ":22", "ssh")
	gw.expect(0, "udp - [2a00:1450::1]:9999 internet") // fills the neighbour tables
	client.expect(0, "tcp - [fd77::1]:22 ssh")
	try := func() int {
		internet.arrived()
		for _, q := range []string{"udp [fd77::1]:53", "udp [fd77::1]:5300", "tcp [fd77::1]:22"} {
			client.askAs(1000, q[:3], "2001:db8::77", q[4:])
		}
		_, _ = client.ask(0, "udp", "93.184.0.9", "10.77.0.1:5300", brief)
		_, _ = client.run("ping", "-c", "1", "-W", "1", "-I", "93.184.0.9", "10.77.0.1")
		return internet.arrived()
	}
	if n := try(); n < 4 {
		t.Fatalf("without the filter only %d packets arrived", n)
	}
	gw.must("nft", "-f", ruleset(t))
	if n := try(); n != 0 {
		t.Errorf("the host sent %d packets to the forged address", n)
	}
	spoofed := gw.counters("inet", "sallyport")["drop_spoofed"]
	if spoofed == 0 {
		t.Error("drop_spoofed counted nothing")
	}
	gw.expect(1000, "udp - [fd77::1]:5300 filter")
	gw.askAs(1000, "udp", "fd77::10", "[fd77::1]:5300")
	if gw.counters("inet", "sallyport")["drop_spoofed"] != spoofed+1 {
		t.Error("a user of the gateway is taken for a client")
	}
	client.expect(0, `
		tcp - [fd77::1]:22   ssh
		tcp - 10.77.0.1:22   ssh`)
	gw.expect(0, "udp - 93.184.0.1:9999 internet")
}
