//go:build linux

// Parent, preflight: it tries what is permitted through the parent, and says whose refusal it was.

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParentPreflight(t *testing.T) {
	need(t, "squid", "openssl")
	l := newLab(t)
	l.startParent(t, squidParent, "squid", "-N", "-f")
	for _, c := range []struct{ what, by, auth, dns string }{
		{"by address", "address", login, systemResolver},
		{"by name", "name", login, "[dns]\nupstreams = []\n"},
		{"a wrong password", "address", "sally:wrong", systemResolver},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := t.TempDir()
			config := withParent("url = \"http://"+parentAt+"\"\nauth_file = \"login\"\nby = \""+c.by+"\"\n", c.dns)
			replace(t, filepath.Join(dir, "site.toml"), config)
			if err := os.WriteFile(filepath.Join(dir, "login"), []byte(c.auth+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			mark := l.rec.mark(t)
			r := l.gateway.run(t, dir, "", builtBinary(t), "preflight", "--config", "site.toml", "--host", "*.sangfor.com", "--json", "--timeout", "20s")
			var report struct {
				Destinations []struct {
					Host, Status, Problem, Detail, Likely, Cure string
					Port                                        int
				}
			}
			if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
				t.Fatalf("%v\n%v", err, r)
			}
			seen := map[string]string{}
			for _, d := range report.Destinations {
				seen[d.Host] = d.Status + " " + d.Problem
				if d.Problem == "parent_auth" && (!strings.Contains(d.Detail, "parent corporate: parent_auth: 407 Proxy Authentication Required") || !strings.Contains(d.Cure, "auth_file")) ||
					d.Problem == "parent_refused" && (!strings.Contains(d.Likely, "the refusal is the parent proxy's: sallyport permits the destination") || !strings.Contains(d.Cure, "ask the operator of the parent proxy to permit "+d.Host)) {
					t.Errorf("%+v", d)
				}
			}
			if c.auth != login {
				if !strings.Contains(seen["license.sangfor.com"], "parent_auth") || strings.Contains(r.all(), "wrong") {
					t.Errorf("%v", r)
				}
			} else if strings.Contains(seen["license.sangfor.com"], "parent") || strings.HasPrefix(seen["license.sangfor.com"], "failed tcp") || seen["license.sangfor.com"] == "" {
				t.Errorf("license.sangfor.com: %q", seen["license.sangfor.com"])
			}
			l.onlyToParent(t, mark, c.by == "address")
		})
	}
}
