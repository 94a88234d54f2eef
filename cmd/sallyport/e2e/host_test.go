//go:build linux

// Host: the page of the gateway host, followed literally on a fresh Debian, which
// is then booted between a manager and an internet.

package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// host is a Debian as gateway of a scene.
type host struct {
	*debian
	s    *scene
	page *guide
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
	h.reload(t)
	h.restart(t)
	h.listenElsewhere(t)
	h.liveSets(t)
	h.upgrade(t)
	h.killed(t)
	h.hung(t)
	h.stopped(t)
	h.uninstall(t)
	h.page.done(t, nil, nil)
}

// releaseArchive builds a release as the README does, for this machine.
func releaseArchive(t *testing.T) string {
	t.Helper()
	dist := filepath.Join(t.TempDir(), "dist")
	cmd := exec.Command("sh", "-c", readGuide(t, "README.md").command(t, "make release"))
	cmd.Dir = repositoryFile(t, ".")
	cmd.Env = append(os.Environ(), "ARCHES="+runtime.GOARCH, "DIST="+dist)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make release: %v\n%s", err, out)
	}
	return dist
}

// install follows the steps up to the installation, before systemd runs.
func (h *host) install(t *testing.T) {
	t.Helper()
	dist := releaseArchive(t)
	copied := exec.Command("sh", "-c", `cp "$0"/*.tar.gz "$0"/SHA256SUMS "$1"`, dist, filepath.Join(h.root, "root"))
	if out, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const site = "/etc/sallyport/sallyport.toml"
	step := func(dir, block string) result {
		t.Helper()
		r := h.work(t, "cd "+dir+"\n"+strings.ReplaceAll(block, "linux-amd64", "linux-"+runtime.GOARCH))
		if r.code != 0 {
			t.Fatalf("%v", r)
		}
		return r
	}
	step("/root", h.page.block(t, "apt-get install"))
	h.intoRoot(t)
	// Without a configuration nothing is enabled.
	const unpacked = "/root/sallyport-*/"
	if r := step(unpacked, "./install.sh --dry-run"); !strings.Contains(r.stdout, "Nothing was started") || h.exists("/usr/local/bin/sallyport") {
		t.Errorf("dry: %v", r)
	}
	step(unpacked, h.page.block(t, "install -d"))
	if r := step(unpacked, "./install.sh"); !strings.Contains(r.stdout, "Nothing was started") || h.exists("/etc/systemd/system/multi-user.target.wants/sallyport.service") {
		t.Errorf("with the bare example: %v", r)
	}
	manager := fleet[0]
	h.edit(t, site, `"10.20.30.40", "fd00:20::40"`, fmt.Sprintf("%q, %q", manager.v4(), manager.v6()), "udp://10.0.0.53", "udp://"+resolver4)
	// A mistake changes nothing.
	good := h.get(t, site)
	h.put(t, site, good+"\n[limits]\nidle = 1\n")
	if r := h.work(t, "cd "+unpacked+"\n./install.sh"); r.code != 1 || !strings.Contains(r.all(), "sallyport.toml:23: ") || !strings.Contains(r.stderr, "nothing was changed") {
		t.Errorf("with a mistake: %v", r)
	}
	h.put(t, site, good)
	if r := step(unpacked, h.page.block(t, "./sallyport check")); !strings.Contains(r.stdout, "table inet sallyport") || strings.Contains(r.all(), "warning") {
		t.Errorf("%v", r)
	}
	if r := step(unpacked, h.page.block(t, "./install.sh")); !strings.Contains(r.stdout, "They start with the next boot") {
		t.Errorf("%v", r)
	}
	if h.get(t, site) != good {
		t.Error("the configuration was overwritten")
	}
	if r := step(unpacked, "./install.sh"); strings.Contains(r.stdout, "  /usr/local") {
		t.Errorf("twice is not once: %v", r)
	}
	// systemd's own opinion, with what the generator says; and a page from man's place.
	verify := step("/", "systemd-analyze verify --man=no --generators=yes sallyport.service sallyport.socket sallyport-dns.socket sallyport-nft.service")
	if strings.Contains(verify.all(), "sallyport") {
		t.Errorf("%v", verify)
	}
	if !h.exists("/usr/local/share/man/man1/sallyport-explain.1") || !h.exists("/usr/local/share/bash-completion/completions/sallyport") {
		t.Error("no man page, or no completion")
	}
}

