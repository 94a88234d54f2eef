// Upstreams that must prove who they are: what /readyz, the health page, /metrics and
// preflight say about one that cannot, and the file with its authority.

package gateway

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// serveDoH starts a server of DNS over HTTPS that answers each question with "no such
// record". Its certificate is for example.com and signs itself.
func serveDoH(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m, err := io.ReadAll(r.Body)
		if err != nil || len(m) < 12 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		m[2] |= 0x80
		w.Header().Set("Content-Type", "application/dns-message")
		w.Write(m)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestProvenUpstream(t *testing.T) {
	t.Parallel()
	s := serveDoH(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := s.Listener.Addr().String()
	upstream := func(name string) string { return fmt.Sprintf("https://%s/hunter2?name=%s", addr, name) }
	text := func(url string) string {
		return strings.Replace(readySite, `upstreams = ["udp://127.0.0.1:9"]`, fmt.Sprintf("upstreams = [%q]\nupstreams_ca = %q", url, ca), 1)
	}
	g, _, write := readyGateway(t)
	name, err := rules.ParseName("a.example")
	if err != nil {
		t.Fatal(err)
	}
	shows := func(what string, ready bool, row, metric string) {
		t.Helper()
		g.filter.Lookup(t.Context(), nil, name)
		w := httptest.NewRecorder()
		g.pages().ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		health := fmt.Sprint(g.health())
		metrics := g.metricsText()
		if !ready && !strings.Contains(w.Body.String(), row) || !strings.Contains(health, row) || !strings.Contains(metrics, metric) {
			t.Errorf("%s: /readyz %s\npage %s\nwant %q and %q", what, w.Body, health, row, metric)
		}
		if all := w.Body.String() + health + metrics; strings.Contains(all, "hunter2") {
			t.Errorf("%s: the secret path is shown", what)
		}
	}

	write(text(upstream("dns.corp.example")))
	g.Reload("test")
	shows("another name", false, "the certificate is for example.com, *.example.com, 127.0.0.1, ::1, not for dns.corp.example: correct name=", `sallyport_dns_upstream_up{upstream="`+addr+`"} 0`)

	write(text(upstream("example.com")))
	g.Reload("test")
	shows("the right name", true, "{Upstream https://"+addr+"/…?name=example.com true answers}", `sallyport_dns_upstream_up{upstream="`+addr+`"} 1`)

	write(strings.Replace(text(upstream("example.com")), "upstreams_ca", "#", 1))
	g.Reload("test")
	if _, err := authoritiesOf(g.cfg); err == nil { // this host has authorities
		shows("without the authority", false, "the certificate is self-signed: name a file with the certificate of its authority in [dns] upstreams_ca", "")
	}
}

// TestProbeOfProvenUpstream asserts that preflight asks each such resolver, and says what to
// correct.
func TestProbeOfProvenUpstream(t *testing.T) {
	s := serveDoH(t)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := s.Listener.Addr().String()
	file := filepath.Join(dir, "sallyport.toml")
	text := fmt.Sprintf("[dns]\nupstreams = [\"https://%s/q?name=example.com\", \"https://%s/q?name=dns.corp.example\"]\nupstreams_ca = \"ca.pem\"\n"+
		"[[client]]\nname = \"a\"\nsources = [\"10.0.0.1\"]\nprofiles = []\n[[rule]]\nid = \"r\"\nclient = \"a\"\nto = [\"a.example\"]\ntcp = [443]\nreason = \"test\"\n", addr, addr)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := LoadConfig(file, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	report, err := Probe(t.Context(), cfg, Probes{Wanted: func(string, string) bool { return true }, Timeout: time.Second, Parallel: 2, Agent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := report.Write(&out, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"warning: resolver https://" + addr + "/…?name=dns.corp.example: the certificate is for example.com, *.example.com, 127.0.0.1, ::1, not for dns.corp.example\n  do: correct name=",
		"resolver https://" + addr + "/…?name=example.com: 3 answers, 0 failures",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if len(report.Upstreams) != 2 || report.Upstreams[1].Cure == "" || report.Upstreams[0].Ports != "TCP "+addr[strings.LastIndexByte(addr, ':')+1:] {
		t.Errorf("%+v", report.Upstreams)
	}
}
