//go:build linux

// Docker stacks: deploy/compose.yaml in a copy of the repository, driven by the
// commands of its page.

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// registryImage is the image that the pages name in place of the reader's own
// application.
const registryImage = "registry.corp.example/manager:6.0.4"

// stack is one profile of deploy/compose.yaml, with the page that describes it.
type stack struct {
	*daemon
	profile string
	dir     string // the copy of the repository
	files   string // of compose
	page    *guide
	env     []string
}

// newStack copies the files that the images are built from. more is a further
// compose file with a site's additions; "" for none.
func (d *daemon) newStack(t *testing.T, profile, page, more string) *stack {
	t.Helper()
	s := &stack{daemon: d, profile: profile, dir: t.TempDir()}
	copySource(t, s.dir)
	s.files = "deploy/compose.yaml"
	if more != "" {
		if err := os.WriteFile(filepath.Join(s.dir, "more.yaml"), []byte(more), 0o644); err != nil {
			t.Fatal(err)
		}
		s.files += ":more.yaml"
	}
	// A "docker" that also knows "docker compose", and the images that replace
	// those of a registry.
	bin := filepath.Join(s.dir, "bin")
	shim := `#!/bin/sh
if [ "$1" = compose ]; then shift; exec docker-compose "$@"; fi
exec ` + d.client + ` "$@"
`
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(shim), 0o755); err != nil {
		t.Fatal(err)
	}
	s.env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "VERSION=" + testVersion, "GO_IMAGE=" + warmImage, "FILTER_IMAGE=" + baseImage,
		"APPLICATION_COMMAND=sh -c 'trap \"exit 0\" TERM; while :; do sleep 1 & wait; done'"} // sleep alone would not end on SIGTERM
	s.page = readGuide(t, page)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%v", s.compose(t, "logs", "--no-color", "--tail=60"))
		}
		s.compose(t, "down", "-v", "-t", "0")
	})
	return s
}

// copySource copies the files that the binary and the images are built from.
func copySource(t *testing.T, dir string) {
	t.Helper()
	args := []string{"-R"}
	for _, name := range []string{"Dockerfile", ".dockerignore", "go.mod", "go.sum", "doc.go", "other.go", "cmd", "rules", "dnsfilter", "proxy", "denials", "configs", "deploy"} {
		args = append(args, repositoryFile(t, name))
	}
	if out, err := exec.Command("cp", append(args, dir)...).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
}

func repositoryFile(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(repository, name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// compose runs docker compose as the page does.
func (s *stack) compose(t *testing.T, args ...string) result {
	t.Helper()
	return s.shell(t, "export COMPOSE_PROJECT_NAME=sallyport COMPOSE_FILE="+s.files+" COMPOSE_PROFILES="+s.profile+"\ndocker compose "+strings.Join(args, " "))
}

// shell runs a script in the copy of the repository.
func (s *stack) shell(t *testing.T, script string) result {
	t.Helper()
	return s.tool(t, "", s.env, "sh", "-c", "cd "+s.dir+" && "+script)
}

// follow runs the commands of one section of the page, with the site's own values
// in the place of the page's. Settings stay in force for later commands.
func (s *stack) follow(t *testing.T, section string, instead ...string) {
	t.Helper()
	replacer := strings.NewReplacer(append(instead, "COMPOSE_FILE=deploy/compose.yaml", "COMPOSE_FILE="+s.files)...)
	for _, c := range s.page.section(t, section) {
		line := replacer.Replace(c.line)
		if set, ok := strings.CutPrefix(line, "export "); ok {
			s.env = append(s.env, strings.Fields(set)...)
			continue
		}
		r := s.shell(t, line)
		refused := strings.HasPrefix(c.says, "refused") || strings.HasPrefix(c.says, "no such")
		if (r.code != 0) != refused {
			t.Fatalf("the page says %q: %v\n%s", c.says, r, s.compose(t, "logs", "--no-color", "--tail=40").stdout)
		}
	}
}

// readmeStart starts the stack with the README's single line. The environment has
// the images of the site, as the file of that line demands.
func (s *stack) readmeStart(t *testing.T) {
	t.Helper()
	line := readGuide(t, "README.md").command(t, "docker compose", "--profile "+s.profile)
	r := s.shell(t, "unset COMPOSE_PROJECT_NAME COMPOSE_FILE COMPOSE_PROFILES\nexport APPLICATION_IMAGE="+baseImage+"\n"+line)
	if r.code != 0 {
		t.Fatalf("%v\n%s", r, s.compose(t, "logs", "--no-color", "--tail=40").stdout)
	}
}

// container returns the identity of a service's container, running or not.
func (s *stack) container(t *testing.T, service string) string {
	t.Helper()
	id := strings.TrimSpace(s.must(t, "ps", "-aq", "--filter", "label=com.docker.compose.service="+service, "--filter", "label=com.docker.compose.oneoff=False"))
	if id == "" || strings.Contains(id, "\n") {
		t.Fatalf("containers of %s: %q", service, id)
	}
	return id
}

// curl fetches from the application's container.
func (s *stack) curl(t *testing.T, service string, args ...string) result {
	t.Helper()
	return s.docker(t, append([]string{"exec", s.container(t, service), "curl", "-sS", "--max-time", "6"}, args...)...)
}

// mustReach fetches documented names.
func (s *stack) mustReach(t *testing.T, service string) {
	t.Helper()
	for _, url := range []string{"https://license.sangfor.com/", "https://x.sangfor.com/", "http://upd.sangfor.com/", "https://update1.sangfor.net/"} {
		host := strings.TrimSuffix(strings.SplitAfter(url, "://")[1], "/")
		if r := s.curl(t, service, url); !strings.Contains(r.stdout, "host="+host) {
			t.Errorf("a documented name: %v", r)
		}
	}
}

// mustBeBare checks what docker inspect and the kernel report about a
// container's first process.
func (s *stack) mustBeBare(t *testing.T, service string, readOnly bool) {
	t.Helper()
	i := s.inspect(t, s.container(t, service))
	h := i.HostConfig
	if fmt.Sprint(h.CapDrop) != "[ALL]" || len(h.CapAdd) != 0 || h.Privileged || !strings.Contains(fmt.Sprint(h.SecurityOpt), "no-new-privileges") {
		t.Errorf("%s: %+v", service, h)
	}
	if readOnly && !h.ReadonlyRootfs {
		t.Errorf("%s: the root can be written", service)
	}
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if v := s.status(t, i.State.Pid, set); v != "0000000000000000" {
			t.Errorf("%s: %s is %s", service, set, v)
		}
	}
	if v := s.status(t, i.State.Pid, "NoNewPrivs"); v != "1" {
		t.Errorf("%s: NoNewPrivs is %s", service, v)
	}
}

// status reads /proc/PID/status as the daemon's process namespace numbers it.
func (s *stack) status(t *testing.T, pid int, field string) string {
	t.Helper()
	all, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, file := range all {
		text, _ := os.ReadFile(file)
		values := make(map[string]string)
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(line, ":")
			values[key] = strings.TrimSpace(value)
		}
		// NSpid lists the process number in three namespaces: the test's, the daemon's and the
		// container's.
		if f := strings.Fields(values["NSpid"]); len(f) == 3 && f[1] == fmt.Sprint(pid) && f[2] == "1" && s.ours(file) {
			return values[field]
		}
	}
	t.Fatalf("no process %d", pid)
	return ""
}

