// Tests of the files that a hardened gateway keeps, of the protocol of its
// listeners, and of its reports. Package confine and the end-to-end tests check that
// the hardening works.

package gateway

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sallyport/cmd/sallyport/confine"
	"sallyport/rules/site"
)

// Every listener uses plain TCP. The step reports a listener that does not.
func TestNoMPTCP(t *testing.T) {
	ctx := t.Context()
	tmp := t.TempDir()
	socks, err := Listen(ctx, site.Listen{
		HTTP: addrPorts("127.0.0.1:0", "[::1]:0"), SOCKS5: addrPorts("127.0.0.1:0"), DNS: addrPorts("127.0.0.1:0"),
		Transparent: addrPorts("127.0.0.1:0"), Admin: "unix:" + filepath.Join(tmp, "admin"),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer socks.Close()
	if n := len(socks.all()); n != 6 {
		t.Errorf("%d listeners", n)
	}
	if step := mptcpStep(socks); step.State != confine.On {
		t.Errorf("%v", step)
	}
	var c net.ListenConfig
	c.SetMultipathTCP(true)
	multi, err := c.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer multi.Close()
	if p, err := protocolOf(multi); p != unix.IPPROTO_MPTCP || err != nil {
		t.Logf("this kernel has no MPTCP (protocol %d, %v): nothing to find", p, err)
		return
	}
	if step := mptcpStep(&Sockets{http: []net.Listener{struct{ net.Listener }{socks.http[0]}}}); step.State != confine.Failed {
		t.Errorf("what cannot be looked at: %v", step)
	}
	if step := mptcpStep(&Sockets{http: append(socks.http, multi)}); step.State != confine.Failed || !strings.Contains(step.Detail, multi.Addr().String()) {
		t.Errorf("%v", step)
	}
}

func addrPorts(texts ...string) (out []netip.AddrPort) {
	for _, s := range texts {
		out = append(out, netip.MustParseAddrPort(s))
	}
	return out
}

// The gateway keeps access to the files that the configuration names, and to no
// other files.
func TestKeeps(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"etc", "log", "flows", "run", "tls"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	always := []string{"/proc/self", "/proc/stat"}
	for _, c := range []struct {
		what string
		file string
		cfg  site.Config
		want []string
	}{
		{"nothing named", "", site.Config{Journal: site.Journal{Path: "-"}}, nil},
		{"standard input", "-", site.Config{Journal: site.Journal{Path: "-"}}, nil},
		{"all", at("etc/site.toml"), site.Config{
			Journal: site.Journal{Path: at("log/d.jsonl"), Flows: at("flows/f.jsonl")},
			Inputs:  []site.Input{{Path: at("etc/token")}, {Path: at("tls/cert.pem")}, {Path: at("tls/key.pem")}},
			Listen:  site.Listen{Admin: "unix:" + at("run/admin.sock")},
		}, []string{at("etc"), at("flows"), at("log"), at("run"), at("tls")}},
	} {
		var got []string
		for _, g := range keeps(c.file, &c.cfg, PacketFilter{}).Files {
			if !slices.Contains(always, g.Path) {
				got = append(got, g.Path)
			}
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, c.want) {
			t.Errorf("%s: kept %q, want %q", c.what, got, c.want)
		}
	}
	if keeps("", &site.Config{}, PacketFilter{}).NetAdmin || !keeps("", &site.Config{}, PacketFilter{LiveSets: true}).NetAdmin {
		t.Error("CAP_NET_ADMIN is for --live-sets")
	}
	system := site.Config{DNS: site.DNS{Upstreams: []string{"system"}}}
	if _, err := os.Stat(ResolvConf); err == nil && !slices.Contains(keeps("", &system, PacketFilter{}).Files, confine.Grant{Path: ResolvConf, Access: confine.Read}) {
		t.Error(`the servers of "system" cannot be read again`)
	}
}

// /readyz has the same content as text and as JSON.
func TestReadyAsJSON(t *testing.T) {
	g, _, _ := readyGateway(t)
	g.hardening = []confine.Step{{Name: confine.Files, State: confine.Absent, Detail: "this kernel has no Landlock"}, {Name: noMPTCP, State: confine.On}}
	g.limits = ProcessLimits{Memory: 1 << 20, MemoryFrom: "cgroup", Files: 1024, FilesNeed: 300}
	q := httptest.NewRequest("GET", "/readyz", nil)
	q.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	g.serveReady(w, q)
	var is map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &is); err != nil || w.Code != 200 || is["ready"] != true {
		t.Fatalf("%d %s %v", w.Code, w.Body, err)
	}
	want := `[{"detail":"this kernel has no Landlock","state":"absent","step":"landlock_files"},{"state":"on","step":"no_mptcp"}]`
	if got, _ := json.Marshal(is["hardening"]); string(got) != want {
		t.Errorf("hardening %s", got)
	}
	if got, _ := json.Marshal(is["limits"]); string(got) != `{"memory_bytes":1048576,"memory_from":"cgroup","open_files":1024,"open_files_needed":300}` {
		t.Errorf("limits %s", got)
	}
	_, text := g.readyz()
	for _, line := range []string{
		"hardening: landlock_files absent: this kernel has no Landlock\n", "hardening: no_mptcp on\n",
		"limit: memory: 1.0 MiB, 90 % of the cgroup's limit\n", "limit: open files: 1024, of which [limits] connections and udp_flows need 300\n", "\nready\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
	if got := describeHardening(g.hardening); got != "on: no_mptcp; absent: landlock_files" {
		t.Errorf("in one line: %s", got)
	}
}

// outside does not change other errors.
func TestOutside(t *testing.T) {
	g := &Gateway{}
	for _, err := range []error{nil, errors.New("x"), &fs.PathError{Op: "open", Path: "/x", Err: syscall.ENOENT}, &fs.PathError{Op: "open", Path: "/x", Err: syscall.EACCES}} {
		if got := g.outside(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}
