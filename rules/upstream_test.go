// Upstreams: the texts of DNS resolvers, and what is said about a text that is none.

package rules

import (
	"net/netip"
	"strings"
	"testing"
)

const (
	keyA = "sha256/d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=" // the examples of RFC 7469, section 2.1.5
	keyB = "sha256/E9CZ9INDbd+2eRQozYqqbQ2yXLVKB9+xcprMF+44U1g="
)

func TestParseUpstream(t *testing.T) {
	for text, want := range map[string]string{
		"udp://192.0.2.53":                                                                    "udp://192.0.2.53:53",
		"udp://[::ffff:192.0.2.53]:5300":                                                      "udp://192.0.2.53:5300",
		"tcp://2001:db8::53":                                                                  "tcp://[2001:db8::53]:53",
		"tls://192.0.2.53:853?name=dns.corp.example":                                          "tls://192.0.2.53:853?name=dns.corp.example",
		"tls://192.0.2.53?name=DNS.Corp.Example.":                                             "tls://192.0.2.53:853?name=dns.corp.example",
		"tls://[2001:db8::53]?name=bücher.example":                                            "tls://[2001:db8::53]:853?name=xn--bcher-kva.example",
		"tls://192.0.2.53/?name=192.0.2.53":                                                   "tls://192.0.2.53:853?name=192.0.2.53",
		"tls://192.0.2.53?spki=" + keyA:                                                       "tls://192.0.2.53:853?spki=" + keyA,
		"tls://192.0.2.53:8853?spki=" + keyB + "&name=a.example":                              "tls://192.0.2.53:8853?name=a.example&spki=" + keyB,
		"tls://192.0.2.53?spki=" + keyA + "&spki=" + keyB:                                     "tls://192.0.2.53:853?spki=" + keyA + "&spki=" + keyB,
		"tls://192.0.2.53?spki=sha256%2FE9CZ9INDbd%2B2eRQozYqqbQ2yXLVKB9%2BxcprMF%2B44U1g%3D": "tls://192.0.2.53:853?spki=" + keyB,
		"tls://dns.corp.example?address=192.0.2.53":                                           "tls://192.0.2.53:853?name=dns.corp.example",
		"https://192.0.2.53/dns-query?name=dns.corp.example":                                  "https://192.0.2.53:443/dns-query?name=dns.corp.example",
		"https://dns.corp.example:8443/dns-query?address=2001:db8::53":                        "https://[2001:db8::53]:8443/dns-query?name=dns.corp.example",
		"https://dns.corp.example/dns-query?address=[2001:db8::53]":                           "https://[2001:db8::53]:443/dns-query?name=dns.corp.example",
		"https://192.0.2.53/0a1b2c-secret/q?name=dns.corp.example":                            "https://192.0.2.53:443/…?name=dns.corp.example",
		"https://192.0.2.53/dns-query?spki=" + keyA:                                           "https://192.0.2.53:443/dns-query?spki=" + keyA,
	} {
		u, err := ParseUpstream(text)
		if err != nil || u.String() != want {
			t.Errorf("%s is %q, %v; want %q", text, u, err, want)
			continue
		}
		if again, err := ParseUpstream(want); err == nil && again != u && !strings.Contains(want, "…") {
			t.Errorf("%s: %q is another upstream: %+v", text, want, again)
		}
	}
	u, _ := ParseUpstream("https://192.0.2.53/0a1b2c-secret/q?name=dns.corp.example")
	if u.Over != OverHTTPS || u.Addr != netip.MustParseAddrPort("192.0.2.53:443") || u.Name != "dns.corp.example" || u.Path != "/0a1b2c-secret/q" {
		t.Errorf("%+v", u)
	}
}

