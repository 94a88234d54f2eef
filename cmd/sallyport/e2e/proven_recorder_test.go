//go:build linux

// Recorder of a proven upstream: below the listeners it shows that with DNS over HTTPS nothing but
// packets to the resolver's port leaves: no question to port 53, none to another resolver.

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNothingButHTTPSLeavesForDNS(t *testing.T) {
	need(t, "unbound", "dig", "curl")
	gw, rs := newNetns(t, "hgate"), newNetns(t, "hresolve")
	gw.ip(t, "link add up0 type veth peer name up1 netns "+rs.path(), "link set up0 up", "address add 10.53.0.1/24 dev up0", "route add default via 10.53.0.2")
	rs.ip(t, "link set up1 up", "address add 10.53.0.2/24 dev up1")
	serveDNS(t, rs, &signedWorld{root: newZoneKey(t, "."), example: newZoneKey(t, "signed.example.")}, "127.0.0.53:53")
	dir := t.TempDir()
	ca := newAuthority(t, dir)
	cert, err := ca.issue("dns.corp.example", -time.Hour, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	pemFiles(t, dir, cert)
	site := strings.Replace(fmt.Sprintf(provenSite, 5400, "https://10.53.0.2/dns-query?name=dns.corp.example", ca.file), "[listen]\n", "[listen]\nhttp = [\"127.0.0.1:3128\"]\n", 1)
	for file, text := range map[string]string{
		"s.toml": site,
		// It also answers on port 53, so that a question there would be answered.
		"unbound.conf": "server:\n interface: 10.53.0.2@443\n interface: 10.53.0.2@53\n access-control: 0.0.0.0/0 allow\n tls-service-pem: cert.pem\n tls-service-key: key.pem\n do-daemonize: no\n chroot: \"\"\n username: \"\"\n" +
			" directory: \"" + dir + "\"\n pidfile: \"\"\n do-not-query-localhost: no\n use-syslog: no\n module-config: iterator\nremote-control:\n control-enable: no\nforward-zone:\n name: \".\"\n forward-addr: 127.0.0.53\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	background(t, rs, dir, "unbound", "-d", "-c", "unbound.conf")
	waitServed(t, gw, "10.53.0.2:443")
	rec := startRecorder(t, rs, "up1", gw, "10.53.0.2:9")
	mark := rec.mark(t)
	background(t, gw, dir, builtBinary(t), "run", "--config", "s.toml")
	waitServed(t, gw, "127.0.0.1:3128")
	for name, want := range map[string]string{"www.plain.example": "93.184.61.10", "a.signed.example": "93.184.61.10", "evil.example": "NXDOMAIN"} {
		if out := digWhenServed(t, gw, dir, 5400, name, "+tries=1", "+time=30"); !strings.Contains(out, want) {
			t.Errorf("%s: %s", name, out)
		}
	}
	if r := gw.run(t, dir, "", "curl", "-sS", "-m", "30", "-x", "http://127.0.0.1:3128", "https://www.plain.example/"); r.code == 0 { // the world has no such server
		t.Errorf("%v", r)
	}
	asked, reached := 0, 0
	for _, p := range rec.everything(t, mark) {
		switch {
		case p.dst == netip.MustParseAddrPort("10.53.0.2:443") && p.proto == "tcp":
			asked++
		case p.dst == netip.MustParseAddrPort("93.184.61.10:443") && p.proto == "tcp": // the destination
			reached++
		case p.proto != "icmp" && p.dst != netip.MustParseAddrPort(rec.sink):
			t.Errorf("left the gateway: %v", p)
		}
	}
	if asked == 0 || reached == 0 {
		t.Errorf("%d packets to the resolver, %d to the destination", asked, reached)
	}
	if r := gw.run(t, dir, "", "dig", "@10.53.0.2", "+tries=1", "+time=10", "www.plain.example", "A"); !strings.Contains(r.stdout, "93.184.61.10") {
		t.Errorf("port 53 would not have answered: %v", r)
	}
	if !strings.Contains(fmt.Sprint(queries(rec.everything(t, mark))), "www.plain.example") {
		t.Error("the recorder does not see a question to port 53")
	}
}