// intoRoot installs from the outside, as one who makes an image does, and takes
// everything away again.
func (h *host) intoRoot(t *testing.T) {
	t.Helper()
	before := h.work(t, "find / -xdev | grep sallyport || true").stdout
	site := filepath.Join(t.TempDir(), "site.toml")
	script, err := filepath.Glob(filepath.Join(h.root, "root", "sallyport-*", "install.sh"))
	if err != nil || len(script) != 1 {
		t.Fatalf("unpacked: %q %v", script, err)
	}
	example, err := os.ReadFile(filepath.Join(filepath.Dir(script[0]), "gateway.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(site, append(example, "# of this site\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(script[0], append(args, "--root", h.root)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("install.sh %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("--config", site)
	for _, path := range []string{"/usr/local/bin/sallyport", "/var/log/sallyport", "/etc/sallyport/sallyport.toml",
		"/etc/systemd/system/multi-user.target.wants/sallyport.service", "/etc/systemd/system/multi-user.target.wants/sallyport-nft.service"} {
		if !h.exists(path) {
			t.Errorf("--root does not install %s", path)
		}
	}
	if passwd := h.get(t, "/etc/passwd"); !strings.Contains(passwd, "\nsallyport:") {
		t.Errorf("--root makes no user:\n%s", passwd)
	}
	run("--uninstall", "--purge")
	if after := h.work(t, "find / -xdev | grep sallyport || true").stdout; after != before {
		t.Errorf("before --root\n%s\nafterwards\n%s", before, after)
	}
}

func (h *host) exists(path string) bool {
	_, err := os.Lstat(filepath.Join(h.root, path))
	return err == nil
}

// healthy is what the page asks after the installation.
func (h *host) healthy(t *testing.T) {
	t.Helper()
	check := h.page.block(t, "sallyport healthcheck")
	eventually(t, 20*time.Second, "sallyport is well", func() error {
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

// preflight is what the page asks next: the host, unlike its operator's, trusts
// the lab's authority only because the test says so.
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

// confined reads what the kernel says of the running process.
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
	eventually(t, 10*time.Second, "the feature is on", func() error {
		if r := h.manager(t, line); r.code != 0 {
			return errorf("%v", r)
		}
		return nil
	})
	if now := h.show(t, "sallyport", "MainPID"); now != pid {
		t.Errorf("a reload is no restart: %s, %s", pid, now)
	}
}

// restart restarts under load: nobody is refused, nothing is lost.
func (h *host) restart(t *testing.T) {
	t.Helper()
	block := h.page.block(t, "systemctl restart sallyport")
	h.underLoad(t, func() {
		for range 5 {
			pid := h.show(t, "sallyport", "MainPID")
			h.must(t, block)
			if now := h.show(t, "sallyport", "MainPID"); now == pid || now == "0" {
				t.Errorf("it was not restarted: %s, %s", pid, now)
			}
		}
	})
}

// upgrade installs again, beside the running one.
func (h *host) upgrade(t *testing.T) {
	t.Helper()
	h.underLoad(t, func() {
		pid := h.show(t, "sallyport", "MainPID")
		if out := h.must(t, "cd /root/sallyport-*/\n./install.sh"); !strings.Contains(out, "Running: ") {
			t.Errorf("%s", out)
		}
		if now := h.show(t, "sallyport", "MainPID"); now == pid {
			t.Error("an upgrade that restarts nothing")
		}
	})
}

// underLoad runs f while connections and queries begin all the time, and fails
// when one of them is refused, reset, lost or answered wrongly.
func (h *host) underLoad(t *testing.T, f func()) {
	t.Helper()
	var all sync.WaitGroup
	var good atomic.Int64
	stop, failures := make(chan struct{}), make(chan error, 64)
	worker := func(f func() error) {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
				}
				if err := f(); err == nil {
					good.Add(1)
				} else {
					select {
					case failures <- err:
					default:
					}
				}
			}
		})
	}
	for _, a := range h.s.addressesOf("license.sangfor.com") {
		worker(func() error { return h.s.fetch(netip.AddrPortFrom(a, 443), "license.sangfor.com") })
		worker(func() error { return h.s.fetch(netip.AddrPortFrom(a, 443), "license.sangfor.com") })
	}
	worker(func() error { return h.s.ask("license.sangfor.com") })
	enough := func(more int64) {
		before := good.Load()
		eventually(t, 20*time.Second, "transfers under load", func() error {
			if n := good.Load() - before; n < more {
				return errorf("%d", n)
			}
			return nil
		})
	}
	enough(100)
	f()
	enough(100)
	close(stop)
	all.Wait()
	close(failures)
	for err := range failures {
		t.Errorf("under load: %v", err)
	}
	t.Logf("%d connections and queries under load", good.Load())
}

