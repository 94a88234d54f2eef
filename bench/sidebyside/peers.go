// Peers: how each is configured, started, measured and stopped.

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A peer is one program to measure. Its addresses show which rows it supports.
type peer struct {
	name, proxy, dns string
	redirected       bool // proxy is the target of a redirect, not asked by CONNECT
	// command writes a configuration into dir and returns the command line.
	command func(b *bench, dir string) ([]string, error)
}

const (
	proxyAddr = "127.0.0.1:3128"
	redirAddr = "127.0.0.1:3130"
	dnsAddr   = "127.0.0.1:5300"

	parentAddr = "127.0.0.1:3140" // in this process, so that its CPU time does not count
)

// The permitted names: those that single rows use, and as many more as make 77.
var names = manyNames("a.allowed.test b.allowed.test c.allowed.test d.allowed.test e.allowed.test f.allowed.test g.allowed.test bulk.allowed.test", 77)

func manyNames(first string, n int) []string {
	out := strings.Fields(first)
	for len(out) < n {
		out = append(out, fmt.Sprintf("n%d.allowed.test", len(out)))
	}
	return out
}

var peers = []peer{
	{"sallyport", proxyAddr, dnsAddr, false, sallyport},
	{"sallyport-parent", proxyAddr, "", false, func(b *bench, dir string) ([]string, error) {
		args, err := sallyport(b, dir)
		if err != nil {
			return nil, err
		}
		text, err := os.ReadFile(filepath.Join(dir, "c"))
		return args, errors.Join(err, write(dir, string(text)+"[[parent]]\nname = 'bench'\nurl = 'http://"+parentAddr+"'\n"))
	}},
	{"sallyport-redirect", redirAddr, "", true, sallyport},
	{"squid", proxyAddr, "", false, func(b *bench, dir string) ([]string, error) {
		text := "http_port " + proxyAddr + "\nacl ok dstdomain " + strings.Join(names, " ") + "\nhttp_access allow ok\nhttp_access deny all\n" +
			squidCommon(dir)
		return []string{"squid", "--foreground", "-YC", "-f", filepath.Join(dir, "c")}, errors.Join(write(dir, text), os.Chmod(dir, 0o777))
	}},
	{"squid-intercept", redirAddr, "", true, func(b *bench, dir string) ([]string, error) {
		text := "http_port 127.0.0.1:3131\nhttps_port " + redirAddr + " intercept ssl-bump tls-cert=" + dir + "/pem generate-host-certificates=off\n" +
			"acl oksni ssl::server_name " + strings.Join(names, " ") + "\nacl step1 at_step SslBump1\nhttp_access allow all\nssl_bump peek step1\nssl_bump splice oksni\nssl_bump terminate all\n" +
			squidCommon(dir)
		return []string{"squid", "--foreground", "-YC", "-f", filepath.Join(dir, "c")}, errors.Join(write(dir, text), os.WriteFile(filepath.Join(dir, "pem"), b.pem, 0o644), os.Chmod(dir, 0o777))
	}},
	{"bare-redirect", redirAddr, "", true, func(b *bench, dir string) ([]string, error) {
		return []string{b.self, "-bare-redirect", redirAddr}, nil
	}},
	{"bare-relay", proxyAddr, "", false, func(b *bench, dir string) ([]string, error) {
		return []string{b.self, "-bare-relay", proxyAddr}, nil
	}},
	{"unbound", "", dnsAddr, false, func(b *bench, dir string) ([]string, error) {
		text := "server:\n  interface: 127.0.0.1\n  port: 5300\n  username: \"\"\n  chroot: \"\"\n  directory: \"" + dir + "\"\n  pidfile: \"" + dir + "/pid\"\n" +
			"  use-syslog: no\n  num-threads: 2\n  so-reuseport: yes\n  module-config: \"iterator\"\n  do-not-query-localhost: no\n  do-ip6: no\n  local-zone: \".\" refuse\n  local-zone: \"test.\" refuse\n"
		for _, n := range names {
			text += "  local-zone: \"" + n + ".\" transparent\n"
		}
		text += "remote-control:\n  control-enable: no\nforward-zone:\n  name: \".\"\n  forward-addr: 127.0.0.1@53\n"
		return []string{"unbound", "-d", "-c", filepath.Join(dir, "c")}, write(dir, text)
	}},
	{"bare-udp", proxyAddr, "", false, func(b *bench, dir string) ([]string, error) { return []string{b.self, "-bare-udp"}, nil }},
	{"bare-dns", "", dnsAddr, false, func(b *bench, dir string) ([]string, error) {
		return []string{b.self, "-bare-dns", dnsAddr}, nil
	}},
}

