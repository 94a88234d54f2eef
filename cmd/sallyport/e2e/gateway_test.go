//go:build linux

// Gateway: the binary under test, running in a namespace.

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// gateway is one running sallyport.
type gateway struct {
	ns     *netns // nil: the test's own
	dir    string // working directory; configuration and journal live here
	uid    uint32 // the user it runs as; 0: root, like the tests
	caps   []uintptr
	stdin  string
	env    []string   // more variables for it
	files  []*os.File // passed to the process, from descriptor 3
	cmd    *exec.Cmd
	out    output
	exited chan struct{}
}

// output collects what a process writes while others read it.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// startGateway runs the binary with a configuration and waits until it is ready.
func startGateway(t *testing.T, l *lab, config string) *gateway {
	t.Helper()
	g := newGateway(t, l.gateway)
	g.configure(t, config)
	g.start(t, "run", "--config", "sallyport.toml")
	g.waitReady(t)
	return g
}

func newGateway(t *testing.T, ns *netns) *gateway {
	return &gateway{ns: ns, dir: t.TempDir()}
}

// configure replaces the configuration file in one step.
func (g *gateway) configure(t *testing.T, config string) {
	t.Helper()
	replace(t, filepath.Join(g.dir, "sallyport.toml"), config)
}

// replace replaces a file in one step, as an editor does.
func replace(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file+"~", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+"~", file); err != nil {
		t.Fatal(err)
	}
}

// start starts the binary; it is killed at the latest when the test ends.
func (g *gateway) start(t *testing.T, args ...string) {
	t.Helper()
	g.startCommand(t, builtBinary(t), args...)
}

func (g *gateway) startCommand(t *testing.T, name string, args ...string) {
	t.Helper()
	g.cmd = command(context.WithoutCancel(t.Context()), g.dir, name, args...)
	// sallyport must not use the proxy of the environment: that proxy does not
	// exist.
	g.cmd.Env = append(g.cmd.Env, "HTTP_PROXY=http://93.184.254.254:3128", "HTTPS_PROXY=http://93.184.254.254:3128",
		"ALL_PROXY=socks5://93.184.254.254:1080")
	g.cmd.Env, g.cmd.ExtraFiles = append(g.cmd.Env, g.env...), g.files
	g.cmd.Stdin, g.cmd.Stdout, g.cmd.Stderr = strings.NewReader(g.stdin), &g.out, &g.out
	if g.uid != 0 {
		g.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: g.uid, Gid: g.uid}
		g.cmd.SysProcAttr.AmbientCaps = g.caps
	}
	g.exited = make(chan struct{})
	started := make(chan error, 1)
	go g.supervise(started)
	if err := <-started; err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		_ = g.cmd.Process.Kill()
		<-g.exited
		if t.Failed() {
			t.Logf("sallyport said:\n%s", g.out.String())
		}
	})
}

// supervise stays on its thread until the process ends: the process is killed
// when the thread that started it is gone.
func (g *gateway) supervise(started chan<- error) {
	defer close(g.exited)
	runtime.LockOSThread()
	var err error
	if g.ns != nil {
		err = unix.Setns(int(g.ns.file.Fd()), unix.CLONE_NEWNET)
	}
	if err == nil {
		err = g.cmd.Start()
	}
	started <- err
	if err == nil {
		_ = g.cmd.Wait()
	}
}

// waitReady polls /readyz.
func (g *gateway) waitReady(t *testing.T) {
	t.Helper()
	eventually(t, 30*time.Second, "sallyport is ready", func() error {
		select {
		case <-g.exited:
			t.Fatalf("sallyport ended by itself: %v", g.cmd.ProcessState)
		default:
		}
		code, body, err := g.admin("/readyz")
		if err != nil || code != http.StatusOK {
			return fmt.Errorf("/readyz: %d %s %v", code, body, err)
		}
		return nil
	})
}

// waitListening polls a TCP address of the gateway's own namespace.
func (g *gateway) waitListening(t *testing.T, address string) {
	t.Helper()
	eventually(t, 30*time.Second, "a listener at "+address, func() error {
		c, err := g.ns.dialBriefly(address)
		if err == nil {
			c.Close()
		}
		return err
	})
}

// admin asks the admin listener, from the gateway's namespace.
func (g *gateway) admin(path string) (code int, body string, err error) {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return g.ns.dial(network, "", address)
	}
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	c := http.Client{Transport: transport, Timeout: 5 * time.Second}
	resp, err := c.Get("http://127.0.0.1:9180" + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// signal sends a signal to the process.
func (g *gateway) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := g.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal %v: %v", s, err)
	}
}

// waitExit waits for the process to end and returns its exit code, -1 for a signal.
func (g *gateway) waitExit(t *testing.T, limit time.Duration) int {
	t.Helper()
	select {
	case <-g.exited:
		return g.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		t.Fatalf("sallyport is still running after %v", limit)
		return 0
	}
}

// journal returns the path of the denial journal.
func (g *gateway) journal() journal { return journal(filepath.Join(g.dir, "denials.jsonl")) }

// eventually polls f until it returns nil, and fails with its last error.
func eventually(t *testing.T, limit time.Duration, what string, f func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("not within %v: %s: %v", limit, what, err)
}
