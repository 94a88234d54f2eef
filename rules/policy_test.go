// What the tests of decisions share: a document, a site, and attempts on it.

package rules

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// product is a document with one row of each kind.
const product = `
name    = "product"
product = "A product"
roles   = ["manager", "agent"]
binds   = ["syslog"]
[document]
title   = "Requirements"
version = "01"
[[feature]]
name    = "cloud"
[[feature]]
name    = "guardian"
[[port]]
name    = "upgrade"
default = 4430
[[rule]]
id = "web"
from = "manager"
to = ["www.product.example"]
tcp = [80, 443]
purpose = "p"
section = "1"
[[rule]]
id = "cloud"
from = "manager"
to = ["cloud.product.example"]
tcp = [443]
when = ["cloud"]
purpose = "p"
section = "1"
[[rule]]
id = "guarded"
from = "manager"
to = ["guarded.product.example"]
tcp = [443]
when = ["cloud", "guardian"]
purpose = "p"
section = "1"
[[rule]]
id = "old"
from = "manager"
to = ["old.product.example"]
tcp = [443]
until = "6.0.4"
purpose = "p"
section = "1"
[[rule]]
id = "new"
from = "manager"
to = ["new.product.example"]
tcp = [443]
since = "6.0.4"
purpose = "p"
section = "1"
[[rule]]
id = "address"
from = "manager"
to = ["121.46.26.221", "update.product.example"]
tcp = [80, 443, 8080]
udp = [53]
purpose = "p"
section = "2"
[[rule]]
id = "anything"
from = "manager"
to = ["13.94.16.103", "any.product.example"]
any = true
purpose = "p"
section = "2"
[[rule]]
id = "time"
from = "manager"
to = ["time.product.example"]
udp = [123]
purpose = "p"
section = "2"
[[rule]]
id = "cdn"
from = "manager"
to = ["*.cdn.product.example"]
tcp = [443]
purpose = "p"
section = "2"
[[rule]]
id = "ssh"
from = "manager"
to = ["ssh.product.example"]
tcp = [22, 8443]
purpose = "p"
section = "2"
[[rule]]
id = "agent-web"
from = "agent"
to = ["agents.product.example"]
tcp = [443]
purpose = "p"
section = "3"
[[rule]]
id = "agent-manager"
from = "agent"
to = ["role:manager"]
tcp = [443, "upgrade"]
purpose = "p"
section = "3"
[[rule]]
id = "logs"
from = "manager"
to = ["role:syslog"]
udp = [514]
purpose = "p"
section = "3"
[[rule]]
id = "loop"
from = "manager"
to = ["loop.product.example"]
tcp = [8765]
local = true
purpose = "p"
section = "3"
`

const another = `
name  = "another"
roles = ["client"]
[document]
title = "Another"
[[rule]]
id = "live"
from = "client"
to = ["live.another.example"]
tcp = [443]
purpose = "p"
section = "9"
`

// site has a manager, an agent, a host without profiles, one of each mode.
const site = `
[[client]]
name     = "mgr"
sources  = ["10.1.0.1"]
profiles = ["product"]
[[client]]
name     = "agent"
sources  = ["10.1.0.2"]
profiles = ["product"]
role     = "agent"
ports    = { upgrade = 4431 }
[client.addresses]
manager  = ["10.20.30.40", "manager.corp.example"]
[[client]]
name     = "cloudy"
sources  = ["10.1.0.3"]
profiles = ["product"]
features = ["cloud"]
version  = "6.0.3"
[[client]]
name     = "audited"
sources  = ["10.1.0.4"]
profiles = ["product"]
mode     = "audit"
[[client]]
name     = "whole-net"
sources  = ["10.1.0.0/24", "fd00:1::/64"]
profiles = []
[[client]]
name     = "guarded"
sources  = ["10.2.0.1"]
profiles = ["product"]
features = ["cloud", "guardian"]
version  = "6.0.10"
[[client]]
name     = "unbound-agent"
sources  = ["10.2.0.2"]
profiles = ["product"]
role     = "agent"
[[rule]]
id     = "wsus"
client = "mgr"
to     = ["wsus.corp.example", "10.9.0.0/24"]
tcp    = [8530, 443]
reason = "INC-1"
[[rule]]
id     = "mirror"
client = "mgr"
to     = ["mirror.corp.example"]
tcp    = [443]
reason = "INC-2"
[[rule]]
id     = "inside"
client = "mgr"
to     = ["update.product.example", "10.66.0.0/16"]
tcp    = [443]
reason = "INC-7"
[[rule]]
id      = "short"
client  = "mgr"
to      = ["short.site.example"]
tcp     = [443]
reason  = "INC-3"
expires = 2027-06-30
[[rule]]
id      = "gone"
client  = "mgr"
to      = ["gone.site.example"]
tcp     = [443]
reason  = "INC-4"
expires = 2026-01-31
[[rule]]
id      = "gone-audited"
client  = "audited"
to      = ["gone.site.example"]
tcp     = [443]
reason  = "INC-5"
expires = 2026-01-31
[[rule]]
id     = "everything6"
client = "whole-net"
to     = ["::/0"]
tcp    = "all"
reason = "INC-6"
[[rule]]
id     = "everything4"
client = "whole-net"
to     = ["0.0.0.0/0"]
any    = true
reason = "INC-6"
[[dns.zone]]
suffix    = "corp.example"
upstreams = ["udp://10.0.0.53"]
[resolve]
private = ["10.77.0.0/16"]
`

