//go:build linux

// Host with TPROXY: a gateway host whose operator changes it from REDIRECT to TPROXY, as
// the page about operations says.

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestGatewayHostWithTPROXY(t *testing.T) {
	need(t, "nft", "curl", "ping", "make", "git")
	h := &host{debian: newDebian(t), s: newScene(t, "gateway"), page: readGuide(t, "deploy/gateway.md")}
	h.s.host.sysctl(t, "ipv4/ip_forward", "0")
	h.s.host.sysctl(t, "ipv6/conf/all/forwarding", "0")
	h.install(t)
	h.boot(t, h.s.host)
	h.healthy(t)

	page, err := os.ReadFile(repositoryFile(t, "docs/operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	listener := regexp.MustCompile(`(?m)^    (tproxy = \[.*\]) `).FindSubmatch(page)
	commands := regexp.MustCompile(`(?m)^Then let systemd read them.*\n\n((?:    .*\n)+)`).FindSubmatch(page)
	if listener == nil || commands == nil {
		t.Fatal("operations.md has no listener or no commands for TPROXY")
	}
	const site = "/etc/sallyport/sallyport.toml"
	h.edit(t, site, `transparent = ["[::]:3129"]`, string(listener[1]))
	h.put(t, site, h.get(t, site)+siteDatagrams)
	h.must(t, string(commands[1]))
	eventually(t, 30*time.Second, "sallyport is ready", func() error {
		return lacks(h.sh(t, "sallyport healthcheck --ready --config "+site).all(), "\nready\n", "the raw sockets for the replies of [listen] tproxy stay open")
	})
	status := h.must(t, "cat /proc/$(systemctl show --value -p MainPID sallyport)/status")
	if err := lacks(status, "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"); err != nil {
		t.Errorf("%v\n%s", err, status)
	}
	for _, family := range []string{"-4", "-6"} {
		if r := h.manager(t, "curl -sS "+family+" https://license.sangfor.com/"); !strings.Contains(r.stdout, "origin") {
			t.Errorf("%v", r)
		}
	}
	for _, to := range []string{"93.184.251.2:514", "[2a00:1450:514::1]:514"} {
		h.s.mustEcho(t, netip.MustParseAddrPort(to))
	}
	mark := h.s.rec.mark(t)
	if answer, err := h.s.exchange(netip.MustParseAddrPort("93.184.251.9:514"), "exfiltration", 50*time.Millisecond); err == nil {
		t.Errorf("answer %q", answer)
	}
	try{}.check(t, h.s, h.s.rec.everything(t, mark))
	eventually(t, 30*time.Second, "the denial", func() error {
		return lacks(h.must(t, "cat /var/log/sallyport/denials.jsonl"), `"via":"udp"`, fmt.Sprintf(`"original_dst":%q`, "93.184.251.9:514"))
	})
}
