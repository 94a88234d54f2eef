//go:build linux

// Tests of the packet filter around parent proxies, with packets: only sallyport reaches a parent,
// wherever it listens.

package nftables

import (
	"strings"
	"testing"
)

// parentSite has parents on the internet, within --local, and on this host.
const parentSite = `
[[parent]]
name = "outside4"
url  = "http://93.184.0.7:9999"
[[parent]]
name = "outside6"
url  = "http://[2a00:1450::1]:9999"
[[parent]]
name = "local"
url  = "socks5://10.200.0.9:9999"
[[parent]]
name = "here"
url  = "http://10.77.0.1:9998"
[[parent]]
name = "here6"
url  = "http://[fd77::1]:9998"
[[parent]]
name = "loopback"
url  = "http://127.0.0.1:9997"
`

func TestGatewayKeepsOthersFromParents(t *testing.T) {
	needsRootAndNft(t)
	const user, own = 1000, 65532
	client, gw, internet := newRouted(t)
	gw.serve("tcp", ":3129", "sallyport")
	gw.serve("tcp", ":9998", "parent")
	gw.serve("tcp", "127.0.0.1:9997", "parent")
	gw.expect(user, `
		tcp - 93.184.0.7:9999   internet
		tcp - 127.0.0.1:9997    parent`)
	client.expect(0, `
		tcp - 10.200.0.9:9999   internet
		tcp fd77::11 [fd77::1]:9998 parent`)

	gw.must("nft", "-f", rulesetOf(t, parentSite+filterSite, "--local", "10.200.0.0/16", "--user", "65532"))
	internet.arrived()
	client.expect(0, `
		tcp - 93.184.0.7:9999         sallyport
		tcp - [2a00:1450::1]:9999     sallyport
		tcp - 10.200.0.9:9999         sallyport
		tcp - 10.77.0.1:9998          sallyport
		tcp fd77::10 [fd77::1]:9998   sallyport
		tcp fd77::11 [fd77::1]:9998   nothing`) // an address that the client's sources do not have
	gw.expect(user, `
		tcp - 93.184.0.7:9999         nothing
		tcp - [2a00:1450::1]:9999     nothing
		tcp - 10.200.0.9:9999         nothing
		tcp - 10.77.0.1:9998          nothing
		tcp - [fd77::1]:9998          nothing
		tcp - 127.0.0.1:9997          nothing`)
	if n := internet.arrived(); n != 0 {
		t.Errorf("%d packets got past the filter", n)
	}
	if gw.counters("inet", "sallyport")["drop_parent"] == 0 {
		t.Error("drop_parent counted nothing")
	}
	for _, uid := range []int{own, 0} {
		gw.expect(uid, `
			tcp - 93.184.0.7:9999         internet
			tcp - [2a00:1450::1]:9999     internet
			tcp - 10.200.0.9:9999         internet
			tcp - 10.77.0.1:9998          parent
			tcp - 127.0.0.1:9997          parent`)
	}
	gw.expect(user, `tcp - 93.184.0.8:9999 internet`)  // another host
	client.expect(0, `tcp - 10.200.0.8:9999 internet`) // another place within --local
}

// Without a listener for a family, its packets to a parent on this host are dropped.
func TestGatewayWithoutListenerKeepsOthersFromParents(t *testing.T) {
	needsRootAndNft(t)
	client, gw, _ := newRouted(t)
	gw.serve("tcp", "0.0.0.0:3129", "sallyport")
	gw.serve("tcp", ":9998", "parent")
	gw.must("nft", "-f", rulesetOf(t, parentSite+strings.ReplaceAll(filterSite, `"[::]:3129"`, `"0.0.0.0:3129"`), "--user", "65532"))
	client.expect(0, `
		tcp - 10.77.0.1:9998          sallyport
		tcp fd77::10 [fd77::1]:9998   nothing
		tcp fd77::11 [fd77::1]:9998   nothing`)
}

// With TPROXY too.
func TestTPROXYKeepsOthersFromParents(t *testing.T) {
	needsRootAndNft(t)
	client, gw, internet := newRouted(t)
	gw.serveTransparent("127.0.0.1:3130")
	gw.serveTransparent("[::1]:3130")
	gw.serve("tcp", ":9998", "parent")
	config := parentSite + tproxySite(`"127.0.0.1:3130", "[::1]:3130"`)
	gw.routes(config)
	gw.must("nft", "-f", rulesetOf(t, config, "--tproxy", "--local", "10.200.0.0/16", "--user", "65532"))
	internet.arrived()
	client.expect(0, `
		tcp - 93.184.0.7:9999         93.184.0.7:9999
		tcp - 10.200.0.9:9999         10.200.0.9:9999
		tcp - 10.77.0.1:9998          10.77.0.1:9998
		tcp fd77::10 [fd77::1]:9998   [fd77::1]:9998
		tcp fd77::11 [fd77::1]:9998   nothing`) // by the transparent socket, not by the parent
	if n := internet.arrived(); n != 0 {
		t.Errorf("%d packets got past the filter", n)
	}
}

func TestSidecarKeepsOthersFromParents(t *testing.T) {
	needsRootAndNft(t)
	const app, own = 1000, 65532
	pod, internet := newPod(t)
	pod.serve("tcp", "127.0.0.1:3129", "sallyport")
	pod.serve("tcp", "127.0.0.1:9997", "parent")
	pod.must("nft", "-f", rulesetOf(t, parentSite+filterSite, "--mode", "sidecar", "--local", "10.200.0.0/16", "--user", "65532"))
	internet.arrived()
	for _, uid := range []int{app, 0} {
		pod.expect(uid, `
			tcp - 93.184.0.7:9999       sallyport
			tcp - [2a00:1450::1]:9999   sallyport
			tcp - 10.200.0.9:9999       sallyport
			tcp - 127.0.0.1:9997        sallyport`)
	}
	if n := internet.arrived(); n != 0 {
		t.Errorf("%d packets got past the filter", n)
	}
	pod.expect(own, `
		tcp - 93.184.0.7:9999       internet
		tcp - [2a00:1450::1]:9999   internet
		tcp - 10.200.0.9:9999       internet
		tcp - 127.0.0.1:9997        parent`)
	pod.expect(app, `tcp - 10.200.0.8:9999 internet`) // another place within --local
}
