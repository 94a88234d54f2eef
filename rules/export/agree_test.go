// Agreement: what a PAC script and a response policy zone answer is what the policy
// decides. The other formats are asked by their own programs, end to end.

package export

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/robertkrimen/otto"

	"sallyport/rules"
)

// proxyFor runs a PAC script as a browser does. The interpreter knows the ECMAScript 5 that
// also the oldest clients know.
func proxyFor(t *testing.T, script string) func(url, host string) string {
	t.Helper()
	vm := otto.New()
	if _, err := vm.Run(script); err != nil {
		t.Fatal(err)
	}
	return func(url, host string) string {
		found, err := vm.Call("FindProxyForURL", nil, url, host)
		if err != nil {
			t.Fatal(err)
		}
		return found.String()
	}
}

func TestPACAgreesWithThePolicy(t *testing.T) {
	_, compiled := madeSite(t)
	script, _ := written(t, PAC, server(t), Options{Proxy: "proxy.corp.example:3128"})
	find := proxyFor(t, script)
	permitted := 0
	for _, host := range hosts {
		for _, port := range ports {
			shown := host
			if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
				shown = "[" + host + "]"
			}
			want := "PROXY 127.0.0.1:9"
			if decide(t, compiled, rules.ViaConnect, rules.TCP, host, port) {
				want = "PROXY proxy.corp.example:3128"
				permitted++
			}
			for _, h := range []string{host, strings.ToUpper(host), shown} {
				if got := find(fmt.Sprintf("https://%s:%d/", shown, port), h); got != want {
					t.Errorf("%s port %d: %s, want %s", h, port, got, want)
				}
			}
		}
	}
	if permitted < 50 {
		t.Errorf("only %d questions are permitted", permitted)
	}
}

func TestPACReadsURLs(t *testing.T) {
	script, _ := written(t, PAC, server(t), Options{})
	find := proxyFor(t, script)
	const yes, no, host = "DIRECT", "PROXY 127.0.0.1:9", "update.vendor.example"
	for _, c := range []struct{ url, host, want string }{
		{"http://update.vendor.example/", host, yes}, {"https://update.vendor.example", host, yes}, {"wss://update.vendor.example/x", host, yes},
		{"https://update.vendor.example./", host + ".", yes}, {"https://update.vendor.example../", host + "..", no},
		{"ftp://update.vendor.example:443/", host, no}, {"https://update.vendor.example:444/", host, no}, {"nonsense", host, no},
		{"https://u:8443@update.vendor.example/", host, yes}, {"https://update.vendor.example/:444@x", host, yes},
		{"https://evil.example/#@update.vendor.example", "evil.example", no}, {"https://198.18.007.7/", "198.18.007.7", no}, {"https://1::2::3/", "1::2::3", no},
	} {
		if got := find(c.url, c.host); got != c.want {
			t.Errorf("%s: %s, want %s", c.url, got, c.want)
		}
	}
}

// zoneAnswer looks a name up in a zone, as RFC 1034 and RFC 4592 say: the wildcard at the
// deepest name that exists. It returns the target of the CNAME, "" if there is no record.
func zoneAnswer(records map[string]string, exists map[string]bool, name, origin string) string {
	owner := dns.Fqdn(name) + origin
	if target, ok := records[owner]; ok {
		return target
	}
	if exists[owner] {
		return ""
	}
	for off, end := dns.NextLabel(owner, 0); !end; off, end = dns.NextLabel(owner, off) {
		if exists[owner[off:]] {
			return records["*."+owner[off:]]
		}
	}
	return ""
}

func TestRPZAgreesWithThePolicy(t *testing.T) {
	_, compiled := madeSite(t)
	text, _ := written(t, RPZ, server(t), Options{})
	records, exists := map[string]string{}, map[string]bool{}
	parser := dns.NewZoneParser(strings.NewReader(text), "", "")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		owner := rr.Header().Name
		if c, is := rr.(*dns.CNAME); is {
			if records[owner] != "" {
				t.Errorf("%s has two CNAME records", owner)
			}
			records[owner] = c.Target
		}
		for off, end := 0, false; !end; off, end = dns.NextLabel(owner, off) {
			exists[owner[off:]] = true
		}
	}
	if err := parser.Err(); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, host := range hosts {
		if _, err := netip.ParseAddr(host); err == nil {
			continue
		}
		asked++
		want := map[bool]string{true: "rpz-passthru.", false: "."}[decide(t, compiled, rules.ViaDNS, rules.UDP, host, 0)]
		if got := zoneAnswer(records, exists, host, zoneName+"."); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	if asked < 25 {
		t.Errorf("only %d names", asked)
	}
}
