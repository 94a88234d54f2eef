// Decisions allocate nothing, whatever the answer.

package rules_test

import (
	"testing"

	. "sallyport/rules"
)

func TestDecideAllocatesNothing(t *testing.T) {
	p := compiled(t, fixture(t, "site.toml"), today)
	for what, a := range map[string]Attempt{
		"allow": try(mgr, "www.product.example:443").TLS("www.product.example"), "allow by wildcard": try(mgr, "a.b.cdn.product.example:443"),
		"allow by address": try(mgr, "121.46.26.221:443").TLS("update.product.example"), "allow any": try(mgr, "13.94.16.103:9"), "allow DNS": asks(mgr, "www.product.example", 1),
		"allow zone": asks(mgr, "x.corp.example", 1), "resolved": try(mgr, "wsus.corp.example:443").Dials("10.9.0.1"), "audit": try(audited, "evil.test:443"),
		"not_listed": try(mgr, "evil.test:443"), "not_listed, near": try(mgr, "www2.product.example:443"), "ip_literal": try(mgr, "198.41.0.4:22"),
		"feature_off": try(mgr, "cloud.product.example:443"), "port": try(mgr, "www.product.example:22"), "role": try(mgr, "agents.product.example:443"),
		"sni_mismatch": try(mgr, "www.product.example:443").TLS("evil.test"), "host_mismatch": try(mgr, "www.product.example:80").HTTP("evil.test"),
		"not_tls": try(mgr, "www.product.example:443").Shows(ShownOpaque), "fault": try(mgr, "www.product.example:443").Faulty(Limit), "self": try(whole, "127.0.0.1:3128"),
		"private": try(mgr, "www.product.example:443").Dials("10.0.0.1"), "unknown_client": try("10.3.0.1", "a.example:1"), "type": asks(mgr, "www.product.example", 16), "zero": {},
	} {
		raw := a.Authority.String()
		if n := testing.AllocsPerRun(100, func() {
			if raw != "" {
				a.Authority, _ = ParseName(raw)
			}
			d := p.Decide(a)
			d.Reach(a.Dest)
		}); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}
