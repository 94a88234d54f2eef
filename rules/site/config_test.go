// Configurations: which texts are refused, with which message and line.

package site

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sallyport/rules"
)

// problemsOf reads and compiles a configuration, and returns every problem.
func problemsOf(t *testing.T, text string) []string {
	t.Helper()
	c, problems := Parse("site.toml", Disk{}, []byte(text), testProfiles(t))
	if (c == nil) != (problems.Err() != nil) {
		t.Errorf("a configuration with an error, or none without: %v", problems)
	}
	if c != nil {
		_, more := rules.Compile(&c.Spec, testOwn(), today)
		problems = append(problems, more...)
	}
	var out []string
	for _, p := range problems {
		// See TestUnboundRolesAreWarnedOf and TestSettingsWithoutEffect.
		if !strings.Contains(p.Text, "not bound: ") && !withoutEffect(p) {
			out = append(out, p.String())
		}
	}
	return out
}

// one is a correct client of five lines.
const one = `[[client]]
name     = "one"
sources  = ["10.0.0.1"]
profiles = ["product"]
`

// reasoned is a rule with a reason on its sixth line.
func reasoned(reason string) string {
	return "[[rule]]\nid = \"a\"\nclient = \"one\"\nto = [\"a.site.example\"]\ntcp = [443]\nreason = \"" + reason + "\"\n"
}