// fetch makes one request over a new connection, patiently.
func (s *scene) fetch(dst netip.AddrPort, name string) error {
	d := net.Dialer{Timeout: 20 * time.Second}
	var c net.Conn
	if err := s.clients.do(func() (err error) { c, err = d.Dial("tcp", dst.String()); return err }); err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	secure := tls.Client(c, &tls.Config{ServerName: name, RootCAs: s.ca.pool})
	if _, err := fmt.Fprintf(secure, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", name); err != nil {
		return err
	}
	b := make([]byte, 4096)
	if n, err := secure.Read(b); !strings.Contains(string(b[:n]), "200 OK") {
		return errorf("%v: %q %w", dst, b[:n], err)
	}
	return nil
}

// ask asks a resolver that does not know of sallyport, once and patiently.
func (s *scene) ask(name string) error {
	c, err := s.clients.dial("udp", "", foreignDNS4+":53")
	if err != nil {
		return err
	}
	defer c.Close()
	q := new(dns.Msg)
	q.SetQuestion(name+".", dns.TypeA)
	answer, _, err := (&dns.Client{Timeout: 20 * time.Second}).ExchangeWithConn(q, &dns.Conn{Conn: c})
	if err != nil || len(answer.Answer) == 0 {
		return errorf("query: %v %w", answer, err)
	}
	return nil
}

