//go:build linux

// Docker daemon: a daemon of the test's own, in the namespace that belongs to
// the gateway in other tests. Its processes, mounts and control groups end with
// the test.

package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// daemon is a running dockerd. It has only the images that the test imports.
type daemon struct {
	*scene
	test   *testing.T // the test that owns the daemon: a reboot in one subtest does not end the others
	dir    string     // state, sockets and a home
	client string     // the docker that belongs to the daemon
	cgroup string     // parent of its containers' groups
	driver string     // the driver that stores images
	proc   *gateway
}

// distributionDocker is the client of the distribution. Another docker in the PATH
// may lack a builder.
const distributionDocker = "/usr/bin/docker"

// containers6 is the prefix of the networks with IPv6.
const containers6 = "fd78:5a11::/64"

// startDaemon starts dockerd in the gateway's namespace, between the containers it
// will have and the internet. It runs in a mount and a process namespace of its
// own. So its mounts and processes end with it, even when it is killed.
func startDaemon(t *testing.T) *daemon {
	t.Helper()
	need(t, "nft", "unshare", "dockerd", "docker-compose", "iptables", "curl", "dig", "setpriv")
	d := &daemon{test: t, client: distributionDocker, cgroup: fmt.Sprintf("/sallyport-e2e-%d", os.Getpid())}
	if _, err := os.Stat(d.client); err != nil {
		missing(t, "docker is not installed: %v", err)
	}
	d.scene = newScene(t, "gateway")
	d.book["sp3.sangfor.com"] = addrs("93.184.240.4", "2a00:1450:4002::4") // the other tests give this name only an IPv6 address, and Docker has IPv6 off
	// The route back to containers that have IPv6. Docker does not translate their
	// addresses.
	d.internet.ip(t, "route add "+containers6+" via 2a0d:5600::2")
	d.dir = filepath.Join(d.scene.dir, "docker")
	// The host's resolver: Docker's own resolver forwards queries to it.
	d.write(t, "resolv.conf", "nameserver "+resolver4+"\n")
	d.write(t, "daemon.json", "{}\n")
	t.Cleanup(func() { d.mustBeGone(t) })
	for _, driver := range []string{"overlay2", "vfs"} {
		if d.driver = driver; d.try(t) {
			return d
		}
	}
	t.Fatalf("dockerd does not start:\n%s", d.proc.out.String())
	return nil
}

// try starts dockerd with its storage driver. overlay2 needs a file system that
// supports it.
func (d *daemon) try(t *testing.T) bool {
	t.Helper()
	d.proc = &gateway{ns: d.gateway, dir: d.dir}
	const script = `set -e
mkdir -p /etc/docker && mount -t tmpfs none /etc/docker && mount -t tmpfs none /run # keys, locks and sockets
mount --bind "$0/resolv.conf" /etc/resolv.conf
exec "$@"`
	d.proc.startCommand(d.test, "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", script, d.dir, "dockerd", "--data-root", d.dir+"/data", "--exec-root", d.dir+"/exec", "-p", d.dir+"/pid",
		"-H", d.host(), "--config-file", d.dir+"/daemon.json", "--log-level", "warn", "--storage-driver", d.driver, "--cgroup-parent", d.cgroup)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		select {
		case <-d.proc.exited:
			return false
		default:
		}
		if d.docker(t, "version").code == 0 {
			return true
		}
	}
	return false
}

// reboot ends all processes at once, as a power failure of the host does, and
// starts the daemon again.
func (d *daemon) reboot(t *testing.T) {
	t.Helper()
	_ = d.proc.cmd.Process.Kill()
	<-d.proc.exited
	eventually(t, 30*time.Second, "everything is dead", func() error {
		if left := d.processes(); len(left) > 0 {
			return errorf("%v", left)
		}
		return nil
	})
	for _, volatile := range []string{"exec", "pid", "sock"} {
		if err := os.RemoveAll(filepath.Join(d.dir, volatile)); err != nil {
			t.Fatal(err)
		}
	}
	if !d.try(t) {
		t.Fatalf("dockerd does not start again:\n%s", d.proc.out.String())
	}
}

func (d *daemon) host() string { return "unix://" + d.dir + "/sock" }

// docker runs the client.
func (d *daemon) docker(t *testing.T, args ...string) result {
	t.Helper()
	return d.tool(t, "", nil, d.client, args...)
}

// must runs docker and fails the test on an error. It returns the output.
func (d *daemon) must(t *testing.T, args ...string) string {
	t.Helper()
	r := d.docker(t, args...)
	if r.code != 0 {
		t.Fatalf("%v", r)
	}
	return strings.TrimSpace(r.stdout)
}

// tool runs a program of the host beside the daemon, at most five minutes.
func (d *daemon) tool(t *testing.T, stdin string, env []string, name string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
	defer cancel()
	cmd := command(ctx, d.dir, name, args...)
	cmd.Env = append(append(cmd.Env, "DOCKER_HOST="+d.host()), env...)
	var stdout, stderr strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	start := time.Now()
	err := d.gateway.do(cmd.Run)
	if cmd.ProcessState == nil {
		t.Fatalf("%s: %v", name, err)
	}
	return result{line: strings.Join(append([]string{name}, args...), " "), stdout: stdout.String(), stderr: stderr.String(),
		code: cmd.ProcessState.ExitCode(), took: time.Since(start)}
}

func (d *daemon) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// mustBeGone runs after dockerd was killed. dockerd is the first process of its
// namespace, so the kernel has killed everything that it started, too.
func (d *daemon) mustBeGone(t *testing.T) {
	t.Helper()
	eventually(t, 30*time.Second, "no process, mount or control group is left of the daemon", func() error {
		if left := d.processes(); len(left) > 0 {
			return errorf("processes %v", left)
		}
		if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(mounts), d.dir) {
			return errorf("mounts below %s: %v", d.dir, err)
		}
		return d.removeCgroups()
	})
}

// processes lists the processes that still run with the daemon's directory in their
// arguments, or in one of its control groups.
func (d *daemon) processes() (left []string) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range all {
		line, _ := os.ReadFile(p + "/cmdline")
		groups, _ := os.ReadFile(p + "/cgroup")
		if strings.Contains(string(line), d.dir) || strings.Contains(string(groups), d.cgroup) {
			left = append(left, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return left
}

// removeCgroups removes the groups that a killed daemon leaves: empty
// directories, the innermost first.
func (d *daemon) removeCgroups() error {
	roots, _ := filepath.Glob("/sys/fs/cgroup/*" + d.cgroup)
	if unified := "/sys/fs/cgroup" + d.cgroup; len(roots) == 0 {
		roots = []string{unified}
	}
	var errs error
	for _, root := range roots {
		var dirs []string
		_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		slices.Reverse(dirs)
		for _, dir := range dirs {
			if err := syscall.Rmdir(dir); err != nil {
				errs = errorf("control group %s: %v", dir, err)
			}
		}
	}
	return errs
}
