// Tests of what the health page and /metrics show of upstreams.

package gateway

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"sallyport/dnsfilter"
	"sallyport/rules"
)

// metricsText returns /metrics.
func (g *Gateway) metricsText() string {
	w := httptest.NewRecorder()
	g.pages().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

// An upstream that a reload removes leaves the health page and /metrics; a new
// one is shown before the first query to it.
func TestRemovedUpstreamIsNotShown(t *testing.T) {
	g, _, write := readyGateway(t)
	g.metrics.tried(dnsfilter.UpstreamTry{Upstream: rules.Upstream{Addr: netip.MustParseAddrPort("127.0.0.1:9")}})
	if text := g.metricsText(); !strings.Contains(text, `sallyport_dns_upstream_up{upstream="127.0.0.1:9"} 1`) ||
		!strings.Contains(text, `sallyport_dns_upstream_tries_total{result="failed",upstream="127.0.0.1:9"} 1`) {
		t.Errorf("before the reload:\n%s", text)
	}
	write(strings.Replace(readySite, "127.0.0.1:9", "127.0.0.1:10", 1) + "[[dns.zone]]\nsuffix = \"corp.example\"\nupstreams = [\"udp://127.0.0.1:10\"]\n")
	g.Reload("test")
	if text := g.metricsText(); strings.Contains(text, `upstream="127.0.0.1:9"`) || !strings.Contains(text, `sallyport_dns_upstream_up{upstream="127.0.0.1:10"} 1`) {
		t.Errorf("after the reload:\n%s", text)
	}
	page := fmt.Sprint(g.health())
	if strings.Contains(page, "127.0.0.1:9 ") || !strings.Contains(page, "{Upstream 127.0.0.1:10 true was not asked yet}") ||
		!strings.Contains(page, "{Upstream 127.0.0.1:10 of zone corp.example true was not asked yet}") {
		t.Errorf("the page shows %s", page)
	}
}