var today = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func testProfiles(t testing.TB) []*Profile {
	t.Helper()
	var out []*Profile
	for _, text := range []string{product, another} {
		p, err := ParseProfile("profile.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// compiled returns the policy of a configuration without errors.
func compiled(t testing.TB, text string, now time.Time) *Policy {
	t.Helper()
	c, problems := ParseConfig("sallyport.toml", "", []byte(text), testProfiles(t))
	if c == nil {
		t.Fatal(problems)
	}
	p, _ := Compile(c, testOwn(), now)
	return p
}

// testOwn has a listener on one address, and one on every address of a host
// that also is 10.1.0.254.
func testOwn() Own {
	return Own{
		Listeners: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:3128"), netip.MustParseAddrPort("[::]:9180")},
		Local:     func(a netip.Addr) bool { return a == netip.MustParseAddr("10.1.0.254") },
	}
}

// try begins an attempt by CONNECT: who, and "host:port", a name or address.
func try(client, target string) Attempt {
	at, err := ParseAuthority(target, 0)
	if err != nil {
		panic(target + ": " + err.Error())
	}
	return Attempt{
		Via: Connect, Proto: TCPProto, Client: netip.AddrPortFrom(netip.MustParseAddr(client), 40000),
		Authority: at.Name, Dest: netip.AddrPortFrom(at.Addr, at.Port), Provisional: true,
	}
}

// The rest of an attempt: what happened after CONNECT.

func (a Attempt) udp() Attempt { a.Via, a.Proto = UDP, UDPProto; return a }

func (a Attempt) tls(sni string) Attempt {
	a.Provisional, a.Shown = false, ShownTLS
	if sni != "" {
		a.SNI = mustName(sni)
	}
	return a
}

// http shows a request head whose Host header is "host:port"; "": it has none.
func (a Attempt) http(host string) Attempt {
	a.Provisional, a.Shown = false, ShownHTTP
	if host != "" {
		at, err := ParseAuthority(host, 80)
		if err != nil {
			panic(err)
		}
		a.Host, a.HostAddr, a.HostPort = at.Name, at.Addr, at.Port
	}
	return a
}

func (a Attempt) shows(s Shown) Attempt { a.Provisional, a.Shown = false, s; return a }

func (a Attempt) faulty(r Reason) Attempt { a.Provisional, a.Fault = false, r; return a }

// dials says which address the name resolved to.
func (a Attempt) dials(addr string) Attempt {
	a.Dest = netip.AddrPortFrom(netip.MustParseAddr(addr), a.Dest.Port())
	return a
}

// redirected is an attempt by a transparent listener: no authority.
func redirected(client, original string) Attempt {
	a := try(client, original)
	a.Via, a.Original = Transparent, a.Dest
	return a
}

// asks is a DNS question.
func asks(client, name string, qtype uint16) Attempt {
	return Attempt{Via: DNS, Proto: UDPProto, Client: netip.AddrPortFrom(netip.MustParseAddr(client), 40000), Authority: mustName(name), QType: qtype}
}

func ruleText(r *Rule) string {
	if r == nil {
		return ""
	}
	return r.String()
}

// decisionCase is one line of a table: what happened, and all of the answer.
type decisionCase struct {
	what    string
	attempt Attempt
	want    string // "allow profile/id", or "deny reason", or "would_deny reason"; then " near profile/id"
}

func answer(d Decision) string {
	s := d.Text()
	if r := d.Why(); r != ReasonNone {
		s += " " + r.String()
	}
	if d.Rule != nil {
		s += " " + ruleText(d.Rule)
	}
	if d.Nearest != nil {
		s += " near " + ruleText(d.Nearest)
	}
	return s
}

func checkDecisions(t *testing.T, p *Policy, cases []decisionCase) {
	t.Helper()
	for _, c := range cases {
		d := p.Decide(c.attempt)
		if got := answer(d); got != c.want {
			t.Errorf("%s: %s; want %s", c.what, got, c.want)
		}
		if d.Allowed() != strings.HasPrefix(c.want, "allow") && !d.Would {
			t.Errorf("%s: allowed %v", c.what, d.Allowed())
		}
		if hint := Hint(c.attempt, d); (hint == "") != strings.HasPrefix(c.want, "allow") {
			t.Errorf("%s: hint %q", c.what, hint)
		}
	}
}
