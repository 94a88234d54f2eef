// Reach: which addresses a permitted flow may be connected to.

package rules_test

import (
	"net/netip"
	"testing"

	. "sallyport/rules"
)

// Reach decides which addresses a permitted name may have.
func TestReach(t *testing.T) {
	p := compiled(t, fixture(t, "site.toml"), today)
	for _, c := range []struct {
		what    string
		attempt Attempt
		addr    string
		want    Reason
	}{
		{"public", try(mgr, "www.product.example:443"), "198.41.0.4", ReasonNone},
		{"public IPv6", try(mgr, "www.product.example:443"), "2606:4700::1", ReasonNone},
		{"private", try(mgr, "www.product.example:443"), "10.0.0.1", PrivateAddress},
		{"loopback", try(mgr, "www.product.example:443"), "127.0.0.1", PrivateAddress},
		{"metadata", try(mgr, "www.product.example:443"), "169.254.169.254", PrivateAddress},
		{"NAT64", try(mgr, "www.product.example:443"), "64:ff9b::a00:1", PrivateAddress},
		{"mapped", try(mgr, "www.product.example:443"), "::ffff:198.41.0.4", PrivateAddress},
		{"in [resolve] private", try(mgr, "www.product.example:443"), "10.77.1.1", ReasonNone},
		{"beside [resolve] private", try(mgr, "www.product.example:443"), "10.78.0.0", PrivateAddress},
		{"in a prefix of the same rule", try(mgr, "wsus.corp.example:443"), "10.9.0.5", ReasonNone},
		{"in a prefix of another rule", try(mgr, "mirror.corp.example:443"), "10.9.0.5", PrivateAddress},
		{"in a prefix of a second rule that permits it", try(mgr, "update.product.example:443"), "10.66.0.1", ReasonNone},
		{"in a prefix of a second rule, for another port", try(mgr, "update.product.example:8080"), "10.66.0.1", PrivateAddress},
		{"bound beside the name", try(agent, "manager.corp.example:443"), "10.20.30.40", ReasonNone},
		{"any = true", try(mgr, "any.product.example:443"), "10.0.0.1", PrivateAddress},
	} {
		d := p.Decide(c.attempt)
		if !d.Allowed() {
			t.Fatalf("%s: %s", c.what, answer(d))
		}
		if got := d.Reach(netip.AddrPortFrom(netip.MustParseAddr(c.addr), c.attempt.Dest.Port())); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
		// The answer is the same when the attempt comes back with the address.
		final := c.attempt.Dials(c.addr)
		if got := p.Decide(final).Why(); got != c.want {
			t.Errorf("%s, asked again: %v, want %v", c.what, got, c.want)
		}
	}
	for _, c := range []struct {
		what, name, addr string
		want             Reason
	}{
		{"an answer for a permitted name, public", "www.product.example", "198.41.0.4", ReasonNone},
		{"private", "www.product.example", "10.0.0.1", PrivateAddress},
		{"private, in an internal zone", "anything.corp.example", "10.0.0.1", ReasonNone},
		{"private, in the same rule", "wsus.corp.example", "10.9.0.5", ReasonNone},
		{"private, in [resolve]", "www.product.example", "10.77.1.1", ReasonNone},
	} {
		d := p.Decide(asks(mgr, c.name, 1))
		if got := d.Reach(netip.AddrPortFrom(netip.MustParseAddr(c.addr), 0)); got != c.want {
			t.Errorf("DNS, %s: %v, want %v", c.what, got, c.want)
		}
	}
	if d := p.Decide(try(mgr, "www.product.example:443")); d.Reach(netip.AddrPort{}) == ReasonNone {
		t.Error("no address is reached")
	}
}