// listenElsewhere adds a listener, and moves it: systemd holds it after the page's
// commands, and without them a door that nobody asked for keeps it from starting.
// All the while there are clients, who by themselves would start it.
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
		t.Errorf("it starts with a door that nobody asked for: %v", r)
	}
	if log := h.must(t, "journalctl --no-pager -o cat -u sallyport | tail -n 20"); lacks(log, gateway4+":3128", "systemctl daemon-reload && systemctl restart ") != nil {
		t.Errorf("no cure in\n%s", log)
	}
	proxied("3130")
	// An address that is not there yet keeps nothing from starting.
	h.edit(t, site, gateway4+":3130", "10.77.9.9:3130")
	h.must(t, block)
	eventually(t, 20*time.Second, "a word about it", func() error {
		return lacks(h.must(t, "journalctl --no-pager -o cat -u sallyport | tail -n 40"), "this host does not have a listener's address", "10.77.9.9:3130")
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
	eventually(t, 20*time.Second, "the name's address is in the packet filter", func() error {
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

// killed kills the gateway under load of permitted and forbidden tries: nothing
// forbidden gets out, and it is back without anybody's help.
func (h *host) killed(t *testing.T) {
	t.Helper()
	mark := h.s.rec.mark(t)
	w := h.s.work(t)
	eventually(t, 20*time.Second, "transfers under load", func() error { return w.more(0) })
	restarts := h.show(t, "sallyport", "NRestarts")
	h.must(t, "systemctl kill --signal=KILL sallyport")
	eventually(t, 20*time.Second, "it is started again", func() error {
		if n := h.show(t, "sallyport", "NRestarts"); n == restarts || h.show(t, "sallyport", "ActiveState") != "active" {
			return errorf("%s restarts", n)
		}
		return nil
	})
	before := w.done.Load()
	eventually(t, 20*time.Second, "transfers after the kill", func() error { return w.more(before) })
	w.stop()
	arrived := slices.DeleteFunc(h.s.rec.everything(t, mark), func(p packet) bool {
		// The host's own word that nobody waits for a resolver's answer any more.
		return p.proto == "icmp" && p.src.Addr() == netip.MustParseAddr(outside4) && p.dst.Addr() == netip.MustParseAddr(resolver4)
	})
	try{ours: "license.sangfor.com"}.check(t, h.s, arrived)
}

// hung stops the process without ending it: systemd misses its sign of life.
func (h *host) hung(t *testing.T) {
	t.Helper()
	const drop = "/run/systemd/system/sallyport.service.d/hurry.conf"
	h.must(t, "mkdir -p "+filepath.Dir(drop)+"\nprintf '[Service]\\nWatchdogSec=3s\\nTimeoutAbortSec=1s\\n' >"+drop+
		"\nsystemctl daemon-reload\nsystemctl restart sallyport")
	restarts, err := strconv.Atoi(h.show(t, "sallyport", "NRestarts"))
	if err != nil {
		t.Fatal(err)
	}
	h.must(t, "kill -STOP $(systemctl show --value -p MainPID sallyport)")
	eventually(t, 30*time.Second, "systemd starts it again", func() error {
		if n := h.show(t, "sallyport", "NRestarts"); n != strconv.Itoa(restarts+1) || h.show(t, "sallyport", "ActiveState") != "active" {
			return errorf("%s restarts", n)
		}
		return nil
	})
	if err := h.s.fetch(netip.AddrPortFrom(h.s.addressesOf("license.sangfor.com")[0], 443), "license.sangfor.com"); err != nil {
		t.Error(err)
	}
	h.must(t, "rm "+drop+"\nsystemctl daemon-reload\nsystemctl restart sallyport")
}

// stopped stops it for good: nothing gets out, and the filter stays, also when
// its unit stops.
func (h *host) stopped(t *testing.T) {
	t.Helper()
	h.must(t, h.page.block(t, "systemctl stop sallyport.socket"))
	h.must(t, "systemctl stop sallyport-nft")
	if got := h.must(t, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"); got != "0\n0\n" {
		t.Errorf("without its unit the host routes: %q", got)
	}
	h.nothingGetsOut(t)
	h.filterFails(t)
	// Debian's own unit begins with "flush ruleset": ours comes back after it.
	h.must(t, "systemctl start sallyport-nft sallyport\nsystemctl restart nftables")
	eventually(t, 20*time.Second, "the packet filter is back", func() error {
		if r := h.sh(t, "nft list table inet sallyport"); r.code != 0 {
			return errorf("%v%s", r, h.sh(t, "systemctl --no-pager status nftables sallyport-nft").stdout)
		}
		return nil
	})
	if r := h.manager(t, "curl -sS https://license.sangfor.com/"); r.code != 0 {
		t.Errorf("%v", r)
	}
}

// filterFails starts the filter's unit with a configuration that is wrong, as at
// a boot, on a host that something else has told to route.
func (h *host) filterFails(t *testing.T) {
	t.Helper()
	const site = "/etc/sallyport/sallyport.toml"
	good := h.get(t, site)
	h.put(t, site, good+"\n[limits]\nidle = 1\n")
	h.must(t, "sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
	if r := h.sh(t, "systemctl start sallyport-nft"); r.code == 0 {
		t.Error("the unit started with a configuration that is wrong")
	}
	if got := h.must(t, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"); got != "0\n0\n" {
		t.Errorf("with its unit failed the host routes: %q", got)
	}
	h.put(t, site, good)
	// By the README's one line, without the unit: the filter holds by itself.
	h.must(t, "nft delete table inet sallyport\nsysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1\n"+readGuide(t, "README.md").command(t, "sallyport nft --config"))
	h.nothingGetsOut(t)
}

// nothingGetsOut tries for a while, and all of it in vain.
func (h *host) nothingGetsOut(t *testing.T) {
	t.Helper()
	h.must(t, "nft list table inet sallyport >/dev/null")
	mark := h.s.rec.mark(t)
	w := h.s.work(t)
	eventually(t, 20*time.Second, "tries in vain", func() error {
		if n := w.tried.Load(); n < 200 {
			return errorf("%d", n)
		}
		return nil
	})
	w.stop()
	if n := w.done.Load(); n > 0 {
		t.Errorf("%d transfers without a gateway", n)
	}
	for _, p := range h.s.rec.everything(t, mark) {
		if tail := p.proto == "tcp" && !p.syn && len(p.payload) == 0; !tail && !(try{}.permits(h.s, p) && p.query == "") {
			t.Errorf("without a gateway there arrived: %v", p)
		}
	}
}

// uninstall removes what was installed, keeps what is the site's, and opens nothing.
func (h *host) uninstall(t *testing.T) {
	t.Helper()
	out := h.must(t, "cd /root/sallyport-*/\n./install.sh --uninstall")
	if !strings.Contains(out, "packet filter is still loaded") {
		t.Errorf("%s", out)
	}
	if left := h.must(t, "find /usr/local /etc/systemd -name '*sallyport*'"); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
	if !h.exists("/etc/sallyport/sallyport.toml") || !h.exists("/var/log/sallyport/denials.jsonl") {
		t.Error("the site's own is gone")
	}
	h.nothingGetsOut(t)
	h.must(t, "cd /root/sallyport-*/\n./install.sh --uninstall --purge")
	if h.exists("/etc/sallyport") || h.exists("/var/log/sallyport") || strings.Contains(h.get(t, "/etc/passwd"), "sallyport") {
		t.Error("--purge leaves the site's own")
	}
}
