// Preflight as documented: with the commands of README.md, gateway.md and
// sidecar.md, behind the packet filter, before the first start and beside a
// running sallyport.

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pages are the pages with each mode's command.
var pages = map[string][]string{"gateway": {"README.md", "deploy/gateway.md"}, "sidecar": {"deploy/sidecar.md"}}

// documentedPreflight returns the command of a page, and the arguments that
// sallyport gets from it.
func documentedPreflight(t *testing.T, page string) (line, args string) {
	t.Helper()
	begins := "runuser -u sallyport -- sallyport preflight "
	if page == "deploy/sidecar.md" {
		begins = "docker compose exec -T sidecar-sallyport /sallyport preflight "
	}
	line = readGuide(t, page).command(t, begins)
	return line, "preflight " + strings.TrimPrefix(line, begins)
}

func TestPreflightAsDocumented(t *testing.T) {
	modes(t, func(t *testing.T, mode string) {
		need(t, "runuser")
		s := newScene(t, mode)
		s.g = newGateway(t, s.host)
		s.g.uid = sallyportUser
		if err := os.Chown(s.g.dir, sallyportUser, sallyportUser); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Dir(s.g.dir), 0o755); err != nil {
			t.Fatal(err)
		}
		s.g.configure(t, configurationOf(redirecting(mode), fleet[:1]))
		s.load(t, s.host, s.ruleset(t))
		for _, page := range pages[mode] {
			line, args := documentedPreflight(t, page)
			if strings.HasPrefix(line, "docker") { // a process in the container already runs as that user
				line = "runuser -u sallyport -- sallyport " + args
			}
			s.preflighted(t, page+", before the first start", line)
		}
		_, args := documentedPreflight(t, pages[mode][0])
		s.run(t)
		s.preflighted(t, "beside a sallyport that serves", "runuser -u sallyport -- sallyport "+args)
		if b, err := os.ReadFile(filepath.Join(s.g.dir, "flows.jsonl")); err == nil && len(b) > 0 {
			t.Errorf("flows were recorded: %s", b)
		}
		if mode != "sidecar" {
			return
		}
		s.g.signal(t, syscall.SIGKILL)
		s.g.waitExit(t, 5*time.Second)
		if r := s.asUser(t, "runuser -u somebody -- sallyport "+args+" --timeout 500ms"); r.code != 1 || strings.Contains(r.stdout, "\nok ") {
			t.Errorf("as another user it goes past the filter:\n%v", r)
		}
	})
}

// preflighted demands that everything that es-manager needs works.
func (s *scene) preflighted(t *testing.T, when, line string) {
	t.Helper()
	r := s.asUser(t, line)
	if r.code != 0 || strings.Count(r.stdout, "\nok ") < 20 || !strings.Contains(r.stdout, " 0 with warnings, 0 fail, ") {
		t.Errorf("%s:\n%v", when, r)
	}
}

// asUser runs a line of a page in the namespace of sallyport. The host has the
// user, the configuration and the command of the page, and trusts the lab's
// authority.
func (s *scene) asUser(t *testing.T, line string) result {
	t.Helper()
	script := `set -e
mount -t tmpfs none /mnt && mkdir /mnt/bin && cp -a /etc /mnt/etc && mount --bind /mnt/etc /etc
echo 'sallyport:x:` + fmt.Sprint(sallyportUser) + `:` + fmt.Sprint(sallyportUser) + `::/:/usr/sbin/nologin' >> /etc/passwd
echo 'somebody:x:` + fmt.Sprint(clientUser) + `:` + fmt.Sprint(clientUser) + `::/:/usr/sbin/nologin' >> /etc/passwd
install -D -m 0644 "$0" /etc/sallyport/sallyport.toml
cp "$1" /mnt/bin/sallyport
export PATH="/mnt/bin:$PATH" SSL_CERT_FILE="$2"
` + line
	return s.host.run(t, s.dir, "", "unshare", "--mount", "--propagation", "private", "sh", "-c", script,
		filepath.Join(s.g.dir, "sallyport.toml"), builtBinary(t), s.ca.file)
}