func TestConfigRefusals(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"nothing", "", "site.toml: warning: no [[client]]: every request is denied as unknown_client"},
		{"one client", one, ""},
		{"balancers", one + "[listen]\nproxy_protocol_from = [\"10.0.9.2\", \"fd00:9::/120\"]\n", ""},
		{"a balancer by name", one + "[listen]\nproxy_protocol_from = [\"lb.corp.example\"]\n", `site.toml:6: proxy_protocol_from: "lb.corp.example" is not an address or a prefix like "10.0.0.0/8"`},
		{"everyone is a balancer", one + "[listen]\nproxy_protocol_from = [\"0.0.0.0/0\"]\n", `site.toml:6: proxy_protocol_from: 0.0.0.0/0 is the whole IPv4 Internet: every host could pose as any client, by a header that it writes itself; list only the addresses of the balancers`},
		{"a balancer that is no host", one + "[listen]\nproxy_protocol_from = [\"224.0.0.0/8\"]\n", `site.toml:6: proxy_protocol_from: 224.0.0.0/8 is never the source of a packet: these are multicast addresses (RFC 5771)`},
		{"a client among the balancers", one + "[listen]\nproxy_protocol_from = [\"10.0.0.0/24\"]\n", `site.toml:6: warning: proxy_protocol_from: 10.0.0.0/24 contains addresses of client "one" (10.0.0.1/32): connections from there must begin with a PROXY header, and a client there can pose as any other; list only the addresses of the balancers`},

		{"a reason that was not filled in", one + reasoned("FILL IN: ticket and why one needs it (denied 3 times as not_listed until 2026-11-22)"),
			`site.toml:10: reason: "FILL IN: ticket and why one needs it (denied 3 times as not_listed until 2026-11-22)" is still a placeholder: say why the site needs the rule, like a ticket number, or delete the rule`},
		{"a reason to be done", one + reasoned("TODO ask Jo"), `site.toml:10: warning: reason: "TODO ask Jo" is still a placeholder: say why the site needs the rule, like a ticket number, or delete the rule`},
		{"only that", one + reasoned("todo"), `site.toml:10: warning: reason: "todo" is still a placeholder: say why the site needs the rule, like a ticket number, or delete the rule`},
		{"a reason that only sounds alike", one + reasoned("mastodon, to fill in for todo.example"), ""},
		{"a key of the whole file, appended", one + "[journal]\npath = \"j\"\nmode = \"audit\"\n", `site.toml:7: unknown key "mode": it belongs to the top of the file: move it above the first [table]`},
		{"unknown key", "modus = \"audit\"\n" + one, `site.toml:1: unknown key "modus": did you mean "mode"?`},
		{"unknown key, nothing near", one + "[journal]\ncompression = true\n", `site.toml:6: unknown key "compression": known here: flows, max_age_days, max_size_mib, path, required`},
		{"case twin", "[LISTEN]\nhttp = []\n" + one, `site.toml:1: unknown key "LISTEN": did you mean "listen"?`},
		{"case twin beside the key", "[listen]\nhttp = []\nHTTP = []\n" + one, `site.toml:3: unknown key "HTTP": did you mean "http"?`},
		{"unknown table", one + "[proxy]\nport = 1\n", `site.toml:5: unknown key "proxy": known here: admin, client, dns, ech, expect, hosts, journal, known, limits, listen, mode, parent, process, profiles, resolve, rule, sink, strict_destination`},
		{"wrong type", "mode = 1\n" + one, `site.toml:1: mode: must be a string, not a whole number`},
		{"wrong type of a flag", "strict_destination = \"yes\"\n" + one, `site.toml:1: strict_destination: must be true or false, not a string`},
		{"wrong type of a list", "[listen]\nhttp = \"127.0.0.1:3128\"\n" + one, `site.toml:2: http: must be a list of strings, not a string`},
		{"wrong type in a list", "[listen]\nhttp = [3128]\n" + one, `site.toml:2: http: must be a list of strings, but contains a whole number in it`},
		{"wrong type of a table", "listen = 1\n" + one, `site.toml:1: listen: must be a table, not a whole number`},
		{"[client] for [[client]]", "[client]\nname = \"x\"\n", "site.toml: warning: no [[client]]: every request is denied as unknown_client\nsite.toml:1: client: must be written as [[client]]"},
		{"not one of the modes", "mode = \"monitor\"\n" + one, `site.toml:1: mode: "monitor" is not one of "enforce", "audit"`},
		{"not one of ech", "ech = \"drop\"\n" + one, `site.toml:1: ech: "drop" is not one of "outer", "deny"`},
		{"syntax", "mode = \n" + one, `site.toml:1: mode: has no value: write one behind the =, or remove the line`},
		{"duplicate key", "mode = \"audit\"\nmode = \"enforce\"\n", `site.toml:2: mode: is on line 1 already: keep one of the two`},
		{"duplicate table", "[dns]\n[dns]\n", `site.toml:2: [dns] is on line 1 already: put these keys below line 1`},

		{"address without a port", "[listen]\nhttp = [\n  \"127.0.0.1:3128\",\n  \"127.0.0.1\", # here\n]\n" + one, `site.toml:4: http: "127.0.0.1" is not address:port, like "127.0.0.1:3128" or "[::1]:3128"`},
		{"listen on a name", "[listen]\ndns = [\"localhost:53\"]\n" + one, `site.toml:2: dns: "localhost:53" is a name; give the address, like "127.0.0.1:53"`},
		{"one address twice", "[listen]\nhttp = [\"127.0.0.1:1\"]\nsocks5 = [\"127.0.0.1:1\"]\n" + one, `site.toml:3: socks5: 127.0.0.1:1 is already used by http: every listener needs an address of its own`},
		{"admin where the proxy is", "[listen]\nhttp = [\"127.0.0.1:1\"]\nadmin = \"127.0.0.1:1\"\n" + one, `site.toml:3: admin: 127.0.0.1:1 is already used by http: every listener needs an address of its own`},
		{"any port, twice", "[listen]\nhttp = [\"127.0.0.1:0\"]\nsocks5 = [\"127.0.0.1:0\"]\n" + one, ""},
		{"admin nowhere", "[listen]\nadmin = \"here\"\n" + one, `site.toml:2: admin: "here" is neither address:port nor "unix:" and a path`},
		{"admin on a network", "[listen]\nadmin = \"0.0.0.0:9180\"\n" + one, `site.toml:2: admin: 0.0.0.0:9180 is not loopback: set [admin] token_file, tls_cert and tls_key, or listen on 127.0.0.1 or unix:path`},
		{"admin on a network with a token only", "[listen]\nadmin = \"10.0.0.1:9180\"\n[admin]\ntoken_file = \"t\"\n" + one, `site.toml:2: admin: 10.0.0.1:9180 is not loopback: set [admin] token_file, tls_cert and tls_key, or listen on 127.0.0.1 or unix:path`},
		{"admin on a network with all", "[listen]\nadmin = \"10.0.0.1:9180\"\n[admin]\ntoken_file = \"t\"\ntls_cert = \"c\"\ntls_key = \"k\"\n" + one, ""},
		{"half a certificate", "[admin]\ntls_cert = \"c\"\n" + one, `site.toml:1: admin: set both tls_cert and tls_key, or neither`},

		{"unknown profile", "[[client]]\nname = \"x\"\nsources = [\"10.0.0.1\"]\nprofiles = [\n  \"another\",\n  \"windows\",\n]\n", `site.toml:6: unknown profile "windows"; the profiles are "product", "another"`},
		{"profile misspelt", "[[client]]\nname = \"x\"\nsources = [\"10.0.0.1\"]\nprofiles = [\"pruduct\"]\n", `site.toml:4: unknown profile "pruduct": did you mean "product"?`},
		{"role misspelt", one + "role = \"manger\"\n", `site.toml:5: role: "manger" is not a role of product: did you mean "manager"?`},
		{"feature misspelt", one + "features = [\"clod\"]\n", `site.toml:5: features: "clod" is not a feature of product: did you mean "cloud"?`},
		{"unknown role", one + "role = \"boss\"\n", `site.toml:5: role: "boss" is not a role of product; its roles are "manager", "agent"`},
		{"unknown feature", one + "features = [\"cloud\", \"rain\"]\n", `site.toml:5: features: "rain" is not a feature of product; its features are "cloud", "guardian"`},
		{"feature of a profile without", "[[client]]\nname = \"x\"\nsources = [\"10.0.0.1\"]\nprofiles = [\"another\"]\nfeatures = [\"rain\"]\n", `site.toml:5: features: "rain" is not a feature of another; it has no features`},
		{"unknown configurable port", one + "ports = { download = 1 }\n", `site.toml:5: ports: "download" is not a configurable port of product; its ports are "upgrade"`},
		{"configurable port out of range", one + "ports = { upgrade = 65536 }\n", `site.toml:5: upgrade: 65536 is not from 1 to 65535`},
		{"no version", one + "version = \"new\"\n", `site.toml:5: version: "new" is not a version: write a version as "6.0.4", "14 MP2" (maintenance patch), "14.3 RU5" (release update), "14 RU1 MP2" or "14.3 RU10 Patch 1"`},
		{"client without a name", "[[client]]\nsources = [\"10.0.0.1\"]\nprofiles = []\n", `site.toml:1: name: "" is not a client name: letters, digits, dots and hyphens`},
		{"one name twice", one + strings.ReplaceAll(one, "10.0.0.1", "10.0.0.2"), `site.toml:6: name: "one" is already used on line 1`},
		{"no sources", "[[client]]\nname = \"x\"\nprofiles = []\n", "site.toml:1: client \"x\": sources is missing: list the addresses that the client connects from, like [\"10.1.2.3\"]"},
		{"a name for a source", "[[client]]\nname = \"x\"\nsources = [\"10.0.0.1\", \"host.example\"]\nprofiles = []\n", `site.toml:3: sources: "host.example" is not an address or a prefix like "10.0.0.0/8"`},
		{"bits behind the length", "[[client]]\nname = \"x\"\nsources = [\"10.0.0.1/24\", \"10.0.0.0/24\"]\nprofiles = []\n", `site.toml:3: sources: "10.0.0.1/24" has bits set after its prefix length: write "10.0.0.0/24" or "10.0.0.1"`},
		{"a network without its length", "[[client]]\nname = \"x\"\nsources = [\n  \"10.0.0.1\",\n  \"10.0.7.0\",\n  \"10.0.8.0/32\",\n]\nprofiles = []\n",
			`site.toml:5: warning: sources: "10.0.7.0" is a single address, but looks like a network: write "10.0.7.0/24" (or the right prefix length) for the network, or "10.0.7.0/32" for this address alone`},
		{"no profiles", "[[client]]\nname = \"x\"\nsources = [\"10.0.0.1\"]\n", `site.toml:1: client "x": profiles is missing: list profiles, or write profiles = [] for a client that has site rules only`},
		{"can never match", "[[client]]\nname = \"net\"\nsources = [\"10.0.0.0/8\"]\nprofiles = []\n" + one, `site.toml:7: sources: can never match: client "net" above already has all of these addresses`},
		{"can match in part", "[[client]]\nname = \"net\"\nsources = [\"10.0.0.0/24\"]\nprofiles = []\n" + strings.ReplaceAll(one, `"10.0.0.1"`, `"10.0.0.1", "10.0.1.1"`), ""},
		{"a role beside two profiles", "[[client]]\nname = \"x\"\nsources = [\"10.0.0.1\"]\nprofiles = [\"product\", \"another\"]\nrole = \"client\"\n", `role: belongs to one profile: list exactly one profile in profiles, or use [[client.profile]]`},
		{"both ways of profiles", one + "[[client.profile]]\nname = \"another\"\n", `site.toml:5: client "one" has profiles already: use either profiles or [[client.profile]]`},
		{"one profile twice", one[:strings.Index(one, "profiles")] + "[[client.profile]]\nname = \"another\"\n[[client.profile]]\nname = \"another\"\n", `site.toml:7: name: profile "another" with role "client" is listed twice`},
		{"an unknown role", one + "[client.addresses]\nmanager = [\"10.0.0.9\"]\nboss = [\"10.0.0.8\"]\n", `site.toml:7: boss: no profile of client "one" has a role of this name; the roles are "manager", "agent", "syslog"`},
		{"a role without an address", one + "[client.addresses]\nmanager = []\n", `site.toml:6: manager: is empty: list names, addresses or prefixes, or leave it out`},
		{"a role at a wildcard", one + "[client.addresses]\nmanager = [\n\"m.example\",\n\"*.m.example\"]\n", `site.toml:8: manager: "*.m.example" is not a name, address or prefix: profile product allows no wildcard for this role, because its document means single hosts: list their names`},

		{"rule without a reason", one + "[[rule]]\nid = \"r\"\nclient = \"one\"\nto = [\"a.example\"]\ntcp = [1]\n", `site.toml:5: rule "r": reason is missing: say why the site needs it, like a ticket number`},
		{"rule of an unknown client", one + "[[rule]]\nid = \"r\"\nclient = \"two\"\nto = [\"a.example\"]\ntcp = [1]\nreason = \"x\"\n", `site.toml:7: client: there is no client "two"; the clients are "one"`},
		{"rule of a misspelt client", one + "[[rule]]\nid = \"r\"\nclient = \"ine\"\nto = [\"a.example\"]\ntcp = [1]\nreason = \"x\"\n", `site.toml:7: client: there is no client "ine": did you mean "one"?`},
		{"rule without a client", one + "[[rule]]\nid = \"r\"\nto = [\"a.example\"]\ntcp = [1]\nreason = \"x\"\n", `site.toml:5: rule "r": client is missing: name the [[client]] that the rule is for`},
		{"rule without a name", one + "[[rule]]\nclient = \"one\"\nto = [\"a.example\"]\ntcp = [1]\n", "site.toml:5: id: \"\" is not a rule id: letters, digits, dots and hyphens\nsite.toml:5: the 1st [[rule]]: reason is missing: say why the site needs it, like a ticket number"},
		{"rule with a reason that a terminal obeys", one + "[[rule]]\nid = \"r\"\nclient = \"one\"\nto = [\"a.example\"]\ntcp = [1]\nreason = \"x\\u202e\"\n", `site.toml:10: reason: has the character U+202E, which terminals obey or which hides text: remove it, and write the text in plain characters`},
		{"rule to nowhere", one + "[[rule]]\nid = \"r\"\nclient = \"one\"\nto = []\ntcp = [1]\nreason = \"x\"\n", `site.toml:5: rule "r": to is missing: list names, *.names, addresses or prefixes`},
		{"rule without ports", one + "[[rule]]\nid = \"r\"\nclient = \"one\"\nto = [\"a.example\"]\nreason = \"x\"\n", `site.toml:5: rule "r": tcp is missing: list the ports: tcp = […], udp = […], or any = true`},
		{"any and ports", one + rule("any = true\ntcp = [1]"), `site.toml:10: any: any = true already means every protocol and port: remove tcp and udp`},
		{"port 0", one + rule("tcp = [0]"), `site.toml:10: tcp: port 0 is not from 1 to 65535`},
		{"port too high", one + rule("tcp = [443, 65536]"), `site.toml:10: tcp: port 65536 is not from 1 to 65535`},
		{"backward range", one + rule("udp = [\"9-8\"]"), `site.toml:10: udp: "9-8" is not a range like "8000-8010"; a port is a number`},
		{"named port in a site's rule", one + rule("tcp = [\"upgrade\"]"), `site.toml:10: tcp: "upgrade" is not a range like "8000-8010"; a port is a number`},
		{"a port with a fraction", one + rule("tcp = [4.5]"), `site.toml:10: tcp: contains a number with a fraction; a port is a number, or a range in quotes`},
		{"no ports in the list", one + rule("tcp = []"), `site.toml:10: tcp: must be a list like [443, "8000-8010"], or "all"`},
		{"two rules, one id", one + rule("tcp = [1]") + rule("tcp = [2]"), `site.toml:12: id: "r" is already used on line 5`},
		{"no date", one + rule("tcp = [1]\nexpires = \"soon\""), `site.toml:11: expires: must be a date like 2027-06-30, or a date-time with its zone, like 2027-06-30T18:00:00Z or 2027-06-30T18:00:00+02:00`},
		{"expired", one + rule("tcp = [1]\nexpires = 2026-11-21"), `site.toml:5: warning: rule r expired on 2026-11-21 and permits nothing`},
		{"its last day", one + rule("tcp = [1]\nexpires = 2026-11-22"), `site.toml:5: warning: rule r expires at the end of 2026-11-22 (UTC): set a later expires if it is still needed`},
		{"not soon", one + rule("tcp = [1]\nexpires = 2026-12-06"), ""},

		{"wildcard on a public suffix", one + to(`"*.com"`), `site.toml:8: to: "*.com": anyone can register a name under this public suffix; name the domain`},
		{"wildcard on a long public suffix", one + to(`"a.example",`+"\n"+`"*.co.uk"`), `site.toml:9: to: "*.co.uk": anyone can register a name under this public suffix; name the domain`},
		{"wildcard on a private suffix", one + to(`"*.github.io"`), `site.toml:8: to: "*.github.io": anyone can register a name under this public suffix; name the domain`},
		{"everything", one + to(`"*"`), `site.toml:8: to: "*": a wildcard is "*." and a name, like "*.corp.example", and nothing else`},
		{"star within", one + to(`"a*.example"`), `site.toml:8: to: "a*.example": a wildcard is "*." and a name, like "*.corp.example", and nothing else`},
		{"two stars", one + to(`"*.*.example"`), `site.toml:8: to: "*.*.example": a wildcard is "*." and a name, like "*.corp.example", and nothing else`},
		{"a number for a name", one + to(`"0x7f.1"`), `site.toml:8: to: "0x7f.1": name ends in a number but is not an address`},
		{"a name with its port", one + to(`"a.example:443"`), `site.toml:8: to: "a.example:443": write the name without its port: "a.example"`},
		{"a URL for a name", one + to(`"https://a.example"`), `site.toml:8: to: "https://a.example": write the name without scheme, port and path: "a.example"`},
		{"a URL with port and path", one + to(`"https://a.example:8443/x/"`), `site.toml:8: to: "https://a.example:8443/x/": write the name without scheme, port and path: "a.example"`},
		{"a prefix too long", one + to(`"10.0.0.0/33"`), `site.toml:8: to: "10.0.0.0/33" is not a prefix like 10.0.0.0/8`},
		{"a role in a site's rule", one + to(`"role:manager"`), `site.toml:8: to: "role:manager": a site's rule names hosts; bind roles in [client.addresses]`},
		{"one destination twice", one + to(`"a.example",`+"\n"+`"a.example"`), `site.toml:8: to: "a.example" is listed twice`},
		{"DoH", one + to(`"a.example",`+"\n"+`"dns.google"`), `site.toml:9: warning: to: dns.google is a public DNS-over-HTTPS resolver: with it a client can look up any name and bypass the DNS filter`},
		{"DoH by address", one + to(`"8.8.8.0/24"`), `site.toml:8: warning: to: 8.8.8.0/24 is a public DNS-over-HTTPS resolver: with it a client can look up any name and bypass the DNS filter`},
		{"DoH below a wildcard", one + to(`"*.quad9.net"`), `site.toml:8: warning: to: *.quad9.net is a public DNS-over-HTTPS resolver: with it a client can look up any name and bypass the DNS filter`},
		{"covered by a profile", one + to(`"www.product.example"`), `site.toml:5: warning: rule r is not needed: product/web already permits all of it`},
		{"covered by a wildcard", one + to(`"x.cdn.product.example"`), `site.toml:5: warning: rule r is not needed: product/cdn already permits all of it`},
		{"not covered, another port", one + to(`"ssh.product.example"`), ""},

		{"no upstream", one + "[dns]\nupstreams = []\n", `site.toml:6: upstreams: is empty: list "system", "udp://address", "tcp://address", "tls://address?name=NAME" or "https://address/path?name=NAME"`},
		{"upstream by name", one + "[dns]\nupstreams = [\n\"system\",\n\"udp://dns.example\"]\n", `site.toml:8: upstreams: "udp://dns.example" is not "system", "udp://address[:port]", "tcp://address[:port]", "tls://address[:port]?name=NAME" or "https://address[:port]/path?name=NAME"`},
		{"upstream without a scheme", one + "[dns]\nupstreams = [\"10.0.0.1\"]\n", `site.toml:6: upstreams: "10.0.0.1" is not "system", "udp://address[:port]", "tcp://address[:port]", "tls://address[:port]?name=NAME" or "https://address[:port]/path?name=NAME": did you mean "udp://10.0.0.1"?`},
		{"zone without servers", one + "[[dns.zone]]\nsuffix = \"corp.example\"\n", `site.toml:5: dns.zone "corp.example": upstreams is missing: list the zone's own servers, like ["udp://10.0.0.53:53"]`},
		{"one zone twice", one + zone("corp.example") + zone("Corp.Example."), `site.toml:10: suffix: "corp.example" has a [[dns.zone]] already`},
		{"zone of nothing", one + zone("..") + "", `site.toml:6: suffix: name has an empty label`},
		{"host without an address", one + "[hosts]\n\"a.example\" = [\"10.0.0.1\"]\n\"b.example\" = \"b\"\n", `site.toml:7: b.example: "b" is not an address`},
		{"host without a name", one + "[hosts]\n\"a..example\" = \"10.0.0.1\"\n", `site.toml:6: a..example: name has an empty label`},
		{"private by name", one + "[resolve]\nprivate = [\"corp.example\"]\n", `site.toml:6: private: "corp.example" is not an address or a prefix like "10.0.0.0/8"`},
		{"journal nowhere", one + "[journal]\npath = \"\"\n", `site.toml:6: path: is empty: name a file, or "-" for standard output`},
		{"flows into the journal", one + "[journal]\npath = \"a.jsonl\"\nflows = \"./a.jsonl\"\n", `site.toml:7: flows: must be another file than path: the two files rotate separately`},
		{"journal of no size", one + "[journal]\nmax_size_mib = 0\n", `site.toml:6: max_size_mib: 0 is not from 1 to 1048576`},
		{"a limit of nothing", one + "[limits]\nconnections = 0\n", `site.toml:6: connections: 0 is not from 1 to 1048576`},
		{"a duration without a unit", one + "[limits]\nidle = \"10\"\n", `site.toml:6: idle: "10" is not a duration of at least 1s, like "5s" or "10m"`},
		{"a duration as a number", one + "[limits]\nidle = 10\n", `site.toml:6: idle: must be a duration like "5s" or "10m", not a whole number`},
		{"a duration too short", one + "[limits]\nsniff = \"1ms\"\n", `site.toml:6: sniff: "1ms" is not a duration of at least 100ms, like "5s" or "10m"`},
		{"NUL in the text", "mode = \"a\x00b\"\n", "site.toml:1: "},
		{"1e1000", "[limits]\nconnections = 1e1000\n" + one, "site.toml:2: "},
	} {
		got := strings.Join(problemsOf(t, c.text), "\n")
		exact := strings.HasPrefix(c.want, "site.toml") && !strings.HasSuffix(c.want, ": ")
		if exact && got != c.want || !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, got, c.want)
		}
	}
}