func sallyport(b *bench, dir string) ([]string, error) {
	text := "[listen]\nhttp = ['" + proxyAddr + "']\nsocks5 = ['" + socksAddr + "']\ntransparent = ['" + redirAddr + "']\ndns = ['" + dnsAddr + "']\n" +
		"[[client]]\nname = 'bench'\nsources = ['127.0.0.0/8']\nprofiles = []\n" +
		"[[rule]]\nid = 'bench'\nclient = 'bench'\nreason = 'benchmark'\ntcp = [80, 443, 8444]\nto = ['" + strings.Join(names, "', '") + "']\n" +
		"[[rule]]\nid = 'datagrams'\nclient = 'bench'\nreason = 'benchmark'\nudp = [9000]\nto = ['127.0.0.1']\n" +
		"[dns]\nupstreams = ['udp://" + originDNS + "']\n[resolve]\nprivate = ['127.0.0.0/8']\n" +
		"[journal]\npath = 'denials.jsonl'\nflows = 'flows.jsonl'\n"
	return []string{b.binary, "run", "--config", filepath.Join(dir, "c")}, write(dir, text)
}

func squidCommon(dir string) string {
	return "cache deny all\ncache_mem 8 MB\naccess_log daemon:" + dir + "/access.log squid\ncache_log " + dir + "/cache.log\npid_filename " + dir + "/pid\n" +
		"coredump_dir " + dir + "\ndns_nameservers 127.0.0.1\npinger_enable off\nnetdb_filename none\nshutdown_lifetime 0 seconds\n" +
		"visible_hostname bench.test\nmax_filedescriptors 16000\n"
}

func write(dir, text string) error { return os.WriteFile(filepath.Join(dir, "c"), []byte(text), 0o644) }

// running is a started peer.
type running struct {
	peer
	cmd *exec.Cmd
	dir string
}

func (b *bench) start(p peer) (*running, error) {
	dir, err := os.MkdirTemp("", "sidebyside-")
	if err != nil {
		return nil, err
	}
	args, err := p.command(b, dir)
	if err != nil {
		return nil, err
	}
	r := &running{peer: p, cmd: exec.Command(args[0], args[1:]...), dir: dir}
	r.cmd.Dir = dir
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := r.cmd.Start(); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("left out: %w", err)
	}
	for range 100 {
		if r.listens() {
			return r, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.stop()
	return nil, errors.New("did not listen within five seconds")
}

func (r *running) listens() bool {
	if r.proxy != "" {
		c, err := net.Dial("tcp", r.proxy)
		if err != nil {
			return false
		}
		c.Close()
		return true
	}
	_, err := askDNS(r.dns, names[0])
	return err == nil
}

// stop ends the peer and its child processes, by the process group.
func (r *running) stop() {
	syscall.Kill(-r.cmd.Process.Pid, syscall.SIGTERM)
	ended := time.AfterFunc(3*time.Second, func() { syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) })
	r.cmd.Wait()
	ended.Stop()
	os.RemoveAll(r.dir)
}

// cpu returns the processor time, in seconds, of the peer's process group, with
// its ended children.
func (r *running) cpu() float64 {
	var ticks float64
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range stats {
		data, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if len(fields) < 15 || fields[2] != strconv.Itoa(r.cmd.Process.Pid) { // field 5 of proc(5): the process group
			continue
		}
		for _, i := range []int{11, 12, 13, 14} { // utime, stime, cutime, cstime
			n, _ := strconv.ParseFloat(fields[i], 64)
			ticks += n
		}
	}
	return ticks / 100
}
