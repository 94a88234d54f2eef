//go:build linux

// Tests of a running gateway: it has no capability, or with --live-sets only the
// capability that it needs to fill the sets.

package nftables

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// startUnprivileged builds sallyport and runs it inside as user nobody, with the
// given capabilities only.
func (n *namespace) startUnprivileged(caps []uintptr, config string, args ...string) (pid int, stderr *os.File) {
	n.t.Helper()
	dir, err := os.MkdirTemp("", "sallyport")
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { os.RemoveAll(dir) })
	for _, err := range []error{
		os.Chmod(dir, 0o755), os.Mkdir(filepath.Join(dir, "log"), 0o700), os.Chown(filepath.Join(dir, "log"), 65534, 65534),
		os.WriteFile(filepath.Join(dir, "site.toml"), []byte(config+"\n[journal]\npath = \"log/denials.jsonl\"\n"), 0o644),
	} {
		if err != nil {
			n.t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "sallyport"), "sallyport/cmd/sallyport")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		n.t.Fatalf("%v\n%s", err, out)
	}
	if stderr, err = os.Create(filepath.Join(dir, "stderr")); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { stderr.Close() })
	cmd := exec.Command(filepath.Join(dir, "sallyport"), append([]string{"run", "--config", filepath.Join(dir, "site.toml")}, args...)...)
	cmd.Env, cmd.Stderr = []string{}, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL, Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, AmbientCaps: caps,
	}
	started, stay := make(chan error, 1), make(chan struct{})
	go n.as(0, func() error { // this thread must live as long as the process: its end triggers Pdeathsig
		started <- cmd.Start()
		<-stay
		return nil
	})
	if err := <-started; err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		close(stay)
	})
	return cmd.Process.Pid, stderr
}

// eventually waits until f returns nil.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	err := f()
	for end := time.Now().Add(patient); err != nil && time.Now().Before(end); err = f() {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Error(err)
	}
}

// capabilities returns the different capability sets of all threads of a process.
func capabilities(pid int) (all []string, err error) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, f := range files {
		status, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		for _, m := range regexp.MustCompile(`(?m)^Cap(?:Prm|Eff):\s*(\w+)$`).FindAllStringSubmatch(string(status), -1) {
			if !slices.Contains(all, m[1]) {
				all = append(all, m[1])
			}
		}
	}
	return all, nil
}

func TestRunWithoutCapabilities(t *testing.T) {
	needsRootAndNft(t)
	n := newNamespace(t)
	pid, stderr := n.startUnprivileged(nil, filterSite)
	eventually(t, func() error {
		c, err := n.dial(0, "tcp", "", "127.0.0.1:3129", brief)
		if err == nil {
			c.Close()
		}
		return err
	})
	caps, err := capabilities(pid)
	if err != nil || !slices.Equal(caps, []string{"0000000000000000"}) {
		t.Errorf("capabilities %v, %v", caps, err)
	}
	if said, _ := os.ReadFile(stderr.Name()); strings.Contains(string(said), "does not need") {
		t.Errorf("it warns without a reason:\n%s", said)
	}
}

func TestRunLiveSets(t *testing.T) {
	needsRootAndNft(t)
	n := newNamespace(t)
	n.must("nft", "-f", ruleset(t))
	serveName(t, n, "support.example.", "93.184.0.7")
	site := strings.Replace(filterSite, "udp://192.0.2.53", "udp://127.0.0.1:10053", 1)
	pid, stderr := n.startUnprivileged([]uintptr{unix.CAP_NET_ADMIN}, site, "--live-sets")
	filled := func() error {
		list, err := n.run("nft", "list", "set", "inet", "sallyport", bySupport)
		if err != nil || !strings.Contains(list, "93.184.0.7") {
			said, _ := os.ReadFile(stderr.Name())
			return fmt.Errorf("the set is not filled: %v\n%s%s", err, list, said)
		}
		return nil
	}
	eventually(t, filled)
	caps, err := capabilities(pid)
	if err != nil || !slices.Equal(caps, []string{"0000000000001000"}) {
		t.Errorf("capabilities %v, %v; want CAP_NET_ADMIN and nothing else", caps, err)
	}
	n.must("nft", "-f", ruleset(t)) // this empties the sets
	eventually(t, filled)
}

// serveName answers queries for one name with one address, and all other queries
// with an empty answer.
func serveName(t *testing.T, n *namespace, name, addr string) {
	t.Helper()
	var p net.PacketConn
	if err := n.as(0, func() (err error) { p, err = net.ListenPacket("udp", "127.0.0.1:10053"); return err }); err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: p, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA && strings.EqualFold(q.Question[0].Name, name) {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.ParseIP(addr)}}
		}
		_ = w.WriteMsg(m)
	})}
	go s.ActivateAndServe()
	t.Cleanup(func() { _ = s.Shutdown() })
}