// rule returns a site's rule. Its argument is the last lines, from the sixth on.
func rule(last string) string {
	return "[[rule]]\nid = \"r\"\nclient = \"one\"\nto = [\"a.example\"]\nreason = \"x\"\n" + last + "\n"
}

// to returns a site's rule with destinations in its fourth line.
func to(list string) string {
	return "[[rule]]\nid = \"r\"\nclient = \"one\"\nto = [" + list + "]\ntcp = [443]\nreason = \"x\"\n"
}

func zone(suffix string) string {
	return fmt.Sprintf("[[dns.zone]]\nsuffix = %q\nupstreams = [\"udp://10.0.0.53\"]\n\n", suffix)
}

// All errors are reported at once, in the order of the lines.
func TestConfigReportsAllTogether(t *testing.T) {
	got := problemsOf(t, `mode = "x"
[listen]
htpp = []
[[client]]
name = "a"
sources = ["nowhere"]
profiles = ["product"]
role = "boss"
[[rule]]
id = "r"
client = "a"
to = ["*.com", "dns.google"]
tcp = [0]
`)
	want := []string{"site.toml:1: mode:", `site.toml:3: unknown key "htpp"`, `site.toml:6: sources:`, `site.toml:8: role:`,
		`site.toml:9: rule "r": reason`, `site.toml:12: to: "*.com"`, `site.toml:12: warning: to: dns.google`, `site.toml:13: tcp: port 0`}
	if len(got) != len(want) {
		t.Fatalf("%d problems, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("problem %d is %q, want %q", i, got[i], want[i])
		}
	}
}

