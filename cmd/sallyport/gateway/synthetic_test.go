// Synthetic: /readyz, the health page and the metrics say how many names have addresses.

package gateway

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSyntheticIsDescribed(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("secret", strings.Repeat("s", 32))
	const config = `
[journal]
path = "denials.jsonl"
[listen]
dns         = ["127.0.0.1:0"]
transparent = ["127.0.0.1:0"]
[dns]
upstreams = ["udp://127.0.0.1:1"]
synthetic = ["198.18.0.0/15", "fd53:1234:5678::/64"]
synthetic_secret_file = "secret"
[[client]]
name      = "c"
sources   = ["10.0.0.0/8"]
profiles  = []
synthetic = true
[[rule]]
id     = "r"
client = "c"
to     = ["a.example", "b.example", "*.c.example"]
tcp    = [443]
reason = "test"
`
	g, _ := openGateway(t, write("site.toml", config))
	const want = "fd53:1234:5678::/64, 198.18.0.0/15: 2 names of rules, and 0 names below wildcards that clients asked for"
	page := httptest.NewRecorder()
	g.serveReady(page, httptest.NewRequest("GET", "/readyz", nil))
	if got := page.Body.String(); !strings.Contains(got, "synthetic: "+want+"\n") {
		t.Errorf("/readyz says %s", got)
	}
	if got := g.readiness().Synthetic; got != want {
		t.Errorf("/readyz says in JSON %q", got)
	}
	if got := fmt.Sprint(g.health()); !strings.Contains(got, "{Synthetic addresses true "+want+"}") {
		t.Errorf("the page says %s", got)
	}
	families, err := g.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "sallyport_synthetic_names" {
				got[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	if fmt.Sprint(got) != "map[asked:0 exact:2]" {
		t.Errorf("the metric is %v", got)
	}
	if problems := ThisKeeper().CheckPermissions(g.cfg, filepath.Join(dir, "site.toml")); len(problems) > 0 {
		t.Errorf("permissions: %v", problems)
	}
	if err := os.Chmod(filepath.Join(dir, "secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := ThisKeeper().CheckPermissions(g.cfg, filepath.Join(dir, "site.toml")).Error(); !strings.Contains(got, "[dns] synthetic_secret_file: every user of this host can read this secret") {
		t.Errorf("a secret that every user can read: %q", got)
	}
}
