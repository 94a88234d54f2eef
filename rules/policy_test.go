// What the tests of decisions share: a document and a site.

package rules

import (
	"net/netip"
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
