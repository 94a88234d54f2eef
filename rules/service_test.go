// Tests that no client reaches a parent or a sink by any address that leads to it: of its name, and
// of this host if it is here.

package rules_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	. "sallyport/rules"
	"sallyport/rules/site"
)

// services has parents and sinks with names: in [hosts] on this host and elsewhere, and known by look-ups
// only. The client may reach everything.
const services = `
[resolve]
nat64 = ["64:ff9b::/96", "2001:db8:64::/96"]
[dns]
upstreams = ["udp://192.0.2.53"]
[[parent]]
name = "here"
url  = "http://here.corp.example:3140"
[[parent]]
name = "there"
url  = "socks5://there.corp.example:3141"
[[parent]]
name = "found"
url  = "https://found.corp.example:443"
[[parent]]
name = "bridged"
url  = "http://[64:ff9b::10.8.0.9]:3143"
[[sink]]
type = "syslog"
name = "siem"
url  = "tls://siem.corp.example:6514"
[[sink]]
type = "syslog"
name = "collector"
url  = "udp://collector.corp.example:514"
[hosts]
"here.corp.example"  = ["127.0.0.1"]
"siem.corp.example"  = ["10.9.9.9"]
"there.corp.example" = ["10.8.0.1", "fd99::1"]
"alias.example"      = ["10.9.9.9", "10.8.0.1"]
[[client]]
name     = "all"
sources  = ["10.1.0.1"]
profiles = []
[[rule]]
id     = "all"
client = "all"
to     = ["0.0.0.0/0", "::/0", "fe80::/10", "ff00::/8", "224.0.0.0/4", "127.0.0.0/8", "10.0.0.0/8", "fd99::/16", "*.corp.example", "alias.example", "other.example"]
any    = true
reason = "T-1"
`

// host is a host with addresses that a test may change.
type host struct {
	addrs map[netip.Addr]bool
	found *Found
	p     *Policy
}

func newHost(t testing.TB, addrs ...string) *host {
	t.Helper()
	c, problems := site.Parse("sallyport.toml", site.Disk{}, []byte(services), nil)
	if c == nil {
		t.Fatal(problems)
	}
	h := &host{map[netip.Addr]bool{}, new(Found), nil}
	h.has(addrs...)
	h.p, _ = Compile(&c.Spec, Own{Local: func(a netip.Addr) bool { return h.addrs[a] }, Found: h.found}, today)
	return h
}

func (h *host) has(addrs ...string) {
	for _, a := range addrs {
		h.addrs[netip.MustParseAddr(a)] = true
	}
}

