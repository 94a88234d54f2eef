//go:build linux

// Chromium, redirected: a browser without configuration fetches every
// documented destination of a client, tries QUIC, WebRTC and its own errands,
// and nothing else leaves.

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// page fetches a list of URLs twice and records which of them it reached. The
// names' HTTPS records announce HTTP/3, so that the browser tries QUIC. A peer
// connection asks a server over UDP for its own address.
const page = `<!doctype html><title>trips</title><body><script>
const [wanted, unwanted] = %s;
const say = (text) => { const p = document.createElement("p"); p.textContent = text; document.body.append(p); };
const trip = (url) => fetch(url, {mode: "no-cors", cache: "no-store"}).then(() => say("reached " + url), () => say("failed " + url));
const all = async () => {
  await Promise.all(wanted.map(trip));
  await Promise.all(wanted.map(trip));
  await Promise.all(unwanted.map(trip));
  say("done");
};
try {
  const peer = new RTCPeerConnection({iceServers: [{urls: "stun:93.184.250.1:3478"}]});
  peer.createDataChannel("exfiltration");
  peer.createOffer().then((offer) => peer.setLocalDescription(offer));
} catch (error) { say("no WebRTC " + error); }
all();
</script>`

// unwanted are URLs that the browser must not reach.
var unwanted = []string{
	"https://chromium.evil.example/", "http://chromium.evil.example/", "https://93.184.250.1/", "https://[2a00:1450:bad::1]/", "https://license.sangfor.com:8443/", "https://dns.google/dns-query",
}

func TestRedirectedChromium(t *testing.T) {
	need(t, "chromium")
	modes(t, func(t *testing.T, mode string) {
		for _, v6 := range []bool{false, true} {
			t.Run(fmt.Sprintf("v6=%t", v6), func(t *testing.T) {
				s := newScene(t, mode)
				s.catch(t, fleet)
				if !v6 {
					s.clients.ip(t, "route del default via "+gateway6)
				}
				mark := s.rec.mark(t)
				s.chromium(t, v6)
				try{ours: "*"}.check(t, s, s.rec.everything(t, mark))
			})
		}
	})
}

func (s *scene) chromium(t *testing.T, v6 bool) {
	t.Helper()
	var wanted []string
	for _, d := range documentedDestinations() {
		if d.client.name == "es-manager" && (v6 || s.addressesOf(d.host)[0].Is4()) {
			wanted = append(wanted, fmt.Sprintf("%s://%s/", map[bool]string{true: "http", false: "https"}[d.port == 80], d.host))
		}
	}
	urls, err := json.Marshal([][]string{wanted, unwanted})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "trips.html")
	if err := os.WriteFile(file, fmt.Appendf(nil, page, urls), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, clientUser, clientUser); err != nil {
		t.Fatal(err)
	}
	r := s.user(t, "", "env", "HOME="+dir, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--user-data-dir="+filepath.Join(dir, "profile"), "--ignore-certificate-errors", "--virtual-time-budget=20000", "--dump-dom", "file://"+file)
	if r.code != 0 || !strings.Contains(r.stdout, "<p>done</p>") {
		t.Fatalf("%v", r)
	}
	for _, url := range wanted {
		if n := strings.Count(r.stdout, "<p>reached "+url+"</p>"); n != 2 {
			t.Errorf("%s was reached %d times of 2", url, n)
		}
	}
	for _, url := range unwanted {
		if !strings.Contains(r.stdout, "<p>failed "+url+"</p>") {
			t.Errorf("%s did not fail", url)
		}
	}
	counted := s.counters(t)
	for _, name := range []string{"reject_quic", "drop_udp"} {
		if counted[name] == 0 {
			t.Errorf("the browser did not try what counter %s counts: %v", name, counted)
		}
	}
}

// counters reads the packet filter's named counters. It returns the number of
// packets by name.
func (s *scene) counters(t *testing.T) map[string]int {
	t.Helper()
	r := s.host.run(t, s.dir, "", "nft", "-j", "list", "counters", "table", "inet", "sallyport")
	var list struct {
		Nftables []struct {
			Counter struct {
				Name    string
				Packets int
			}
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &list); err != nil {
		t.Fatalf("%v: %v", r, err)
	}
	counted := make(map[string]int)
	for _, one := range list.Nftables {
		counted[one.Counter.Name] = one.Counter.Packets
	}
	return counted
}
