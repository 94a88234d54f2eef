// Sinks: which [[sink]] tables are refused, and what the accepted ones mean.

package site

import (
	"strings"
	"testing"

	"sallyport/rules"
)

func TestSinkRefusals(t *testing.T) {
	const forms = `"tls://siem.corp.example:6514", "tcp://…:601", "udp://…:514" or "unix:/path"`
	sink := func(lines string) string { return one + "[[sink]]\ntype = \"syslog\"\n" + lines + "\n" }
	const first = "url = \"tls://siem.corp.example:6514\"\n"
	for _, c := range []struct{ what, text, want string }{
		{"a sink", sink(first), ""},
		{"a Unix socket", sink(`url = "unix:/dev/log"`), ""},
		{"every key that needs no file", sink(first + "name = \"siem\"\nformat = \"native\"\nwhat = \"denials\"\nfacility = \"authpriv\""), ""},
		{"no type", one + "[[sink]]\n" + first, `site.toml:5: the 1st [[sink]]: type is missing: write type = "syslog"`},
		{"no url", sink(""), `site.toml:5: the 1st [[sink]]: url is missing: say where the sink listens, like ` + forms},
		{"no protocol", sink(`url = "siem.corp.example:6514"`), `site.toml:7: url: "siem.corp.example:6514" has no protocol: write it like ` + forms},
		{"another protocol", sink(`url = "https://siem.corp.example"`), `site.toml:7: url: "https://siem.corp.example": syslog goes by tcp, tls, udp or unix, like ` + forms},
		{"no port", sink(`url = "tcp://siem.corp.example"`), `site.toml:7: url: "tcp://siem.corp.example": the port is missing, like :6514`},
		{"no path", sink(`url = "unix:"`), `site.toml:7: url: "unix:" has no path: write it like ` + forms},
		{"a relative path", sink(`url = "unix:dev/log"`), `site.toml:7: url: "unix:dev/log": the path of a socket begins with /: write "unix:/dev/log"`},
		{"one slash too few", sink(`url = "unix://dev/log"`), `site.toml:7: url: "unix://dev/log": the path of a socket begins with /: write "unix:/dev/log"`},
		{"a path behind the port", sink(`url = "tls://siem.corp.example:6514/x"`), `site.toml:7: url: "tls://siem.corp.example:6514/x": a sink has no path: write "tls://siem.corp.example:6514"`},
		{"no host", sink(`url = "tls://:6514"`), `site.toml:7: url: "tls://:6514": the host is missing: write a name or an address before :6514`},
		{"no host, and a path", sink(`url = "tls://:6514/x"`), `site.toml:7: url: "tls://:6514/x": the host is missing: write a name or an address before :6514`},
		{"IPv6 without brackets", sink(`url = "tcp://fd00::9:601"`), `site.toml:7: url: "tcp://fd00::9:601": write an IPv6 address in brackets, and the port behind it, like "tcp://[fd00::9]:601"`},
		{"a password", sink(`url = "tls://sally:hunter2@siem.corp.example:6514"`), `site.toml:7: url: has a user or a password in it: syslog has neither; a receiver knows sallyport by its address, or by cert and key`},
		{"our own listener", "[listen]\nhttp = [\"127.0.0.1:3128\"]\n" + sink(`url = "tcp://127.0.0.1:3128"`), `site.toml:9: url: 127.0.0.1:3128 is sallyport's own listener: name the receiver of the records`},
		{"a name that is no name of a file", sink(first + `name = "../x"`), `site.toml:8: name: "../x" is not a sink's name: letters, digits, dots and hyphens`},
		{"one url twice", sink(first) + sink(first)[len(one):], `site.toml:11: url: the sink on line 5 has the same url: give each a name of its own`},
		{"one name twice", sink(first+`name = "a"`) + sink("name = \"a\"\nurl = \"tcp://10.9.9.9:601\"")[len(one):], `site.toml:11: name: "a" is already used on line 5`},
		{"all without flows", sink(first + `what = "all"`), `site.toml:8: what: "all" includes permitted flows, and they are not recorded: name a file in [journal] flows, or write "denials"`},
		{"all", "[journal]\nflows = \"flows.jsonl\"\n" + sink(first+`what = "all"`), ""},
		{"no journal on the disk", "[journal]\npath = \"-\"\n" + sink(first), `site.toml:7: sink "syslog-siem-corp-example-6514": a sink reads the journal's file, and [journal] path is "-": name a file there`},
		{"an unknown facility", sink(first + `facility = "local8"`), `site.toml:8: facility: "local8" is no facility of syslog: did you mean "local0"?`},
		{"an authority without TLS", sink("url = \"tcp://10.9.9.9:601\"\nca = \"ca.pem\""), "site.toml:8: ca: is for a sink with TLS, and url says tcp\nsite.toml:8: ca: ca.pem: files are not read here"},
		{"half a certificate", sink(first + `cert = "cert.pem"`), "site.toml:5: sink \"syslog-siem-corp-example-6514\": set both cert and key, or neither\nsite.toml:8: cert: cert.pem: files are not read here"},
		{"a key of a later version", sink(first + `compress = true`), `site.toml:8: unknown key "compress": known here: ca, cert, facility, format, key, name, type, url, what`},
	} {
		if got := strings.Join(problemsOf(t, c.text), "\n"); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, c.want)
		}
	}
}

// The files of a sink, and its usual values.
func TestSinkValues(t *testing.T) {
	chain, key := certificate(t)
	disk := Disk{Dir: "/etc/sallyport", Files: memory{"/etc/sallyport/ca.pem": chain, "/etc/sallyport/cert.pem": chain, "/etc/sallyport/key.pem": key, "/etc/sallyport/secret.pem": "!perm"}}
	text := one + "[[sink]]\ntype = \"syslog\"\nurl = \"tls://[fd00::9]:6514\"\nca = \"ca.pem\"\ncert = \"cert.pem\"\nkey = \"key.pem\"\n" +
		"[[sink]]\ntype = \"syslog\"\nurl = \"unix:///run/log.sock\"\nfacility = \"kern\"\n" +
		"[[sink]]\ntype = \"syslog\"\nurl = \"tls://10.9.9.9:6514\"\nca = \"secret.pem\"\n"
	cfg, problems := Parse("site.toml", disk, []byte(text), testProfiles(t))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	a, b, c := cfg.Sinks[0], cfg.Sinks[1], cfg.Sinks[2]
	if a.Roots == nil || a.Certificate == nil || a.Facility != 16 || a.All || a.Format != "native" || a.Name != "syslog-fd00--9--6514" || a.String() != "syslog-fd00--9--6514 (syslog, tls://[fd00::9]:6514, native, denials)" {
		t.Errorf("the sink with TLS is %+v", a)
	}
	if b.Scheme != rules.SinkUnix || b.Path != "/run/log.sock" || b.Facility != 0 || b.Name != "syslog-log-sock" {
		t.Errorf("the sink with a socket is %+v", b)
	}
	if c.Unread == nil || !strings.Contains(c.Unread.Error(), "[[sink]] ca") {
		t.Errorf("a file that this user cannot read: %v", c.Unread)
	}
	for _, in := range cfg.Inputs {
		if in.Secret != strings.HasSuffix(in.Path, "key.pem") {
			t.Errorf("%s: secret is %v", in.Path, in.Secret)
		}
	}
}