// No text makes Parse panic. A configuration that it accepts compiles, and means the same
// when it is parsed again.
func FuzzConfig(f *testing.F) {
	for _, s := range []string{"", one, fixture(f, "site.toml")} {
		f.Add(s)
	}
	profiles := testProfiles(f)
	f.Fuzz(func(t *testing.T, text string) {
		c, problems := Parse("f.toml", Disk{}, []byte(text), profiles)
		again, problems2 := Parse("f.toml", Disk{}, []byte(text), profiles)
		if (c == nil) != (again == nil) || !slices.Equal(problems, problems2) {
			t.Fatalf("read twice: %v, then %v", problems, problems2)
		}
		if (c == nil) != (problems.Err() != nil) {
			t.Fatalf("a configuration %v with %v", c != nil, problems)
		}
		lines := strings.Count(text, "\n") + 1
		for _, p := range problems {
			if p.Line < 0 || p.Line > lines {
				t.Fatalf("%v: there are %d lines", p, lines)
			}
		}
		if c == nil {
			return
		}
		p, _ := rules.Compile(&c.Spec, rules.Own{}, today)
		q, _ := rules.Compile(&again.Spec, rules.Own{}, today)
		for _, a := range attempts(t) {
			d, e := p.Decide(a), q.Decide(a)
			if d.Text() != e.Text() || d.Why() != e.Why() || fmt.Sprint(d.Rule, d.Nearest) != fmt.Sprint(e.Rule, e.Nearest) || rules.Hint(a, d) != rules.Hint(a, e) {
				t.Fatalf("compiled twice: %v, then %v", d, e)
			}
		}
	})
}
