//go:build linux

// Host, sidecar: the page's way for an application and sallyport on one host,
// on a fresh Debian.

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestSidecarHost(t *testing.T) {
	need(t, "nft", "curl", "make", "git")
	h := &host{debian: newDebian(t), s: newScene(t, "sidecar"), page: readGuide(t, "deploy/sidecar.md")}
	h.s.host.sysctl(t, "ipv4/ip_forward", "0")
	h.s.host.sysctl(t, "ipv6/conf/all/forwarding", "0")
	h.installSidecar(t)
	h.boot(t, h.s.host)
	check := h.page.command(t, "sallyport healthcheck --ready")
	eventually(t, 30*time.Second, "sallyport is well", func() error {
		if r := h.sh(t, check); r.code != 0 {
			return errorf("%v", r)
		}
		return nil
	})
	h.judged(t)
	// A later run of the script remembers the mode.
	if out := h.must(t, "cd /root/sallyport-*/\n./install.sh"); !strings.Contains(out, "Running: ") {
		t.Errorf("%s", out)
	}
	h.judged(t)
	for _, forwarding := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		if got := h.must(t, "cat /proc/sys/net/"+forwarding); got != "0\n" {
			t.Errorf("a host with a sidecar routes: %s is %q", forwarding, got)
		}
	}
	h.neverUnguarded(t)
	h.judged(t)
	// The filter stays when sallyport ends.
	h.must(t, "systemctl stop sallyport.socket")
	if r := h.manager(t, "curl -sS --max-time 5 --resolve license.sangfor.com:443:"+pick(h.s.addressesOf("license.sangfor.com"), false).String()+" https://license.sangfor.com/"); r.code == 0 {
		t.Errorf("without sallyport: %v", r)
	}
	h.must(t, "cd /root/sallyport-*/\n./install.sh --uninstall --purge")
	if left := h.must(t, "find /usr/local /etc -name '*sallyport*' -o -name '*sidecar*' | grep -v share/man || true"); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

// installSidecar follows the page, with the lab's resolver.
func (h *host) installSidecar(t *testing.T) {
	t.Helper()
	copied := exec.Command("sh", "-c", `cp "$0"/*.tar.gz "$0"/SHA256SUMS "$1"`, releaseArchive(t), filepath.Join(h.root, "root"))
	if out, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	page, err := os.ReadFile(repositoryFile(t, "deploy/sidecar.md"))
	if err != nil {
		t.Fatal(err)
	}
	config := regexp.MustCompile("(?s)```toml\n(.*?)```").FindSubmatch(page)
	if config == nil {
		t.Fatal("sidecar.md has no configuration")
	}
	h.put(t, "/etc/sallyport/sallyport.toml", strings.ReplaceAll(string(config[1]), "10.0.0.53", resolver4))
	for _, step := range [][2]string{
		{"/root", readGuide(t, "deploy/gateway.md").block(t, "apt-get install")},
		{"/root/sallyport-*/", h.page.command(t, "./sallyport check --mode sidecar")},
		{"/root/sallyport-*/", h.page.command(t, "./install.sh --sidecar")},
	} {
		if r := h.work(t, "cd "+step[0]+"\n"+strings.ReplaceAll(step[1], "linux-amd64", "linux-"+runtime.GOARCH)); r.code != 0 {
			t.Fatalf("%v", r)
		}
	}
}

// judged makes permitted and forbidden tries as the application, and with root's
// tools on the same host.
func (h *host) judged(t *testing.T) {
	t.Helper()
	mark := h.s.rec.mark(t)
	for _, c := range []struct {
		line string
		code int
		text string
	}{
		{"curl -sS https://license.sangfor.com/", 0, "origin"},
		{"curl -sS https://evil.example/", 6, "Could not resolve host"},
		{"curl -sS --resolve evil.example:443:203.0.113.9 https://evil.example/", 35, "access denied"},
	} {
		if r := h.manager(t, c.line); r.code != c.code || !strings.Contains(r.all(), c.text) {
			t.Errorf("%v\nwant exit %d and %q", r, c.code, c.text)
		}
	}
	try{ours: "license.sangfor.com"}.check(t, h.s, h.s.rec.since(t, mark))
	out := h.must(t, "sallyport denials --config /etc/sallyport/sallyport.toml")
	if err := lacks(out, "evil.example:443", "transparent", "es-manager"); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// neverUnguarded starts, reloads and stops Debian's own unit, whose file begins
// with "flush ruleset", while the application tries to get out. No packet gets
// out, and the host's own ruleset is loaded and removed as ordered.
func (h *host) neverUnguarded(t *testing.T) {
	t.Helper()
	for _, verb := range []string{"start", "reload", "restart", "stop", "start"} {
		mark := h.s.rec.mark(t)
		stop := h.flood(t)
		h.must(t, "systemctl "+verb+" nftables")
		h.must(t, "nft list table inet sallyport")
		if r := h.sh(t, "nft list table inet filter"); (r.code == 0) != (verb != "stop") {
			t.Errorf("after %s: %v", verb, r)
		}
		if verb != "stop" {
			h.must(t, "systemctl start sallyport-nft") // this also waits for the job that the start of Debian's unit began
		}
		stop()
		t.Run(verb, func(t *testing.T) { h.nothingForbidden(t, mark) })
	}
}
