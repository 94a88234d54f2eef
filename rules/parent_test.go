// Tests of routes: which parent carries which flow, and that a parent is never a destination.

package rules_test

import (
	"net/netip"
	"strings"
	"testing"

	. "sallyport/rules"
)

// parented has three parents, and clients and rules that choose among them.
const parented = `
[[parent]]
name   = "first"
url    = "http://proxy.corp.example:3128"
direct = ["*.corp.example", "10.9.0.0/16"]
[[parent]]
name    = "second"
url     = "http://10.8.0.1:3128"
default = true
direct  = ["in.second.example"]
[[parent]]
name    = "third"
url     = "https://[2001:db8::1]:3129"
default = true
[[client]]
name     = "usual"
sources  = ["10.1.0.1"]
profiles = ["product"]
[[client]]
name     = "named"
sources  = ["10.1.0.2"]
profiles = ["product"]
parent   = "first"
[[client]]
name     = "without"
sources  = ["10.1.0.3"]
profiles = ["product"]
parent   = "direct"
mode     = "audit"
`

// ruled is a rule of a client.
func ruled(client, keys string) string {
	return "[[rule]]\nid = \"" + client + "\"\nclient = \"" + client + "\"\nto = [\"a.corp.example\", \"10.9.1.1\", \"10.8.0.1\", \"proxy.corp.example\"]\nany = true\nreason = \"T-1\"\n" + keys + "\n"
}

// way describes a route.
func way(d Decision, n Name, addr string) string {
	r := d.Route()
	var a netip.Addr
	if addr != "" {
		a = netip.MustParseAddr(addr)
	}
	if r == nil || r.Direct(n, a) {
		return "direct"
	}
	var names []string
	for _, p := range r.Parents {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

func TestRoutes(t *testing.T) {
	p := compiled(t, parented+ruled("usual", `parent = "first"`)+ruled("named", "")+ruled("without", `parent = ["third", "second"]`), today)
	for _, c := range []struct{ what, from, to, addr, want string }{
		{"the default parents, in order", "10.1.0.1", "www.product.example:443", "", "second, third"},
		{"the client's parent", "10.1.0.2", "www.product.example:443", "", "first"},
		{"a client without", "10.1.0.3", "www.product.example:443", "", "direct"},
		{"a rule names it: its direct list does not count", "10.1.0.1", "a.corp.example:443", "", "first"},
		{"the client names it: its direct list counts", "10.1.0.2", "a.corp.example:443", "", "direct"},
		{"an address of the direct list", "10.1.0.2", "www.product.example:443", "10.9.7.7", "direct"},
		{"another address", "10.1.0.2", "www.product.example:443", "10.10.7.7", "first"},
		{"an address as destination", "10.1.0.2", "10.9.1.1:443", "10.9.1.1", "direct"},
		{"a rule of a client without", "10.1.0.3", "a.corp.example:443", "", "third, second"},
		{"mode audit, no rule: the client's way", "10.1.0.3", "evil.test:443", "", "direct"},
	} {
		a := try(c.from, c.to)
		d := p.Decide(a)
		if !d.Allowed() {
			t.Errorf("%s: %s", c.what, answer(d))
		}
		if got := way(d, a.Target(), c.addr); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	if r := (&Decision{}).Route(); r != nil || !r.Direct(Name{}, netip.Addr{}) || r.ByName() {
		t.Error("the zero Decision has a route")
	}
}

// The first parent is the default if none says so.
func TestFirstParentIsTheDefault(t *testing.T) {
	p := compiled(t, strings.ReplaceAll(parented, "default = true", ""), today)
	a := try("10.1.0.1", "www.product.example:443")
	if got := way(p.Decide(a), a.Target(), ""); got != "first" {
		t.Errorf("route %s", got)
	}
}

// Sallyport is the only client of a parent, whatever the rules are.
func TestParentIsNoDestination(t *testing.T) {
	p := compiled(t, parented+ruled("usual", ""), today)
	for _, c := range []struct{ to, want, hint string }{
		{"10.8.0.1:3128", "deny self near site/usual", "10.8.0.1:3128 is the parent proxy second, which only sallyport uses: nothing to permit; let the client use sallyport"},
		{"proxy.corp.example:3128", "deny self near site/usual", "proxy.corp.example:3128 is the parent proxy first, which only sallyport uses: nothing to permit; let the client use sallyport"},
		{"10.8.0.1:443", "allow site/usual", ""},
		{"proxy.corp.example:443", "allow site/usual", ""},
	} {
		a := try("10.1.0.1", c.to)
		d := p.Decide(a)
		if got := answer(d); got != c.want {
			t.Errorf("%s: %s, want %s", c.to, got, c.want)
		}
		if got := Hint(a, d); got != c.hint {
			t.Errorf("%s: hint %s", c.to, got)
		}
	}
	d := p.Decide(try("10.1.0.1", "a.corp.example:3128"))
	if r := d.Reach(netip.MustParseAddrPort("10.8.0.1:3128")); r != Self {
		t.Errorf("a permitted name at the parent's address: %v", r)
	}
}
