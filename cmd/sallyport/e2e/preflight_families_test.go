// Preflight with unusual families or name servers: a host without IPv6, and a
// name with too many addresses.

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestPreflightWithoutIPv6 asserts that on a host without an IPv6 route, or without
// IPv6, preflight reports this once and prints no warnings, because every
// destination works over IPv4.
func TestPreflightWithoutIPv6(t *testing.T) {
	w := newPreflightWorld(t)
	config := w.config()
	for _, host := range []struct{ name, how string }{{"no route", "del"}, {"switched off", "off"}} {
		if host.how == "del" {
			w.host.ip(t, "route del 2a00:1450::/32")
		} else {
			w.host.sysctl(t, "ipv6/conf/all/disable_ipv6", "1")
		}
		r := w.run(t, config, "--host", "ok.example", "--host", "only4.example")
		const note = "\nIPv6: this host has no route (2 addresses not tried). This is no fault if the other family works\n"
		if r.code != 0 || !strings.Contains(r.stdout, "3 work, 0 with warnings, 0 fail") || strings.Count(r.stdout, note) != 1 || strings.Count(r.stdout, "no route") != 3 {
			t.Errorf("%s:\n%v", host.name, r)
		}
		if r = w.run(t, config, "--host", "ok.example", "--json"); r.code != 0 || lacks(r.stdout, `"family": "ipv6",`, `"addresses": 2`) != nil ||
			len(w.report(t, r).NoRoute) != 1 {
			t.Errorf("%s:\n%v", host.name, r)
		}
		// A destination that has only IPv6 addresses still fails.
		if r = w.run(t, config, "--host", "only6.example"); r.code != 1 || lacks(r.stdout, "failed: no route: ", "give this host a default route for this address family") != nil {
			t.Errorf("%s:\n%v", host.name, r)
		}
	}
}

// A name server may answer with very many addresses that all drop packets.
// preflight then takes only the time of a few addresses.
func TestPreflightManyAddresses(t *testing.T) {
	w := newPreflightWorld(t)
	var addresses []string
	for i := range 200 {
		addresses = append(addresses, fmt.Sprintf("%q", fmt.Sprintf("93.184.99.%d", i+1)))
	}
	config := w.config() + `[[rule]]
id = "crowd"
client = "mgr"
to = ["crowd.example"]
tcp = [443]
reason = "too many"
[hosts]
"crowd.example" = [` + strings.Join(addresses, ", ") + `]
`
	const words = "200 addresses; 16 were tried, and 184 were not"
	r := w.run(t, config, "--host", "crowd.example", "--host", "ok.example")
	if r.code != 1 || !strings.Contains(r.stdout, words) { // refused: nothing listens there
		t.Errorf("%v", r)
	}
	if r := w.internet.run(t, w.dir, "table inet hole { chain in { type filter hook input priority -1; ip daddr 93.184.99.0/24 drop; }; }", "nft", "-f", "-"); r.code != 0 {
		t.Fatalf("%v", r)
	}
	mark := w.rec.mark(t)
	r = w.run(t, config, "--host", "crowd.example", "--timeout", "1s")
	if r.code != 1 || !strings.Contains(r.stdout, words) || r.took > 5*time.Second { // all 200: 12.5s and more
		t.Errorf("%v", r)
	}
	tried := map[string]bool{}
	for _, p := range w.rec.since(t, mark) {
		tried[p.dst.String()] = true
	}
	if len(tried) != 16 {
		t.Errorf("%d places were tried: %v", len(tried), tried)
	}
}
