package gateway

import (
	"bytes"
	"net/netip"
	"sallyport/cmd/sallyport/preflight"
	"sallyport/dnsfilter"
	"sallyport/rules"
	"strings"
	"testing"
)

// A resolver that changes the letter case of questions gets a warning of its own. It
// is not reported as down.
func TestPreflightRespellingResolver(t *testing.T) {
	tries := upstreamTries{seen: map[rules.Upstream]*preflight.Upstream{}}
	up := rules.Upstream{Over: rules.OverUDP, Addr: netip.MustParseAddrPort("192.0.2.53:53")}
	tries.note(dnsfilter.UpstreamTry{Upstream: up, Up: true, ChangesCase: true})
	tries.note(dnsfilter.UpstreamTry{Upstream: up, Up: true})
	r := &preflight.Report{}
	r.SetUpstreams(tries.list([]rules.Upstream{up}, nil))
	if len(r.Upstreams) != 1 || r.Upstreams[0] != (preflight.Upstream{Upstream: "udp://192.0.2.53:53", Answered: 2, Respells: true, Ports: "UDP and TCP 53"}) {
		t.Errorf("%+v", r.Upstreams)
	}
	var b bytes.Buffer
	if err := r.Write(&b, false); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "warning: resolver udp://192.0.2.53:53, or a device on the way to it, changes the letter case") || strings.Contains(got, "failed") {
		t.Errorf("%s", got)
	}
}
