// Hints: the sentence that every denial ends with.

package rules_test

import (
	"strings"
	"testing"

	. "sallyport/rules"
)

func TestHint(t *testing.T) {
	mismatch := try(mgr, "www.product.example:80").HTTP("www.product.example:8080")
	tooLong := try(mgr, "www.product.example:443").Faulty(SniffTooLong)
	tooLong.Detail = "16385 octets"
	noName := try(mgr, "www.product.example:443").Faulty(MalformedName)
	noName.Detail = "name has an empty label"
	p := compiled(t, fixture(t, "site.toml"), today)
	for _, c := range []struct {
		attempt Attempt
		want    string
	}{
		{try(mgr, "www.product.example:443"), ""},
		{try(mgr, "cloud.product.example:443"), `documented for product, section 1, when feature cloud is on: add "cloud" to the features of client "mgr"`},
		{try(mgr, "guarded.product.example:443"), `documented for product, section 1, when feature cloud is on: add "cloud" to the features of client "mgr", and when feature guardian is on: add "guardian" to the features of client "mgr"`},
		{try(cloudy, "guarded.product.example:443"), `documented for product, section 1, when feature guardian is on: add "guardian" to the features of client "cloudy"`},
		{try(mgr, "cloud.product.example:80"), `only tcp 443 is documented for cloud.product.example (product, section 1), not tcp 80`},
		{try(mgr, "old.product.example:443"), `documented for product, section 1, for versions below 6.0.4: client "mgr" has no version set, which means the current one; if the product of that client has a version below 6.0.4, set version = "…" of client "mgr"`},
		{try(cloudy, "new.product.example:443"), `documented for product, section 1, for versions from 6.0.4: client "cloudy" has version 6.0.3; if the product of that client has a version from 6.0.4, set version = "…" of client "cloudy"`},
		{try(mgr, "www.product.example:22"), `only tcp 80, 443 are documented for www.product.example (product, section 1), not tcp 22`},
		{try(mgr, "www.product.example:443").OverUDP(), `only tcp 80, 443 are documented for www.product.example (product, section 1), not udp 443`},
		{try(mgr, "agents.product.example:443"), `documented for role agent (product, section 3), and client "mgr" has role manager: if it has that role as well, give it one more [[client.profile]] with role = "agent"`},
		{try(agent, "10.20.30.40:4430"), `4430 was moved to 4431 by ports.upgrade of client "agent", line 6: use 4431, or remove that setting (documented for product, section 3)`},
		{try(mgr, "gone.site.example:443"), `rule site/gone expired on 2026-01-31 (INC-4): set a later expires, or remove the rule`},
		{try(mgr, "cdn.product.example:443"), `*.cdn.product.example is documented for product, section 2: it permits every name below cdn.product.example, but not that name itself`},
		{try(mgr, "x.www.product.example:443"), `www.product.example is documented for product, section 1: it permits that name itself, but no name below it`},
		{try(mgr, "www2.product.example:443"), `the nearest name is www.product.example, documented for product, section 1`},
		{try(mgr, "www22.product.example:443"), `the nearest name is www.product.example, documented for product, section 1`},
		{try(mgr, "abc.product.example:443"), `abc.product.example is not documented, but other names below product.example are, such as any.product.example, documented for product, section 2`},
		{try(mgr, "urlrewrite.product.example:443"), `urlrewrite.product.example is not documented, but other names below product.example are, such as update.product.example, documented for product, section 2`},
		{try(mgr, "live.another.example:443"), `another documents this name, section 9, and client "mgr" does not have that profile: if it is that product, add "another" to its profiles`},
		{try(mgr, "evil.test:443"), `no rule of client "mgr" lists evil.test: if the site needs it, add a [[rule]] with a reason`},
		{try(mgr, "198.41.0.4:443"), `client "mgr" asks for the bare address 198.41.0.4: let the proxy resolve the name (socks5h://, "remote DNS"), so that the decision is by name; write a [[rule]] for an address only if the destination has no name`},
		{try("10.3.0.1", "www.product.example:443"), `no [[client]] covers 10.3.0.1: add the address to the sources of a [[client]]`},
		{try(mgr, "www.product.example:443").TLS("evil.test"), `permitted for www.product.example, but the ClientHello names evil.test: all names of a connection must be the same`},
		{mismatch, `permitted for www.product.example:80, but the Host header names www.product.example:8080`},
		{try(mgr, "www.product.example:80").HTTP("121.46.26.221"), `permitted for www.product.example:80, but the Host header names 121.46.26.221:80`},
		{try(mgr, "www.product.example:443").Dials("10.0.0.1"), `www.product.example resolves to 10.0.0.1: if that is intended, list 10.0.0.1 in [resolve] private, or in a [[rule]] together with the name`},
		{try(mgr, "mirror.corp.example:443").Dials("10.0.0.1"), `mirror.corp.example resolves to 10.0.0.1: if that is intended, list 10.0.0.1 in [resolve] private, or in the to of rule mirror`},
		{try(agent, "manager.corp.example:443").Dials("10.0.0.1"), `manager.corp.example resolves to 10.0.0.1: if that is intended, list 10.0.0.1 in [resolve] private, or in [client.addresses] beside the name`},
		{redirected(mgr, "198.41.0.4:443"), `client "mgr" asks for the bare address 198.41.0.4: let it resolve names with sallyport's DNS, so that the decision is by name; write a [[rule]] for an address only if the destination has no name`},
		{noName, `no rule can permit it: name has an empty label`},
		{asks(mgr, "www.product.example", 16), `www.product.example is permitted; type 16 is not looked up, only A, AAAA, HTTPS, SVCB, DS and DNSKEY are`},
		{tooLong, `The ClientHello or request head is longer than the limit: 16385 octets`},
		{try(mgr, "www.product.example:443").TLS(""), `The TLS ClientHello names no server, so nothing ties the connection to the permitted name.`},
		{try(whole, "127.0.0.1:3128"), `The destination is one of sallyport's own listeners; no rule can permit that.`},
		{try(audited, "cloud.product.example:443"), `documented for product, section 1, when feature cloud is on: add "cloud" to the features of client "audited"`},
	} {
		d := p.Decide(c.attempt)
		if got := Hint(c.attempt, d); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", answer(d), got, c.want)
		}
	}
}

// The hint for a reason that no rule can remedy names no rule, even if a rule is near.
func TestHintOfAReasonWithoutRemedy(t *testing.T) {
	p := compiled(t, fixture(t, "site.toml"), today)
	for _, r := range Reasons() {
		if r.Fixable() {
			continue
		}
		a := try(mgr, "www.product.example:443").TLS("www.product.example").Faulty(r)
		d := p.Decide(a)
		if d.Allowed() || d.Why() != r {
			t.Errorf("an attempt with the fault %v: %s", r, answer(d))
		}
		if got := Hint(a, d); got == "" || strings.Contains(got, "documented for") {
			t.Errorf("%v: the hint is %q: hintWithoutRule in hint.go has to return it", r, got)
		}
	}
}

// A Gate that failed answers with a bare Decision. Pages and the journal still ask for its
// hint.
func TestHintOfABareDecision(t *testing.T) {
	for _, r := range append(Reasons(), ReasonNone) {
		if Hint(Attempt{}, Decision{Reason: r}) == "" {
			t.Errorf("%v: no hint", r)
		}
		if Hint(Attempt{}, Decision{Reason: r, Nearest: &Rule{Profile: "p", ID: "x"}}) == "" {
			t.Errorf("%v with a nearest rule: no hint", r)
		}
	}
}
