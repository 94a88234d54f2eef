//go:build soak

// A test of memory that takes a minute. Run it with: make soak

package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMemoryReturns compares the memory of a gateway with its initial memory, after
// 50,000 connections that it permits and after 50,000 that it denies.
func TestMemoryReturns(t *testing.T) {
	const gateway, many = "SALLYPORT_TEST_GATEWAY", 50_000
	if file := os.Getenv(gateway); file != "" {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		serveFile(ctx, t, file)
		return
	}
	origin := echoOrigin(t)
	listen := freeAddress(t)
	file := filepath.Join(t.TempDir(), "sallyport.toml")
	text := fmt.Sprintf("[listen]\nhttp = [%q]\nsocks5 = []\ndns = []\nadmin = \"\"\n[[client]]\nname = \"lab\"\nsources = [\"127.0.0.0/8\"]\nprofiles = []\n"+
		"[[rule]]\nid = \"origin\"\nclient = \"lab\"\nto = [\"127.0.0.1\"]\ntcp = [%d]\nreason = \"test\"\n[journal]\npath = %q\n",
		listen, origin.Port, filepath.Join(t.TempDir(), "denials.jsonl"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	c.Env = append(os.Environ(), gateway+"="+file)
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { c.Process.Signal(syscall.SIGTERM); c.Wait() }()
	connects(t, listen, origin.String(), 2000) // memory that every gateway uses
	connects(t, listen, "127.0.0.1:1", 2000)
	base := settled(t, c.Process.Pid)
	for _, to := range []string{origin.String(), "127.0.0.1:1"} {
		connects(t, listen, to, many)
		peak := residentOf(t, c.Process.Pid)
		after := settled(t, c.Process.Pid)
		t.Logf("%d connections to %s: %d KiB before, %d at their end, %d after it: %.2f", many, to, base, peak, after, float64(after)/float64(base))
		if after > base+base/10 {
			t.Errorf("memory of %d KiB does not return to %d\n%s", after, base, &said)
		}
	}
}

// settled waits until the process has returned memory, and returns the memory that it still has.
func settled(t *testing.T, pid int) int {
	time.Sleep((quietTurns + 2) * quietEvery)
	return residentOf(t, pid)
}

// residentOf returns the memory of another process, in KiB.
func residentOf(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib
}

// echoOrigin starts a server that sends back what it receives.
func echoOrigin(t *testing.T) *net.TCPAddr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); io.Copy(conn, conn) }()
		}
	}()
	return l.Addr().(*net.TCPAddr)
}

// connects requests n tunnels, 200 at a time, and sends a line in each that is
// permitted.
func connects(t *testing.T, proxy, to string, n int) {
	t.Helper()
	todo := make(chan struct{}, n)
	for range n {
		todo <- struct{}{}
	}
	close(todo)
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			for range todo {
				if err := connectOnce(proxy, to); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func connectOnce(proxy, to string) error {
	var conn net.Conn
	err := error(syscall.ECONNREFUSED)
	for range 200 { // the process may still be starting
		if conn, err = net.Dial("tcp", proxy); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", to, to)
	r := bufio.NewReader(conn)
	status, err := r.ReadString('\n')
	if err != nil || !strings.HasPrefix(status, "HTTP/1.1 200 ") {
		return err
	}
	said := []byte("\x01" + strings.Repeat("x", 999))
	conn.Write(said)
	_, err = io.ReadFull(r, make([]byte, len("\r\n")+len(said)))
	return err
}

// serveFile serves the listeners of a file until ctx ends or SIGTERM comes.
func serveFile(ctx context.Context, t *testing.T, file string) {
	t.Helper()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	floor := RaiseHeap(os.LookupEnv)
	defer runtime.KeepAlive(floor)
	source := NewSource(file, strings.NewReader(""))
	cfg, _, err := source.LoadToRun()
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := Listen(ctx, cfg.Listen, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer sockets.Close()
	g, err := Open(Options{
		Source: source, Config: cfg, Sockets: sockets, Admin: noAdmin, ResolvConf: ResolvConf, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	g.Start(ctx)
	if err := errors.Join(g.Run(ctx, Signals{}), g.Close()); err != nil {
		t.Fatal(err)
	}
}

// freeAddress returns an address of this host with a port that is free.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
