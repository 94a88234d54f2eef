//go:build linux

// Debian: a fresh root file system, and systemd booted in it, in a network
// namespace of the lab. The tests run an operator's commands in it.

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// debian is one root file system, and the systemd in it once it is booted.
type debian struct {
	root   string
	leader int // process ID of its systemd, in the test's own process namespace
	out    output
	nspawn *exec.Cmd
	ended  chan struct{}
}

// madeDebian is a minimal Debian 12 with systemd, from debootstrap. The tests make it
// once. SALLYPORT_E2E_DEBIAN names a directory that already has one.
var madeDebian = sync.OnceValues(func() (string, error) {
	if ready := os.Getenv("SALLYPORT_E2E_DEBIAN"); ready != "" {
		return ready, nil
	}
	root := filepath.Join(workDir, "debian")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	make := exec.CommandContext(ctx, "debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,iproute2", "bookworm", root)
	if out, err := make.CombinedOutput(); err != nil {
		return "", errorf("%q: %w\n%s", make.Args, err, out)
	}
	return root, nil
})

// newDebian copies madeDebian for one host.
func newDebian(t *testing.T) *debian {
	t.Helper()
	need(t, "debootstrap", "systemd-nspawn", "nsenter")
	made, err := madeDebian()
	if err != nil {
		missing(t, "debootstrap cannot make a Debian: %v", err)
	}
	d := &debian{root: filepath.Join(t.TempDir(), "debian")}
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", made, d.root).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return d
}

// put writes a file in the root file system.
func (d *debian) put(t *testing.T, path, text string) {
	t.Helper()
	path = filepath.Join(d.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// get reads a file in the root file system.
func (d *debian) get(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(d.root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// edit replaces texts in a file. The file must contain each of them.
func (d *debian) edit(t *testing.T, path string, oldnew ...string) {
	t.Helper()
	text := d.get(t, path)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("%s has no %q", path, oldnew[i])
		}
		text = strings.ReplaceAll(text, oldnew[i], oldnew[i+1])
	}
	d.put(t, path, text)
}

// nspawnCommand is a systemd-nspawn command that works with and without a systemd on
// the machine.
func (d *debian) nspawnCommand(ctx context.Context, args ...string) *exec.Cmd {
	common := []string{"--quiet", "--register=no", "--console=pipe", "--machine=" + d.machine(), "--directory=" + d.root}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		common = append(common, "--keep-unit")
	}
	cmd := exec.CommandContext(ctx, "systemd-nspawn", append(common, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// machine is the name of the container. No unit of sallyport has it.
func (d *debian) machine() string { return fmt.Sprintf("gateway-%d", os.Getpid()) }

// work runs a shell script in the root file system before it is booted, with
// this machine's network.
func (d *debian) work(t *testing.T, script string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return finished(t, script, d.nspawnCommand(ctx, "/bin/sh", "-e", "-c", script))
}

// boot starts systemd inside of n.
func (d *debian) boot(t *testing.T, n *netns) {
	t.Helper()
	// It runs in the namespace of the lab, so that it can turn routing on. The nspawn of
	// Debian 12 blocks Landlock's system calls unless they are listed.
	d.nspawn = d.nspawnCommand(context.WithoutCancel(t.Context()), "--boot", "--network-namespace-path="+n.path(),
		"--capability=CAP_NET_ADMIN", "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self")
	d.nspawn.Env = append(os.Environ(), "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network")
	d.nspawn.Stdout, d.nspawn.Stderr = &d.out, &d.out
	d.ended = make(chan struct{})
	started := make(chan error, 1)
	go d.supervise(started)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.halt(t) })
	eventually(t, 30*time.Second, "systemd-nspawn has a systemd", func() (err error) {
		select {
		case <-d.ended:
			missing(t, "no systemd boots on this machine: %v\n%s", d.nspawn.ProcessState, d.out.String())
		default:
		}
		pid := d.nspawn.Process.Pid
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
		if err != nil {
			return err
		}
		if d.leader, err = strconv.Atoi(strings.TrimSpace(string(children))); err != nil {
			return err
		}
		if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", d.leader)); err != nil || string(comm) != "systemd\n" {
			return errorf("%d is %q %v", d.leader, comm, err)
		}
		return nil
	})
	eventually(t, time.Minute, "systemd is up", func() error {
		if r := d.sh(t, "systemctl is-system-running --wait"); r.code != 0 {
			return errorf("%v%s", r, d.sh(t, "systemctl --failed --no-pager --plain").stdout)
		}
		return nil
	})
}

// supervise stays on its thread until nspawn ends, as gateway.supervise does.
func (d *debian) supervise(started chan<- error) {
	defer close(d.ended)
	runtime.LockOSThread()
	err := d.nspawn.Start()
	started <- err
	if err == nil {
		_ = d.nspawn.Wait()
	}
}

// halt shuts systemd down, or kills it, and removes its files.
func (d *debian) halt(t *testing.T) {
	if t.Failed() {
		t.Logf("log of sallyport's units:\n%s", d.sh(t, "journalctl --no-pager -o short-precise -u 'sallyport*' | tail -n 60").stdout)
	}
	_ = d.nspawn.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(30 * time.Second):
		t.Errorf("systemd did not shut down within 30s")
		_ = unix.Kill(d.leader, unix.SIGKILL)
		_ = d.nspawn.Process.Kill()
		<-d.ended
	}
	for _, dir := range []string{"propagate", "unix-export"} {
		_ = os.Remove(filepath.Join("/run/systemd/nspawn", dir, d.machine()))
	}
}

// sh runs a shell script inside, as root on that host would.
func (d *debian) sh(t *testing.T, script string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
	defer cancel()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := command(ctx, "/", "nsenter", "--target", strconv.Itoa(d.leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
		"--root", "--wd", "/bin/sh", "-e", "-c", script)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"}
	return finished(t, script, cmd)
}

// must is sh for commands that must succeed.
func (d *debian) must(t *testing.T, script string) string {
	t.Helper()
	r := d.sh(t, script)
	if r.code != 0 {
		t.Fatalf("%v", r)
	}
	return r.stdout
}

// show returns one property of a unit.
func (d *debian) show(t *testing.T, unit, property string) string {
	t.Helper()
	return strings.TrimSpace(d.must(t, "systemctl show --value -p "+property+" "+unit))
}

// finished runs a command to its end.
func finished(t *testing.T, line string, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", line, err)
	}
	return result{line: line, stdout: stdout.String(), stderr: stderr.String(), code: cmd.ProcessState.ExitCode(), took: time.Since(start)}
}
