//go:build linux

// Host: the page of the gateway host, followed literally on a fresh Debian, which
// is then booted between a manager and an internet.

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// host is a Debian that is the gateway of a scene.
type host struct {
	*debian
	s    *scene
	page *guide
}

// The commands of the page that TestGatewayHost does not run, and the tests of
// package main that do the same.
var gatewayElsewhere = map[string]string{
	"install -d -g sallyport":                                 "TestCountersBelongToTheGroupOfTheirDirectory",
	"while :; do sallyport nft --counters":                    "TestDropsInTheJournal",
	"runuser -u sallyport -- sallyport run --filter-counters": "TestDropsInTheJournal",
}

func TestGatewayHost(t *testing.T) {
	need(t, "nft", "curl", "ping", "make", "git")
	h := &host{debian: newDebian(t), s: newScene(t, "gateway"),
		page: readGuide(t, "deploy/gateway.md")}
	h.s.host.sysctl(t, "ipv4/ip_forward", "0")
	h.s.host.sysctl(t, "ipv6/conf/all/forwarding", "0")

	h.install(t)
	h.boot(t, h.s.host)
	h.healthy(t)
	h.preflight(t)
	h.confined(t)
	h.tryIt(t)
	h.boundRuleset(t)
	h.reload(t)
	h.restart(t)
	h.listenElsewhere(t)
	h.liveSets(t)
	h.upgrade(t)
	h.killed(t)
	h.hung(t)
	h.flushed(t)
	h.stopped(t)
	h.uninstall(t)
	h.page.done(t, gatewayElsewhere, nil)
}

// healthy runs the page's checks after the installation.
func (h *host) healthy(t *testing.T) {
	t.Helper()
	check := h.page.block(t, "sallyport healthcheck")
	eventually(t, 30*time.Second, "sallyport is well", func() error {
		if r := h.sh(t, check); r.code != 0 {
			return errorf("%v", r)
		}
		return nil
	})
	for _, forwarding := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		if got := h.must(t, "cat /proc/sys/net/"+forwarding); got != "1\n" {
			t.Errorf("%s is %q", forwarding, got)
		}
	}
	for _, unit := range []string{"sallyport.socket", "sallyport-dns.socket", "sallyport.service"} {
		if state := h.show(t, unit, "ActiveState"); state != "active" {
			t.Errorf("%s is %s", unit, state)
		}
	}
	if listen := h.show(t, "sallyport.socket", "Listen") + h.show(t, "sallyport-dns.socket", "Listen"); lacks(listen, "[::]:3129 (Stream)", "[::]:5300 (Stream)", "[::]:5300 (Datagram)") != nil {
		t.Errorf("systemd holds %q", listen)
	}
}

