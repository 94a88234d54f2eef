//go:build linux

// Main: the needs of the suite, and the single build of the binary under test.

package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// workDir is the directory of the files that all tests share: the binary and the
// undici module.
var workDir string

func TestMain(m *testing.M) {
	if errno := os.Getenv(oldKernel); errno != "" {
		fmt.Fprintln(os.Stderr, becomeOldKernel(errno))
		os.Exit(1)
	}
	if os.Getenv(probeVariable) != "" {
		os.Exit(runProbe(os.Stdin, os.Stdout))
	}
	if os.Geteuid() != 0 { // what an ordinary user can run needs little of the processor
		if err := flag.Set("test.parallel", "4"); err != nil {
			panic(err)
		}
	}
	unix.Umask(0o022) // no other user may write the tests' files, independent of the login's umask
	os.Exit(run(m))
}

// run is a function of its own, because os.Exit in TestMain would skip the deferred
// clean-up.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sallyport-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	workDir = dir
	code := m.Run()
	if line := skipped.line(); line != "" {
		skipped.say(line)
	}
	return code
}

// tally counts the tests that could not run, each once.
type tally struct {
	mu    sync.Mutex
	names map[string]bool // tests without their subtests
}

var skipped tally

func (s *tally) count(t *testing.T) {
	name, _, _ := strings.Cut(t.Name(), "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names == nil {
		s.names = map[string]bool{}
	}
	s.names[name] = true
}

// line returns the number of these tests and the cure, or "" if there are none.
func (s *tally) line() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	tests, need := "tests", "need"
	if len(s.names) == 1 {
		tests, need = "test", "needs"
	}
	switch {
	case len(s.names) == 0:
		return ""
	case os.Geteuid() != 0:
		return fmt.Sprintf("%d end-to-end %s %s root: sudo make e2e", len(s.names), tests, need)
	}
	return fmt.Sprintf("%d end-to-end %s %s tools that this machine lacks: go test -v ./cmd/sallyport/e2e names them", len(s.names), tests, need)
}

// say writes a line to standard error. "go test" hides the output of a package that
// passes, except with -v or in the package's directory. So say also writes to the
// terminal, if there is one.
func (*tally) say(line string) {
	fmt.Fprintln(os.Stderr, line)
	tty, err := os.OpenFile("/dev/tty", os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return
	}
	defer tty.Close()
	if st, err := os.Stderr.Stat(); err == nil && st.Mode()&os.ModeCharDevice == 0 {
		fmt.Fprintln(tty, line)
	}
}

// missing skips the test. With SALLYPORT_E2E=required every test has to run, and
// missing fails the test.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("SALLYPORT_E2E") == "required" {
		t.Fatalf("SALLYPORT_E2E=required, but "+format, args...)
	}
	skipped.count(t)
	t.Skipf("skipped: "+format, args...)
}

// need skips the test unless it runs as root and has every named tool.
func need(t *testing.T, tools ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: -short")
	}
	if os.Geteuid() != 0 {
		missing(t, "network namespaces need root")
	}
	for _, tool := range append([]string{"ip"}, tools...) {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, "%s is not installed", tool)
		}
	}
}

var buildOnce = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("SALLYPORT_E2E_BINARY"); path != "" {
		return path, nil
	}
	path := filepath.Join(workDir, "sallyport")
	args := []string{"build", "-buildvcs=false", "-o", path}
	env := os.Environ()
	if os.Geteuid() == 0 {
		args, env = append(args, "-trimpath"), append(env, "CGO_ENABLED=0")
	}
	cmd := exec.Command("go", append(args, "sallyport/cmd/sallyport")...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// builtBinary returns the path of the built command. For root it is static, like the
// released one, because tests copy it into containers. An ordinary user's tests run it on
// this host only: there it has the flags of the tests, and most of it is compiled already.
func builtBinary(t *testing.T) string {
	t.Helper()
	path, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
