//go:build linux

// Export to Squid: Debian's Squid with the exports of all clients answers as explain does.

package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

const squidBase = `
http_port 0.0.0.0:3128
http_port [::]:3128
pid_filename none
access_log none
cache_log stdio:/dev/stderr
cache deny all
pinger_enable off
dns_nameservers 127.0.0.1
connect_retries 0
forward_max_tries 1
shutdown_lifetime 0 seconds
coredump_dir none
visible_hostname lab
`

func TestExportToSquid(t *testing.T) {
	need(t, "squid")
	ns := newNetns(t, "squid")
	e := newExporter(t, ns)
	conf := squidBase
	for _, c := range e.clients {
		ns.ip(t, "addr add "+c.v4()+"/32 dev lo", "addr add "+c.v6()+"/128 dev lo")
		conf += "include " + e.write(t, c.name+".conf", e.export(t, c, "squid")) + "\n"
	}
	ns.ip(t, fmt.Sprintf("addr add 10.77.0.%d/32 dev lo", unknownHost))
	for _, route := range internetRoutes { // so that a permitted connection is refused at once
		ns.ip(t, "route add local "+route+" dev lo")
	}
	serveDNS(t, ns, book{}, "127.0.0.1:53")
	file := e.write(t, "squid.conf", conf+"http_access deny all\n")
	if r := ns.run(t, e.dir, "", "squid", "-k", "parse", "-f", file); r.code != 0 || strings.Contains(r.all(), "WARNING") || strings.Contains(r.all(), "ERROR") {
		t.Fatal(r)
	}
	up := func() bool {
		c, err := ns.dial("tcp", "", "127.0.0.1:3128")
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	e.started(t, up, "squid", "-N", "-f", file)
	var all []exportProbe
	for _, c := range e.clients {
		all = append(all, e.exportProbes(t, c, "tcp")...)
	}
	verdicts := squidAnswers(t, ns, all)
	disagreements(t, "squid", all, func(p exportProbe) bool { return verdicts[p.String()] == p.allowed() })
	for _, c := range []client{named("nobody"), named("es-manager")} {
		for _, request := range []string{"GET http://license.sangfor.com:443/ HTTP/1.1\r\nHost: license.sangfor.com:443\r\n\r\n", "GET ftp://upd.sangfor.com:80/ HTTP/1.1\r\nHost: upd.sangfor.com\r\n\r\n"} {
			if allowed, err := squidAllows(ns, c.v4(), request); err != nil || allowed {
				t.Errorf("%s: %q: allowed %t, %v", c.name, request, allowed, err)
			}
		}
	}
	for source, want := range map[string]bool{named("nobody").v4(): false, named("es-manager").v4(): true} {
		if allowed, err := squidAllows(ns, source, "GET http://UPD.sangfor.com./x HTTP/1.1\r\nHost: upd.sangfor.com\r\n\r\n"); err != nil || allowed != want {
			t.Errorf("%s: plain HTTP to port 80: allowed %t, %v", source, allowed, err)
		}
	}
}

// squidAnswers asks Squid with CONNECT, many at a time.
func squidAnswers(t *testing.T, ns *netns, all []exportProbe) map[string]bool {
	t.Helper()
	verdicts := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	work := make(chan exportProbe)
	for range 8 {
		wg.Go(func() {
			for p := range work {
				to := hostPort(p.host, p.port)
				allowed, err := squidAllows(ns, p.client.v4(), "CONNECT "+to+" HTTP/1.1\r\nHost: "+to+"\r\n\r\n")
				if err != nil {
					t.Errorf("%v: %v", p, err)
				}
				mu.Lock()
				verdicts[p.String()] = allowed
				mu.Unlock()
			}
		})
	}
	for _, p := range all {
		work <- p
	}
	close(work)
	wg.Wait()
	return verdicts
}

// squidAllows sends one request, and reports whether Squid tried to reach the
// destination. Nothing listens there, so a permitted request fails with 503.
func squidAllows(ns *netns, from, request string) (bool, error) {
	c, err := dialFrom(ns, from, "127.0.0.1:3128")
	if err != nil {
		return false, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Write([]byte(request)); err != nil {
		return false, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return false, err
	}
	answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusForbidden && strings.HasPrefix(answer.Header.Get("X-Squid-Error"), "ERR_ACCESS_DENIED"):
		return false, nil
	case answer.StatusCode == http.StatusServiceUnavailable:
		return true, nil
	}
	return false, fmt.Errorf("status %s, %s", answer.Status, answer.Header.Get("X-Squid-Error"))
}

// dialFrom connects from an address of the namespace.
func dialFrom(ns *netns, from, to string) (net.Conn, error) {
	if a := netip.MustParseAddr(from); a.Is6() {
		to = "[::1]:" + to[strings.LastIndex(to, ":")+1:]
	}
	return ns.dial("tcp", from, to)
}
