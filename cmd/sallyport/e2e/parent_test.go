//go:build linux

// Parent: with a proxy of the site as the only way out, real clients reach what is permitted, and
// nothing but packets to that proxy leaves the gateway.

package e2e

import (
	"cmp"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// The client's proxy, for curl.
const (
	viaHTTP  = "http://10.77.0.1:3128"
	viaSOCKS = "socks5h://10.77.0.1:1080"
)

func TestParentSquid(t *testing.T) {
	need(t, "squid", "curl", "openssl")
	l := newLab(t)
	l.startParent(t, squidParent, "squid", "-N", "-f")
	const url = "url = \"http://" + parentAt + "\"\nauth_file = \"login\"\n"
	for _, c := range []struct {
		what, config string
		dns          bool
		by           string
	}{
		{"by address", withParent(url, systemResolver), true, "address"},
		{"by name, without any resolver", withParent(url+"by = \"name\"\n", "[dns]\nupstreams = []\n"), false, "name"},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := l.behindParent(t, login, c.config)
			mark := l.rec.mark(t)
			for _, proxy := range []string{viaHTTP, viaSOCKS} {
				if r := l.curl(t, named("es-manager"), "-x", proxy, "https://license.sangfor.com/"); r.code != 0 || !strings.Contains(r.stdout, "tls=true host=license.sangfor.com") {
					t.Errorf("%s: %v", proxy, r)
				}
			}
			if r := l.curl(t, named("es-manager"), "-x", viaHTTP, "-v", "--proxy-user", "me:mine", "http://upd.sangfor.com/"); r.code != 0 || !strings.Contains(r.stdout, "tls=false host=upd.sangfor.com") ||
				!strings.Contains(r.stderr, "(squid") && !strings.Contains(r.stderr, "corporate") {
				t.Errorf("absolute-form: %v", r)
			}
			// Denied: no packet, not even to the parent.
			before := l.rec.mark(t)
			for _, to := range []string{"https://evil.example/", "https://license.sangfor.com:22/", "http://" + parentAt + "/"} {
				if r := l.curl(t, named("es-manager"), "-x", viaHTTP, to); !strings.Contains(r.all(), "403") && !strings.Contains(r.all(), "denied") {
					t.Errorf("%s: %v", to, r)
				}
			}
			// Through sallyport's SOCKS5 proxy a client reaches neither the parent nor sallyport's HTTP proxy.
			for _, further := range []string{"http://" + parentAt, viaHTTP} {
				if r := l.curl(t, named("es-manager"), "--preproxy", viaSOCKS, "-x", further, "http://upd.sangfor.com/"); r.code == 0 || r.stdout != "" {
					t.Errorf("through %s: %v", further, r)
				}
			}
			eventually(t, longestWait, "three denials as self", func() error {
				if n := g.journal().reasons()["self"]; n != 3 {
					return errorf("%d of them", n)
				}
				return nil
			})
			for _, p := range l.rec.since(t, before) {
				switch {
				case p.dst == netip.MustParseAddrPort(parentAt) && !p.syn && len(p.payload) == 0: // the end of an earlier flow
				case p.dst.Port() == 53 && !strings.Contains(p.query, "evil"): // permitted names are looked up in advance
				default:
					t.Errorf("a packet of denied requests: %v", p)
				}
			}
			l.onlyToParent(t, mark, c.dns)
			if flows := g.waitFlow(t, `"parent":"corporate","dialed_by":"`+c.by+`"`); strings.Contains(flows, "hunter2") {
				t.Errorf("records:\n%s", flows)
			}
			if code, body, err := g.admin("/readyz"); err != nil || code != 200 || !strings.Contains(body, "parent: corporate, http://"+parentAt+", by "+c.by+": works since ") {
				t.Errorf("/readyz: %d %s %v", code, body, err)
			}
			if _, body, err := g.admin("/metrics"); err != nil || !strings.Contains(body, `sallyport_parent_flows_total{parent="corporate",result="ok"}`) {
				t.Errorf("/metrics: %v", err)
			}
		})
	}
}

// What Squid refuses is told to the client, with the cure, and without our login.
func TestParentSquidRefuses(t *testing.T) {
	need(t, "squid", "curl", "openssl")
	l := newLab(t)
	l.startParent(t, squidParent, "squid", "-N", "-f")
	const url = "url = \"http://" + parentAt + "\"\nauth_file = \"login\"\nby = \"name\"\n"
	for _, c := range []struct{ what, auth, to, fault, hint string }{
		{"a wrong password", "sally:wrong", "https://license.sangfor.com/", "parent_auth", "does not accept sallyport's login (407 Proxy Authentication Required)"},
		{"a forbidden destination", login, "https://download.sangfor.com/", "parent_refused", "refuses the destination (403 Forbidden)"},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := l.behindParent(t, c.auth, withParent(url, systemResolver))
			mark := l.rec.mark(t)
			r := l.curl(t, named("es-manager"), "-v", "-x", viaHTTP, c.to)
			if r.code == 0 || !strings.Contains(r.stderr, "X-Sallyport-Fault: "+c.fault) || !strings.Contains(r.stderr, c.hint) || strings.Contains(r.all(), "Proxy-Authenticate") {
				t.Errorf("%v", r)
			}
			l.onlyToParent(t, mark, false)
			if out := g.waitLog(t, "fault="+c.fault, "parent=corporate"); strings.Contains(out, strings.TrimPrefix(c.auth, "sally:")) {
				t.Errorf("log:\n%s", out)
			}
			g.waitFlow(t, `"detail":"dial: `+c.fault+`"`)
		})
	}
}