func addrsOf(texts ...string) (out []netip.Addr) {
	for _, text := range texts {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}

// reaches asks about an address: in a CONNECT, in a redirected connection, in datagrams, and as the address that a name
// resolved to. It returns the reason and the service that the hint names.
func (h *host) reaches(t *testing.T, dest string) string {
	t.Helper()
	to := netip.MustParseAddrPort(dest)
	plain := try("10.1.0.1", "x.example:1")
	plain.Authority, plain.Dest = Name{}, to
	transparent := plain
	transparent.Via, transparent.Original = ViaTransparent, to
	datagram := plain
	datagram.Via, datagram.Proto, datagram.SourceProven = ViaSOCKS5, UDP, true
	named := plain
	named.Authority = MustName("other.example")
	var all []string
	for _, a := range []Attempt{plain, transparent, datagram, named} {
		if !a.Authority.IsZero() && (to.Addr().Is4In6() || to.Addr().Zone() != "") {
			continue // no name resolves to such an address
		}
		d := h.p.Decide(a)
		one := "open"
		if d.Why() == Self {
			_, one, _ = strings.Cut(Hint(a, d), " the ")
			one, _, _ = strings.Cut(one, ",")
			one, _, _ = strings.Cut(one, " at ")
		} else if !d.Allowed() {
			one = d.Why().String()
		}
		if len(all) == 0 || all[len(all)-1] != one {
			all = append(all, one)
		}
	}
	return strings.Join(all, ", ")
}

func TestServicesAreNoDestinations(t *testing.T) {
	h := newHost(t, "10.9.9.9", "10.20.30.1", "2001:db8::9", "fe80::9", "2002:a09:909::1")
	const here, there, bridged = "parent proxy here", "parent proxy there", "parent proxy bridged"
	for dest, want := range map[string]string{
		// A parent on this host: every address of this host.
		"127.0.0.1:3140": here, "127.0.0.2:3140": here, "127.255.0.1:3140": here, "[::1]:3140": here, "0.0.0.0:3140": here,
		"10.9.9.9:3140": here, "10.20.30.1:3140": here, "[2001:db8::9]:3140": here, "[fe80::9]:3140": here, "[fe80::9%eth0]:3140": here,
		"[::ffff:127.0.0.1]:3140": here, "[::ffff:10.9.9.9]:3140": here, "[64:ff9b::10.9.9.9]:3140": here, "[2001:db8:64::10.9.9.9]:3140": here,
		"[2002:a09:909::1]:3140": here, "224.0.0.1:3140": here, "[ff02::1]:3140": here,
		"127.0.0.1:3139": "open", "10.9.9.9:3139": "open", "10.9.9.8:3140": "open", "[2001:db8::8]:3140": "open",
		// A parent elsewhere: its addresses, and this host is open.
		"10.8.0.1:3141": there, "[fd99::1]:3141": there, "[::ffff:10.8.0.1]:3141": there, "[64:ff9b::10.8.0.1]:3141": there,
		"10.8.0.2:3141": "open", "127.0.0.1:3141": "open", "10.9.9.9:3141": "open", "224.0.0.1:3141": "open", "10.8.0.1:3142": "open",
		// A parent behind a translator has its IPv4 address too.
		"[64:ff9b::10.8.0.9]:3143": bridged, "10.8.0.9:3143": bridged, "10.8.0.8:3143": "open",
		// A sink on this host, and one whose address is not known.
		"10.9.9.9:6514": "sink siem", "127.0.0.1:6514": "sink siem", "[2001:db8::9]:6514": "sink siem", "10.9.9.8:6514": "open",
		"10.9.9.9:514": "open", "10.9.9.9:443": "open",
	} {
		if got := h.reaches(t, dest); got != want {
			t.Errorf("%s: %s, want %s", dest, got, want)
		}
	}
}

// What the name of a service led to: from when it is found, beside the addresses that it had before,
// and for every policy of the process.
func TestFoundServices(t *testing.T) {
	h := newHost(t, "10.9.9.9", "10.20.30.1")
	expect := func(what string, want map[string]string) {
		t.Helper()
		for dest, want := range want {
			if got := h.reaches(t, dest); got != want {
				t.Errorf("%s: %s: %s, want %s", what, dest, got, want)
			}
		}
	}
	const found, collector = "parent proxy found", "sink collector"
	parent, sink := MustName("found.corp.example"), MustName("collector.corp.example")
	expect("before", map[string]string{"10.8.0.5:443": "open", "10.9.9.9:443": "open", "10.9.9.9:514": "open"})

	h.found.Remember(parent, addrsOf("10.8.0.5"), today)
	expect("elsewhere", map[string]string{"10.8.0.5:443": found, "10.8.0.5:444": "open", "10.9.9.9:443": "open", "10.8.0.5:514": "open"})
	h.has("10.8.0.5")
	expect("an address that this host gets later", map[string]string{"10.8.0.5:443": found, "10.9.9.9:443": found, "127.0.0.1:443": found, "10.8.0.6:443": "open"})
	delete(h.addrs, netip.MustParseAddr("10.8.0.5"))
	expect("and loses again", map[string]string{"10.8.0.5:443": found, "10.9.9.9:443": "open"})

	h.found.Remember(parent, addrsOf("::ffff:10.20.30.1"), today.Add(50*time.Minute))
	expect("another address, which is here", map[string]string{"10.8.0.5:443": found, "10.20.30.1:443": found, "10.9.9.9:443": found})
	h.found.Remember(sink, addrsOf("64:ff9b::10.9.9.9"), today.Add(50*time.Minute))
	expect("a sink through a translator back to here", map[string]string{"10.9.9.9:514": collector, "127.0.0.9:514": collector, "10.8.0.5:514": "open"})
	h.found.Remember(parent, addrsOf("10.20.30.1"), today.Add(61*time.Minute))
	expect("an hour after the first address was seen last", map[string]string{"10.8.0.5:443": "open", "10.20.30.1:443": found})
	if n := h.found.Growth(); n != 3 {
		t.Errorf("%d addresses were added", n)
	}
	h.found.Remember(parent, addrsOf("10.20.30.1"), today.Add(61*time.Minute))
	h.found.Remember(Name{}, addrsOf("10.1.1.1"), today)
	if n := h.found.Growth(); n != 3 {
		t.Errorf("known addresses, and an address without a name, were added: %d", n)
	}
	many := netip.MustParseAddr("10.66.0.0")
	for range 2000 {
		many = many.Next()
		h.found.Remember(parent, []netip.Addr{many}, today.Add(62*time.Minute))
	}
	expect("the latest of many", map[string]string{many.String() + ":443": found, "10.66.0.1:443": "open", "10.9.9.9:514": collector})

	var none *Found
	none.Remember(parent, addrsOf("10.8.0.5"), today)
	if none.Growth() != 0 {
		t.Error("a nil Found grows")
	}
}

// The hint names the service, and what leads to it.
func TestHintOfServices(t *testing.T) {
	h := newHost(t, "10.9.9.9")
	for _, c := range []struct{ to, addr, want string }{
		{"here.corp.example:3140", "", "here.corp.example:3140 is the parent proxy here, which only sallyport uses: nothing to permit; let the client use sallyport"},
		{"10.9.9.9:3140", "", "10.9.9.9:3140 is the parent proxy here, which only sallyport uses: nothing to permit; let the client use sallyport"},
		{"alias.example:3140", "10.9.9.9", "alias.example leads to the parent proxy here at 10.9.9.9:3140, which only sallyport uses: nothing to permit; let the client use sallyport"},
		{"siem.corp.example:6514", "", "siem.corp.example:6514 is the sink siem, to which only sallyport sends its records: nothing to permit"},
		{"127.0.0.2:6514", "", "127.0.0.2:6514 is the sink siem, to which only sallyport sends its records: nothing to permit"},
	} {
		a := try("10.1.0.1", c.to)
		if c.addr != "" {
			a = a.Dials(c.addr)
		}
		if d := h.p.Decide(a); d.Why() != Self || Hint(a, d) != c.want {
			t.Errorf("%s: %s: %s", c.to, d.Why(), Hint(a, d))
		}
	}
}

// The comparison with names costs no allocation, wherever the destination is.
func TestServicesAllocateNothing(t *testing.T) {
	h := newHost(t, "10.9.9.9")
	for i := range 20 {
		h.found.Remember(MustName("found.corp.example"), addrsOf(fmt.Sprint("10.8.1.", i)), today)
	}
	for _, to := range []string{"198.41.0.4:443", "10.8.1.1:443", "10.9.9.9:443", "10.9.9.9:3140"} {
		a := try("10.1.0.1", to)
		if n := testing.AllocsPerRun(100, func() { d := h.p.Decide(a); d.Reach(a.Dest) }); n != 0 {
			t.Errorf("%s: %v allocations", to, n)
		}
	}
}
