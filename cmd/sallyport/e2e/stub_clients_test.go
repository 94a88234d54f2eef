//go:build linux

// Stub clients: programs that ask sallyport for names with the system's resolver
// library, or with their own.

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

const stubSite = `
[listen]
dns = ["127.0.0.1:53"]
[[client]]
name = "lab"
sources = ["127.0.0.0/8"]
profiles = []
[[rule]]
id = "r"
client = "lab"
to = ["www.plain.example", "alias.plain.example", "many.plain.example"]
tcp = [443]
reason = "test"
[dns]
upstreams = ["udp://127.0.0.53:53"]
[journal]
path = "d.jsonl"
`

// manyWorld is a signedWorld with a name that has too many addresses for one
// datagram.
type manyWorld struct{ *signedWorld }

func (w manyWorld) ServeDNS(to dns.ResponseWriter, q *dns.Msg) {
	name := strings.ToLower(q.Question[0].Name)
	if name != "many.plain.example." || q.Question[0].Qtype != dns.TypeA {
		w.signedWorld.ServeDNS(to, q)
		return
	}
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	for i := range 150 {
		rr, _ := dns.NewRR(fmt.Sprintf("%s 300 IN A 93.184.62.%d", q.Question[0].Name, i+1))
		m.Answer = append(m.Answer, rr)
	}
	if to.LocalAddr().Network() == "udp" {
		m.Truncate(1232)
	}
	_ = to.WriteMsg(m)
}

// TestStubClients asserts that the system's resolver library resolves permitted
// names with every option of resolv.conf(5) that changes its questions, through
// search lists (ndots) and by TCP (use-vc, RFC 7766). It asserts the same for dig
// with every kind of EDNS. A denied name must fail at once, without a timeout.
func TestStubClients(t *testing.T) {
	need(t, "dig", "getent", "unshare")
	n := newNetns(t, "stubs")
	w := manyWorld{&signedWorld{root: newZoneKey(t, "."), example: newZoneKey(t, "signed.example.")}}
	serveDNS(t, n, w, "127.0.0.53:53")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s.toml"), []byte(stubSite), 0o644); err != nil {
		t.Fatal(err)
	}
	background(t, n, dir, builtBinary(t), "run", "--config", "s.toml")
	inside := func(resolv, script string) result {
		if err := os.WriteFile(filepath.Join(dir, "resolv.conf"), []byte("nameserver 127.0.0.1\n"+resolv), 0o644); err != nil {
			t.Fatal(err)
		}
		return n.run(t, dir, "", "unshare", "-m", "sh", "-c",
			`echo "hosts: files dns" >nss; mount --bind resolv.conf "$(readlink -f /etc/resolv.conf)" && mount --bind nss /etc/nsswitch.conf; `+script)
	}
	for deadline := time.Now().Add(20 * time.Second); inside("", "getent ahosts www.plain.example").code != 0 && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
	for _, options := range []string{
		"", "options edns0", "options use-vc", "options use-vc edns0", "options trust-ad edns0", "options single-request", "options single-request-reopen",
		"options no-tld-query", "search corp.lan plain.example\noptions ndots:5", "search corp.lan example\noptions ndots:5 use-vc", "search example",
	} {
		for name, want := range map[string]string{"www.plain.example": "93.184.61.10", "alias.plain.example": "93.184.61.10", "many.plain.example": "93.184.62.150"} {
			if r := inside(options+"\n", "getent ahosts "+name); r.code != 0 || !strings.Contains(r.stdout, want) {
				t.Errorf("%q: %v", options, r)
			}
		}
		if r := inside(options+"\n", "getent ahosts evil.plain.example"); r.code != 2 || r.took > 4*time.Second {
			t.Errorf("%q: a denied name: %v", options, r)
		}
	}
	if r := inside("search corp.lan plain.example\n", "getent ahosts www"); r.code != 0 || !strings.Contains(r.stdout, "93.184.61.10") {
		t.Errorf("a short name through the search list: %v", r)
	}
	for program, script := range map[string]string{
		"python3": `python3 -c 'import socket; print(socket.getaddrinfo("alias.plain.example", 443))'`,
		"node":    `node -e 'require("dns").resolve4("many.plain.example",(e,a)=>console.log(e,a&&a.includes("93.184.62.150")?"93.184.61.10":a))'`,
		"curl":    `curl -sv --max-time 3 http://www.plain.example/ 2>&1 | grep -o "93.184.61.10" | head -1`,
	} {
		if _, err := exec.LookPath(program); err != nil {
			continue
		}
		if r := inside("options edns0 trust-ad\n", script); !strings.Contains(r.stdout, "93.184.61.10") {
			t.Errorf("%s: %v", program, r)
		}
	}
	for _, args := range []string{
		"+noedns", "+edns=0", "+edns=1", "+noednsnegotiation +edns=1", "+dnssec", "+cdflag", "+adflag", "+noadflag", "+nocookie", "+bufsize=512", "+bufsize=100", "+bufsize=4096", "+subnet=192.0.2.0/24",
		"+nsid", "+expire", "+padding=128", "+ednsopt=65001:aabb", "+ednsflags=0x40", "+tcp", "+tcp +keepopen", "+vc +keepalive", "+norecurse", "+zflag", "+mapped", "+ignore",
	} {
		r := n.run(t, dir, "", "dig", append(append([]string{"@127.0.0.1", "+tries=1", "+time=4"}, strings.Fields(args)...), "www.plain.example", "A", "www.plain.example", "AAAA")...)
		want := "93.184.61.10"
		if strings.HasPrefix(args, "+noednsneg") {
			want = "status: BADVERS"
		}
		if r.code != 0 || !strings.Contains(r.stdout, want) || strings.Contains(r.stdout, "WARNING") {
			t.Errorf("dig %s: %v", args, r)
		}
	}
	for args, tcp := range map[string]bool{"+noedns": true, "+bufsize=1232": true, "+tcp": true, "+noedns +ignore": false} {
		r := n.run(t, dir, "", "dig", append(append([]string{"@127.0.0.1", "+tries=1", "+time=4"}, strings.Fields(args)...), "many.plain.example", "A")...)
		if strings.Contains(r.stdout, "93.184.62.150") != tcp || strings.Contains(r.stdout, "flags: qr tc") == tcp {
			t.Errorf("dig %s: %v", args, r)
		}
	}
}