// ours reports whether a process belongs to this daemon and not to another one.
func (s *stack) ours(status string) bool {
	groups, _ := os.ReadFile(filepath.Join(filepath.Dir(status), "cgroup"))
	return strings.Contains(string(groups), s.cgroup)
}

// withControl runs f with a container in the stack's outer network. The container
// has no sallyport, but it has the rights that the application lacks.
func (s *stack) withControl(t *testing.T, f func(container string)) {
	t.Helper()
	id := s.must(t, "run", "-d", "--network", "sallyport_outside", "--cap-add", "NET_ADMIN", "--security-opt", "seccomp=unconfined", baseImage, "sleep", "infinity")
	defer s.docker(t, "rm", "-f", id)
	f(id)
}

// bridge returns the host's place in a network: the first address of the subnet.
func (s *stack) bridge(t *testing.T, network string) netip.Addr {
	t.Helper()
	subnets := strings.Fields(s.must(t, "network", "inspect", "-f", "{{range .IPAM.Config}}{{.Subnet}} {{end}}", network))
	p, err := netip.ParsePrefix(subnets[0])
	if err != nil {
		t.Fatal(err)
	}
	return p.Masked().Addr().Next()
}

// kill kills a container as docker kill does, and waits until it is dead.
func (s *stack) kill(t *testing.T, service string) {
	t.Helper()
	s.must(t, "kill", s.container(t, service))
	eventually(t, 30*time.Second, service+" is dead", func() error {
		if s.inspect(t, s.container(t, service)).State.Running {
			return errorf("it runs")
		}
		return nil
	})
}

// revive starts a service again with the usual command.
func (s *stack) revive(t *testing.T, service string) {
	t.Helper()
	start := time.Now()
	s.must(t, "start", s.container(t, service))
	s.waitHealthy(t, s.container(t, service))
	t.Logf("%s is healthy %v after docker start", service, time.Since(start).Round(100*time.Millisecond))
}

// mustNotReach fails the test if the application can reach a documented name.
func (s *stack) mustNotReach(t *testing.T, service string) {
	t.Helper()
	if r := s.curl(t, service, "https://license.sangfor.com/"); r.code == 0 {
		t.Errorf("without sallyport: %v", r)
	}
}

// mustNotFindAdmin searches for the admin listener everywhere the application can:
// on every port of loopback and in every visible unix socket. sallyport's own
// container does reach the listener.
func (s *stack) mustNotFindAdmin(t *testing.T, app string) {
	t.Helper()
	gate := strings.Replace(app, "application", "sallyport", 1)
	if r := s.docker(t, "exec", s.container(t, gate), "/sallyport", "healthcheck", "--config", "/etc/sallyport/sallyport.toml"); r.code != 0 {
		t.Errorf("the admin listener does not answer its own container: %v", r)
	}
	for _, user := range []string{"0", fmt.Sprint(exemptUser)} {
		o := s.probeIn(t, s.container(t, app), user, []escape{{task: task{Name: "scan", How: "scan"}}})[0]
		if o.Err != "" || strings.Contains(o.Answer, "metrics") {
			t.Errorf("user %s finds %q %s", user, o.Answer, o.Err)
		}
		if strings.HasPrefix(app, "sidecar") && !strings.Contains(o.Answer, "open 127.0.0.1:5300") {
			t.Errorf("the scan finds nothing at all: %q", o.Answer)
		}
	}
}