// Squid's own page about a request in absolute-form can repeat the request, with our login
// (CVE-2025-62168). The client gets the page, and nothing of the login.
func TestParentSquidPage(t *testing.T) {
	need(t, "squid", "curl", "openssl")
	l := newLab(t)
	l.startParent(t, squidParent, "squid", "-N", "-f")
	g := l.behindParent(t, login, withParent("url = \"http://"+parentAt+"\"\nauth_file = \"login\"\n", systemResolver))
	const basic = "c2FsbHk6aHVudGVyMg" // sally:hunter2
	direct := l.gateway.run(t, l.dir, "", "curl", "-sS", "--max-time", "10", "-x", "http://"+parentAt, "-U", login, "http://upd.sangfor.com/forbidden")
	t.Logf("Squid's page has the login of its client: %t", strings.Contains(direct.stdout, basic))
	r := l.curl(t, named("es-manager"), "-v", "-x", viaHTTP, "http://upd.sangfor.com/forbidden")
	if !strings.Contains(r.stdout, "ERR_ACCESS_DENIED") || strings.Contains(r.all(), basic) || strings.Contains(r.all(), "hunter2") {
		t.Errorf("%v", r)
	}
	if out := g.waitFlow(t, `"event":"close"`) + g.out.String(); strings.Contains(out, basic) || strings.Contains(out, "hunter2") {
		t.Errorf("log or records have the login:\n%s", out)
	}
}

func TestParentTinyproxy(t *testing.T) {
	need(t, "tinyproxy", "curl", "openssl")
	l := newLab(t)
	l.startParent(t, tinyproxyParent, "tinyproxy", "-d", "-c")
	l.behindParent(t, login, withParent("url = \"http://"+parentAt+"\"\nauth_file = \"login\"\n", systemResolver))
	mark := l.rec.mark(t)
	if r := l.curl(t, named("es-manager"), "-x", viaHTTP, "https://license.sangfor.com/"); r.code != 0 || !strings.Contains(r.stdout, "host=license.sangfor.com") {
		t.Error(r)
	}
	l.onlyToParent(t, mark, true)
}

func TestParentDante(t *testing.T) {
	need(t, "danted", "curl", "openssl")
	l := newLab(t)
	l.startParent(t, danteParent, "danted", "-f")
	l.behindParent(t, login, withParent("url = \"socks5://"+parentAt+"\"\n", systemResolver))
	mark := l.rec.mark(t)
	for _, to := range []string{"https://license.sangfor.com/", "http://upd.sangfor.com/"} {
		if r := l.curl(t, named("es-manager"), "-x", viaHTTP, to); r.code != 0 || !strings.Contains(r.stdout, "sangfor.com") {
			t.Error(r)
		}
	}
	l.onlyToParent(t, mark, true)
}

// A parent that lies: whatever it does, the client gets an error with a name, and no packet goes
// elsewhere.
func TestParentLies(t *testing.T) {
	need(t, "curl")
	l := newLab(t)
	for _, c := range []struct{ what, answer, fault string }{
		{"a login, again and again", "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n", "parent_auth"},
		{"garbage", "\x00\x01\x02\x03\r\n\r\n", "parent_reply"},
		{"silence", "", "parent_timeout"},
		{"200 to everything, and an end", "HTTP/1.1 200 OK\r\n\r\n", ""}, // the record has parent_reply
	} {
		t.Run(c.what, func(t *testing.T) {
			listener, err := l.internet.listen(parentAt)
			if err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			var asked sync.Map
			serveEach(listener, &all, func(conn net.Conn) {
				defer conn.Close()
				head := make([]byte, 4096)
				n, _ := conn.Read(head)
				asked.Store(string(head[:n]), true)
				_, _ = io.WriteString(conn, c.answer)
				if c.answer == "" {
					_, _ = io.Copy(io.Discard, conn)
				}
			})
			g := l.behindParent(t, login, withParent("url = \"http://"+parentAt+"\"\nauth_file = \"login\"\n", systemResolver))
			mark := l.rec.mark(t)
			r := l.curl(t, named("es-manager"), "-v", "-x", viaHTTP, "https://license.sangfor.com/")
			if r.code == 0 || c.fault != "" && !strings.Contains(r.stderr, "X-Sallyport-Fault: "+c.fault) {
				t.Error(r)
			}
			l.onlyToParent(t, mark, true)
			n := 0
			asked.Range(func(any, any) bool { n++; return true })
			if n != 1 {
				t.Errorf("the parent was asked %d different things", n)
			}
			detail := `"detail":"dial: ` + cmp.Or(c.fault, "parent_reply") + `"`
			if flows := g.waitFlow(t, `"event":"close"`, `"parent":"corporate"`, detail); strings.Contains(flows, "hunter2") {
				t.Errorf("records:\n%s", flows)
			}
			if code, _, err := g.admin("/healthz"); err != nil || code != http.StatusOK {
				t.Errorf("/healthz: %d %v", code, err)
			}
			listener.Close()
			_ = g.cmd.Process.Kill()
			<-g.exited
			all.Wait()
		})
	}
}
