//go:build linux

// Tests of a sidecar's packet filter in the kernel: application and gateway share a
// namespace; the internet is another one.

package nftables

import "testing"

func TestSidecarFilter(t *testing.T) {
	needsRootAndNft(t)
	const app, own = 1000, 65532
	pod, internet := newNamespace(t), newInternet(t)
	internet.cable(pod, "net", "eth0", []string{"10.77.0.1/24", "fd77::1/64"}, []string{"10.77.0.10/24", "fd77::10/64"})
	pod.must("ip", "route", "add", "default", "via", "10.77.0.1")
	pod.must("ip", "-6", "route", "add", "default", "via", "fd77::1")
	pod.serve("tcp", "127.0.0.1:3129", "sallyport")
	pod.serve("tcp", "[::1]:3129", "sallyport")
	for _, a := range []string{"127.0.0.1:5300", "[::1]:5300"} {
		pod.serve("udp", a, "filter")
		pod.serve("tcp", a, "filter")
	}
	pod.serve("udp", "127.0.0.11:40053", "docker")
	pod.serve("tcp", "127.0.0.11:40053", "docker")
	pod.serve("tcp", ":8080", "app")
	// Docker redirects queries to its resolver in the same way.
	pod.must("nft", `add table ip docker; add chain ip docker o { type nat hook output priority -100; };
		add rule ip docker o ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:40053;
		add rule ip docker o ip daddr 127.0.0.11 tcp dport 53 dnat to 127.0.0.11:40053`)
	pod.expect(app, `
		tcp - 93.184.0.1:9999  internet
		udp - 127.0.0.11:53    docker`)
	if internet.arrived() == 0 {
		t.Fatal("the detector does not detect")
	}

	pod.must("nft", "-f", ruleset(t, "--mode", "sidecar", "--user", "65532"))
	internet.arrived()
	for _, uid := range []int{app, 0} {
		pod.expect(uid, `
			tcp - 93.184.0.1:443        sallyport
			tcp - 93.184.0.1:9999       sallyport
			tcp - 10.200.0.1:22         sallyport
			tcp - [2a00:1450::1]:443    sallyport
			tcp - 127.0.0.1:8080        app
			tcp - 10.77.0.10:8080       app
			udp - 8.8.8.8:53            filter
			tcp - 8.8.8.8:53            filter
			udp - [2a00:1450::1]:53     filter
			udp - 127.0.0.11:53         filter
			tcp - 127.0.0.11:53         filter
			udp - 127.0.0.11:40053      not permitted
			tcp - 127.0.0.11:40053      nothing
			udp - 93.184.0.1:9999       not permitted
			udp - [2a00:1450::1]:9999   not permitted
			udp - 93.184.0.1:443        not permitted
			udp - 93.184.0.1:514        not permitted`)
	}
	if err := pod.raw("ip4:icmp", "93.184.0.1", append([]byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0}, make([]byte, 64)...)); err == nil {
		t.Error("an ICMP echo got out")
	}
	if n := internet.arrived(); n != 0 {
		t.Errorf("%d packets got past the filter", n)
	}
	seen := pod.counters("inet", "sallyport")
	for _, name := range []string{"drop_docker_resolver", "reject_quic", "drop_icmp", "drop_udp"} {
		if seen[name] == 0 {
			t.Errorf("counter %s counted nothing; all: %v", name, seen)
		}
	}

	// The gateway's own packets pass, over IPv6 with neighbour discovery, and so do documented
	// packets.
	pod.must("ip", "neigh", "flush", "all")
	pod.expect(own, `
		tcp - 93.184.0.1:9999       internet
		tcp - [2a00:1450::1]:9999   internet
		udp - 8.8.8.8:53            internet
		udp - 127.0.0.11:53         docker`)
	pod.expect(app, `
		udp - 93.184.0.51:514       internet
		udp - [2a00:1450::51]:514   internet
		udp - 93.184.0.99:9999      internet`)
	internet.expect(0, `tcp - 10.77.0.10:8080 app`)
}