// Each error says what to write instead. An error of tls:// and https:// does not repeat
// a password or a path.
func TestParseUpstreamErrors(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1":                                                     `did you mean "udp://10.0.0.1"?`,
		"udp://dns.example":                                            `"tls://address[:port]?name=NAME" or "https://address[:port]/path?name=NAME"`,
		"udp://192.0.2.53:0":                                           `is not "system"`,
		"quic://192.0.2.53":                                            `is not "system"`,
		"tls://192.0.2.53":                                             `tls: the upstream must prove who it is: add "?name=NAME" with the name in its certificate, or "?spki=sha256/BASE64"`,
		"https://192.0.2.53/dns-query":                                 `https: the upstream must prove who it is`,
		"tls://192.0.2.53#dns.example":                                 `write "tls://192.0.2.53?name=dns.example"`,
		"tls://dns.example":                                            `"dns.example" is a name, and no resolver could be asked for its address before this one: write "tls://ADDRESS?name=dns.example"`,
		"https://dns.example/dns-query":                                `write "https://ADDRESS/dns-query?name=dns.example"`,
		"https://192.0.2.53?name=a.test":                               `the upstream has no path: add the one that its operator gives; most have "/dns-query"`,
		"https://192.0.2.53/q{?dns}&name=a.test":                       `braces`,
		"https://192.0.2.53/dns-query{?dns}":                           `braces`,
		"https://192.0.2.53/dns query?name=a.test":                     `% and two hexadecimal digits`,
		"https://192.0.2.53/%zz?name=a.test":                           `% and two hexadecimal digits`,
		"tls://192.0.2.53/dns-query?name=a.test":                       `DNS over TLS has no path`,
		"tls://192.0.2.53?name=a.test&name=b.test":                     `name occurs twice`,
		"tls://192.0.2.53?name=":                                       `"name" has no value`,
		"tls://192.0.2.53?name=a_*.test":                               `name="a_*.test"`,
		"tls://192.0.2.53?host=a.test":                                 `an upstream has no "host": name, spki and address exist`,
		"tls://192.0.2.53?spki=" + strings.Replace(keyA, "/", "//", 1): `is not "sha256/" and the 44 characters`,
		"tls://192.0.2.53?spki=" + keyA[:30]:                           `is not "sha256/" and the 44 characters`,
		"tls://192.0.2.53?spki=sha1/AAAA":                              `is not "sha256/"`,
		"tls://192.0.2.53?name=a.test&address=192.0.2.54":              `two addresses`,
		"tls://a.test?address=192.0.2.54&name=b.test":                  `two names, "a.test" and "b.test"`,
		"tls://a.test?address=192.0.2.54:853":                          `the port stands behind the name`,
		"tls://a.test:0?address=192.0.2.54":                            `"0" is not the port`,
		"tls://?address=192.0.2.54":                                    `neither an address nor a name`,
	} {
		u, err := ParseUpstream(text)
		if err == nil || !strings.Contains(err.Error(), want) || u != (Upstream{}) {
			t.Errorf("%s: %+v, %v; want %q", text, u, err, want)
		}
	}
	for _, text := range []string{"https://user:hunter2@192.0.2.53/dns-query?name=a.test", "https://192.0.2.53/hunter2", "https://dns.example/hunter2", "tls://hunter2@192.0.2.53#a.test"} {
		if _, err := ParseUpstream(text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows a secret: %v", text, err)
		}
	}
}

// No text makes ParseUpstream panic. The text of an upstream is that upstream, and an
// upstream of tls or https always has something to prove.
func FuzzParseUpstream(f *testing.F) {
	for _, s := range []string{
		"udp://192.0.2.53", "tcp://[2001:db8::53]:53", "tls://192.0.2.53:853?name=dns.corp.example", "tls://fe80::1%eth0?name=a",
		"https://192.0.2.53/dns-query?name=dns.corp.example&spki=" + keyA, "https://dns.corp.example/dns-query?address=192.0.2.53",
		"tls://192.0.2.53?spki=" + keyA + "&spki=" + keyB, "tls://a@b#c", "https://[::1]:443/%2f?name=::1", "tls://?&=",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseUpstream(s)
		if err != nil {
			if u != (Upstream{}) || err.Error() == "" {
				t.Fatalf("%q: %+v, %v", s, u, err)
			}
			return
		}
		if !u.Addr.IsValid() || u.Addr.Port() == 0 || u.Over.Proven() && u.Name == "" && u.Pins == "" || len(u.Pins)%pinSize != 0 {
			t.Fatalf("%q: %+v", s, u)
		}
		text := u.String()
		if strings.Contains(text, "…") {
			return
		}
		if again, err := ParseUpstream(text); err != nil || again != u {
			t.Fatalf("%q is %q, which is %+v, %v", s, text, again, err)
		}
	})
}
