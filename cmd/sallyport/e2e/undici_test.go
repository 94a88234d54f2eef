//go:build linux

// Undici: node's HTTP client with its ProxyAgent, which tunnels plain HTTP too.

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// undici returns the module's directory. The environment names it, or npm fetches
// the module.
func undici(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("SALLYPORT_E2E_UNDICI"); dir != "" {
		return dir
	}
	if _, err := exec.LookPath("npm"); err != nil {
		missing(t, "npm is not installed and SALLYPORT_E2E_UNDICI names no undici")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", workDir, "undici@6.29.1")
	if out, err := cmd.CombinedOutput(); err != nil {
		missing(t, "npm cannot fetch undici and SALLYPORT_E2E_UNDICI names none: %v\n%s", err, out)
	}
	return filepath.Join(workDir, "node_modules", "undici")
}

// es-manager reaches every destination that it may reach. sallyport refuses every
// other destination with its 403.
func TestUndici(t *testing.T) {
	need(t, "node")
	module := undici(t)
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet))
	script, err := filepath.Abs("testdata/trips.mjs")
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	args := []string{script, module, httpDoor, l.ca.file, "https://undici.evil.example/"}
	for _, d := range documentedDestinations() {
		if d.client.name != "es-manager" {
			continue
		}
		scheme := "https"
		if d.port == 80 {
			scheme = "http"
		}
		url := fmt.Sprintf("%s://%s/", scheme, d.host)
		args = append(args, url)
		want[url] = fmt.Sprintf(" %d tls=%t host=%s", d.port, d.port != 80, d.host)
	}
	r := l.tool(t, "node", args...)
	reached := 0
	for _, line := range lines(r.stdout) {
		url, answer, _ := strings.Cut(line, " ")
		switch {
		case strings.Contains(url, "evil"):
			if !strings.HasPrefix(answer, "failed") || !strings.Contains(answer, "403") {
				t.Errorf("denied, undici should say 403: %s", line)
			}
		case strings.HasPrefix(answer, "200 origin ") && strings.Contains(answer, want[url]):
			reached++
		default:
			t.Errorf("%s", line)
		}
	}
	if reached != len(want) || r.code != 0 {
		t.Errorf("undici reached %d of %d\n%s", reached, len(want), r.stderr)
	}
	g.journal().mustDeny(t, 0, denial{via: "connect", host: "undici.evil.example", port: 443, reason: "not_listed"})
	if n := slices.Index(queries(l.rec.since(t, 0)), "undici.evil.example"); n >= 0 {
		t.Error("the resolver was asked for undici.evil.example")
	}
}
