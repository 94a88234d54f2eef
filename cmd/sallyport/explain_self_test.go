// Tests that explain and the gateway deny the same addresses with the reason self: the
// gateway's own listeners, parents and sinks, at every address that leads to them.

package main

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// selfSite listens on every address, and permits the networks that it is in.
const selfSite = `
[listen]
http   = ["0.0.0.0:3128"]
socks5 = ["10.20.30.1:1080"]
dns    = ["[::]:5300"]
admin  = "127.0.0.1:9180"
[[client]]
name     = "lab"
sources  = ["192.0.2.0/24"]
profiles = []
[[rule]]
id     = "net"
client = "lab"
to     = ["0.0.0.0/0", "::/0", "127.0.0.0/8", "10.20.30.0/24", "gw.corp.example", "two.corp.example", "parent.corp.example"]
tcp    = "all"
udp    = "all"
reason = "T-1"
[[parent]]
name = "corporate"
url  = "http://parent.corp.example:3140"
[[sink]]
type = "syslog"
name = "siem"
url  = "tcp://siem.corp.example:6514"
[hosts]
"parent.corp.example" = ["127.0.0.1"]
"siem.corp.example" = ["10.20.30.9"]
"gw.corp.example"  = ["10.20.30.1"]
"two.corp.example" = ["10.20.30.1", "10.20.30.2"]
`

func TestExplainDeniesSelf(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sallyport.toml")
	if err := os.WriteFile(file, []byte(selfSite), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := [][2]string{ // question, first line of the answer
		{"tcp 127.0.0.1 3128", "deny: self"},
		{"tcp ::1 5300", "deny: self"},
		{"udp 127.0.0.1 5300", "deny: self"},
		{"tcp 0.0.0.0 3128", "deny: self"},
		{"tcp 127.0.0.1 9180", "deny: self"},
		{"tcp 10.20.30.1 1080", "deny: self"},
		{"tcp 10.20.30.1 1081", "allow"},
		{"tcp 203.0.113.9 3128", "allow"},
		{"tcp gw.corp.example 1080", "deny: self"},
		{"tcp gw.corp.example 1081", "allow"},
		{"tcp two.corp.example 1080", "allow"}, // by its other address
		{"tcp parent.corp.example 3140", "deny: self"},
		{"tcp 127.0.0.1 3140", "deny: self"},
		{"tcp 127.0.0.2 3140", "deny: self"},
		{"tcp 0.0.0.0 3140", "deny: self"},
		{"tcp gw.corp.example 3140", "deny: self"},
		{"tcp 10.20.30.1 3140", "deny: self"},
		{"tcp 10.20.30.8 3140", "allow"},
		{"tcp 10.20.30.9 6514", "deny: self"},
		{"tcp 127.0.0.1 6514", "allow"}, // the sink is elsewhere
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			t.Fatal(err)
		}
		if ip := p.Addr().WithZone(""); !ip.IsLinkLocalUnicast() {
			for _, port := range []string{"3128", "5300", "3140"} {
				cases = append(cases, [2]string{fmt.Sprintf("tcp %s %s", ip, port), "deny: self"})
			}
		}
	}
	for _, c := range cases {
		var proto, host, port string
		if _, err := fmt.Sscan(c[0], &proto, &host, &port); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		root := newRoot()
		root.SetOut(&out)
		root.SetErr(&out)
		root.SetArgs([]string{"explain", "--config", file, proto, host, port})
		_ = root.Execute()
		if port == "3140" && c[1] != "allow" && !strings.Contains(out.String(), " is the parent proxy corporate, ") && !strings.Contains(out.String(), " leads to the parent proxy corporate at ") {
			t.Errorf("%s: the answer does not name the parent:\n%s", c[0], out.String())
		}
		first, _, _ := bytes.Cut(out.Bytes(), []byte("\n"))
		if string(first) != c[1] {
			t.Errorf("%s: %s, want %s", c[0], first, c[1])
		}
	}
}
