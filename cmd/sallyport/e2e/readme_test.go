//go:build linux

// README: its commands, in its order, on a machine of their own: from the source
// to a gateway with a manager behind it.

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The commands of the README that TestReadme does not run, and the tests that run
// them.
var readmeElsewhere = map[string]string{
	"go test":        "this is it",
	"docker compose": "TestDocker",
	"runuser -u sallyport -- sallyport preflight": "TestPreflightAsDocumented",
	"sallyport nft --config":                      "TestGatewayHost",
}

// newcomer follows the README on this machine. A few directories of its own replace
// the directories of the machine.
type newcomer struct {
	*guide
	home, source string
	env          string
}

func TestReadme(t *testing.T) {
	need(t, "curl", "dig", "unshare", "useradd", "runuser", "go")
	n := newNewcomer(t)
	alone := newNetns(t, "alone") // loopback only: no route, no resolver
	n.must(t, alone, n.block(t, "CGO_ENABLED=0 go build"))
	if _, err := os.Stat(filepath.Join(n.home, "bin", "sallyport")); err != nil {
		t.Fatal(err)
	}
	g := n.tryIt(t, alone)
	// Ctrl-C sends the signal to all processes of the terminal.
	if err := syscall.Kill(-g.cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	g.waitExit(t, 10*time.Second) // the exit code is the shell's, not sallyport's
	n.review(t, alone)
	n.putManagerBehind(t)
	n.done(t, readmeElsewhere, nil)
	script, err := os.ReadFile(repositoryFile(t, ".ci/run"))
	if err != nil {
		t.Fatal(err)
	}
	if err := lacks(string(script), "\nmake -s reproduce", "\nmake -s vuln\n", "\ngo mod verify\n", " go test ./... "); err != nil {
		t.Errorf(".ci/run: %v", err)
	}
}

func newNewcomer(t *testing.T) *newcomer {
	t.Helper()
	n := &newcomer{guide: readGuide(t, "README.md"), home: t.TempDir(), source: repositoryFile(t, ".")}
	for _, dir := range []string{filepath.Dir(n.home), n.home} { // another user has to read these directories
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"bin", "log", "source", "etc/sallyport"} {
		if err := os.MkdirAll(filepath.Join(n.home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	copySource(t, filepath.Join(n.home, "source"))
	if out, err := exec.Command("cp", "-a", "/etc/.", filepath.Join(n.home, "etc")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tool, err := exec.LookPath("go")
	if err == nil {
		tool, err = filepath.EvalSymlinks(tool) // the real path, outside /usr/local/bin
	}
	caches, errs := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil || errs != nil {
		t.Fatal(err, errs)
	}
	f := strings.Fields(string(caches))
	n.env = "export GOPROXY=off GOCACHE=" + f[0] + " GOMODCACHE=" + f[1] + " PATH=" + filepath.Dir(tool) + ":$PATH\n"
	return n
}

// commandLine returns the command that runs lines of the README in the source's
// directory. Files that they write there, and in /etc, /var/log and /usr/local/bin,
// go to the newcomer's directories.
func (n *newcomer) commandLine(lines string) []string {
	const script = `set -e
mount --bind "$0/bin" /usr/local/bin && mount --bind "$0/etc" /etc && mount --bind "$0/log" /var/log
mount --bind "$0/source" "$1" && cd "$1"
`
	return []string{"setsid", "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", script + n.env + lines, n.home, n.source}
}

// run runs lines to their end.
func (n *newcomer) run(t *testing.T, ns *netns, lines string) result {
	t.Helper()
	c := n.commandLine(lines)
	r := ns.run(t, n.home, "", c[0], c[1:]...)
	r.line = lines
	return r
}

// must runs lines like run, and fails the test on an error.
func (n *newcomer) must(t *testing.T, ns *netns, lines string) string {
	t.Helper()
	r := n.run(t, ns, lines)
	if r.code != 0 {
		t.Fatalf("%v", r)
	}
	return r.stdout
}

// start runs lines that end only with the test.
func (n *newcomer) start(t *testing.T, ns *netns, lines string) *gateway {
	t.Helper()
	g := newGateway(t, ns)
	c := n.commandLine(lines)
	g.startCommand(t, c[0], c[1:]...)
	return g
}

// tryIt starts sallyport from its source, and makes the README's tries.
func (n *newcomer) tryIt(t *testing.T, alone *netns) *gateway {
	t.Helper()
	g := n.start(t, alone, n.command(t, "go run"))
	eventually(t, 5*time.Minute, "it listens", func() error { return lacks(g.out.String(), "127.0.0.1:3128", "127.0.0.1:1080", "127.0.0.1:5300") })
	g.waitListening(t, "127.0.0.1:3128")
	want := []struct {
		says, prints string
		fails        bool
	}{
		{"403 and why", "X-Sallyport-Reason: not_listed|X-Sallyport-Hint: ", true},
		{"403: documented on port 443", "HTTP/1.1 403|X-Sallyport-Reason: port_not_listed|443", false},
		{"refused", "", true},
		{"NXDOMAIN, EDE 15", "NXDOMAIN|EDE: 15|not_listed", false},
		{"permitted; without a network: 502", "HTTP/1.1 502|X-Sallyport-Fault: resolve", true},
		{"what was denied", "evil.example|license.sangfor.com", false},
		{"the destinations denied most", "evil.example", false},
		{"the changes that would permit these destinations", "license.sangfor.com|port", false},
		{"is this permitted?", "", true},
	}
	tries := n.section(t, "Try it")
	for i, w := range want {
		if i >= len(tries) || !strings.HasPrefix(tries[i].says, w.says) {
			t.Fatalf("try %d of %+v does not say %q", i, tries, w.says)
		}
		r := n.run(t, alone, tries[i].line)
		if err := lacks(r.all(), strings.Split(w.prints, "|")...); err != nil || (r.code != 0) != w.fails {
			t.Errorf("%q: %v: %v", w.says, err, r)
		}
		if i < len(want)-1 {
			continue
		}
		// After this try, the page shows part of the output.
		for _, line := range tries[len(want):] {
			begin, _, _ := strings.Cut(line.line, "…")
			if !strings.Contains(r.stdout, begin) {
				t.Errorf("the README shows %q, but: %v", begin, r)
			}
		}
	}
	if len(tries) == len(want) {
		t.Error("the README does not show what explain prints")
	}
	if err := lacks(g.out.String(), "destination=license.sangfor.com port=443 fault=resolve"); err != nil {
		t.Errorf("the log: %v", err)
	}
	return g
}

// review runs the commands that list the denials and the profiles.
func (n *newcomer) review(t *testing.T, alone *netns) {
	t.Helper()
	if err := os.Link(filepath.Join(n.home, "source", "configs", "sallyport.toml"), filepath.Join(n.home, "source", "new.toml")); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(n.block(t, "sallyport denials")) {
		if out := n.must(t, alone, line); strings.TrimSpace(out) == "" {
			t.Errorf("%s prints nothing", line)
		}
	}
}

// putManagerBehind follows the README's steps for a manager, in the lab.
func (n *newcomer) putManagerBehind(t *testing.T) {
	t.Helper()
	l := newLab(t)
	config := strings.NewReplacer("10.20.30.1:", gateway4+":", "10.20.30.40", fleet[0].v4(), "10.0.0.53", resolver4).Replace(n.block(t, "[listen]"))
	if err := os.WriteFile(filepath.Join(n.home, "etc/sallyport/sallyport.toml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	n.must(t, l.gateway, "sallyport check --config /etc/sallyport/sallyport.toml")
	n.start(t, l.gateway, n.block(t, "useradd")).waitReady(t)
	for url, fails := range map[string]bool{"https://license.sangfor.com/": false, "https://evil.example/": true} {
		r := l.tool(t, "curl", "-sS", "--max-time", "5", "--cacert", l.ca.file, "-x", "http://"+gateway4+":3128", url)
		if (r.code != 0) != fails || !fails && !strings.Contains(r.stdout, "host=license.sangfor.com") {
			t.Errorf("%v", r)
		}
	}
	journal := filepath.Join(n.home, "log/sallyport/denials.jsonl")
	eventually(t, 30*time.Second, "the denial is on record", func() error {
		b, err := os.ReadFile(journal)
		if err != nil {
			return err
		}
		return lacks(string(b), `"evil.example"`, `"es-manager"`)
	})
	if info, err := os.Stat(filepath.Dir(journal)); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("%v %v", info, err)
	}
}