// preflight runs the page's next check. The host trusts the lab's authority only
// because the test adds it.
func (h *host) preflight(t *testing.T) {
	t.Helper()
	ca, err := os.ReadFile(h.s.ca.file)
	if err != nil {
		t.Fatal(err)
	}
	h.put(t, "/etc/lab-ca.pem", string(ca))
	out := h.must(t, "export SSL_CERT_FILE=/etc/lab-ca.pem\n"+h.page.block(t, "runuser -u sallyport -- sallyport preflight"))
	if err := lacks(out, "ok  license.sangfor.com:443 ", " 0 with warnings, 0 fail, "); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// confined checks the running process by the kernel's own data.
func (h *host) confined(t *testing.T) {
	t.Helper()
	status := h.must(t, "cat /proc/$(systemctl show --value -p MainPID sallyport)/status")
	err := lacks(status, "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000",
		"NoNewPrivs:\t1", "Seccomp:\t2")
	if err != nil || strings.Contains(status, "Uid:\t0") {
		t.Errorf("%v\n%s", err, status)
	}
	if ready := h.must(t, "sallyport healthcheck --ready --config /etc/sallyport/sallyport.toml"); strings.Contains(ready, "failed") {
		t.Errorf("a step of its own confinement fails:\n%s", ready)
	}
}

// tryIt makes the page's tries on the manager.
func (h *host) tryIt(t *testing.T) {
	t.Helper()
	mark := h.s.rec.mark(t)
	block := h.page.block(t, "curl https://license.sangfor.com/")
	want := []struct {
		code int
		text string
	}{{0, "origin"}, {6, "Could not resolve host"}, {35, "access denied"}, {1, "100% packet loss"}}
	lines := strings.Split(strings.TrimSpace(block), "\n")
	if len(lines) != len(want) {
		t.Fatalf("the page tries %q", lines)
	}
	for i, line := range lines {
		r := h.manager(t, line)
		if r.code != want[i].code || !strings.Contains(r.all(), want[i].text) {
			t.Errorf("%v\nwant exit %d and %q", r, want[i].code, want[i].text)
		}
	}
	try{ours: "license.sangfor.com"}.check(t, h.s, h.s.rec.since(t, mark))
	out := h.must(t, h.page.block(t, "sallyport denials"))
	if err := lacks(out, "evil.example", "es-manager", "counter drop_icmp"); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	// A timer brings the filter's dropped packets into the journal.
	eventually(t, time.Minute, "the ping is in the journal", func() error {
		return lacks(h.must(t, "cat /var/log/sallyport/denials.jsonl"), "dropped by the packet filter (drop_icmp): ICMP; IP protocol 1")
	})
	if ready := h.must(t, "sallyport healthcheck --ready --config /etc/sallyport/sallyport.toml"); !strings.Contains(ready, "packet filter: drops are journaled") {
		t.Errorf("/readyz says\n%s", ready)
	}
}

// boundRuleset prints the page's ruleset that binds the manager to its
// link-layer address, and has nft read it.
func (h *host) boundRuleset(t *testing.T) {
	t.Helper()
	line := strings.NewReplacer("10.20.30.40", fleet[0].v4(), "fd00:20::40", fleet[0].v6()).Replace(h.page.block(t, "sallyport nft --config /etc/sallyport/sallyport.toml --neighbour"))
	out := h.must(t, strings.TrimSpace(line)+" >/run/bound.nft\nnft --check -f /run/bound.nft\ncat /run/bound.nft")
	if err := lacks(out, fleet[0].v4()+" . 52:54:00:12:34:56", fleet[0].v6()+" . 52:54:00:12:34:56"); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// manager runs a line of shell on the manager, which trusts the lab's authority.
func (h *host) manager(t *testing.T, line string) result {
	t.Helper()
	return h.s.user(t, "", "env", "CURL_CA_BUNDLE="+h.s.ca.file, "sh", "-c", line)
}

// reload puts a changed configuration in force.
func (h *host) reload(t *testing.T) {
	t.Helper()
	const line = "curl -sS --max-time 5 https://clt.sangfor.com/"
	if r := h.manager(t, line); r.code == 0 {
		t.Errorf("before the feature is on: %v", r)
	}
	pid := h.show(t, "sallyport", "MainPID")
	h.edit(t, "/etc/sallyport/sallyport.toml", `"neural-x"]`, `"neural-x", "sample-submission"]`)
	h.must(t, h.page.block(t, "sallyport check --config"))
	eventually(t, 30*time.Second, "the feature is on", func() error {
		if r := h.manager(t, line); r.code != 0 {
			return errorf("%v", r)
		}
		return nil
	})
	if now := h.show(t, "sallyport", "MainPID"); now != pid {
		t.Errorf("a reload restarted the process: %s, %s", pid, now)
	}
}

// listenElsewhere adds a listener, and moves it. After the page's commands systemd
// holds its socket. Without these commands systemd still holds a socket that has no
// entry in the configuration, and sallyport does not start. Meanwhile clients
// connect, which would also make systemd start it.
func (h *host) listenElsewhere(t *testing.T) {
	t.Helper()
	w := h.s.work(t)
	defer w.stop()
	block := h.page.block(t, "systemctl daemon-reload")
	proxied := func(port string) {
		t.Helper()
		h.must(t, block)
		if listen := h.show(t, "sallyport.socket", "Listen"); !strings.Contains(listen, gateway4+":"+port+" (Stream)") {
			t.Errorf("systemd holds %q", listen)
		}
		if r := h.manager(t, "curl -sS -x http://"+gateway4+":"+port+" https://license.sangfor.com/"); r.code != 0 {
			t.Errorf("%v", r)
		}
	}
	const site = "/etc/sallyport/sallyport.toml"
	h.edit(t, site, "[listen]\n", "[listen]\nhttp = [\""+gateway4+":3128\"]\n")
	proxied("3128")
	h.edit(t, site, ":3128", ":3130")
	if r := h.sh(t, "systemctl restart sallyport"); r.code == 0 {
		t.Errorf("it starts with a socket without an entry: %v", r)
	}
	if log := h.must(t, "journalctl --no-pager -o cat -u sallyport | tail -n 20"); lacks(log, gateway4+":3128", "systemctl daemon-reload && systemctl restart ") != nil {
		t.Errorf("no cure in\n%s", log)
	}
	proxied("3130")
	// sallyport also starts when the host does not have the address yet.
	h.edit(t, site, gateway4+":3130", "10.77.9.9:3130")
	h.must(t, block)
	eventually(t, 30*time.Second, "a word about it", func() error {
		return lacks(h.must(t, "journalctl --no-pager -o cat -u sallyport | tail -n 40"), "this host does not have the address of a listener", "10.77.9.9:3130")
	})
	h.edit(t, site, "10.77.9.9:3130", gateway4+":3130")
	proxied("3130")
}

// liveSets keeps one capability, for datagrams to a name.
func (h *host) liveSets(t *testing.T) {
	t.Helper()
	site := h.get(t, "/etc/sallyport/sallyport.toml")
	h.put(t, "/etc/sallyport/sallyport.toml", site+`
[[rule]]
id     = "time"
client = "es-manager"
to     = ["license.sangfor.com"]
udp    = [123]
reason = "a name for datagrams"
`)
	const drop = "/etc/systemd/system/sallyport.service.d/live-sets.conf"
	h.must(t, "install -D -m 0644 /usr/local/share/doc/sallyport/sallyport-live-sets.conf "+drop+
		"\nsystemctl daemon-reload\nsystemctl reload sallyport-nft\nsystemctl restart sallyport")
	address := pick(h.s.addressesOf("license.sangfor.com"), false).String()
	eventually(t, 30*time.Second, "the name's address is in the packet filter", func() error {
		return lacks(h.must(t, "nft list table inet sallyport"), address)
	})
	status := h.must(t, "cat /proc/$(systemctl show --value -p MainPID sallyport)/status")
	if err := lacks(status, "CapPrm:\t0000000000001000", "CapBnd:\t0000000000001000", "NoNewPrivs:\t1", "Seccomp:\t2"); err != nil {
		t.Errorf("%v\n%s", err, status)
	}
	h.must(t, "rm -r "+filepath.Dir(drop)+"\nsystemctl daemon-reload")
	h.put(t, "/etc/sallyport/sallyport.toml", site)
	h.must(t, "systemctl reload sallyport-nft\nsystemctl restart sallyport")
}
