// Configurations that are wider than they look.

package site

import (
	"strings"
	"testing"
)

func TestTooWide(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"everything is private", "[resolve]\nprivate = ['0.0.0.0/0']", "c.toml:2: warning: private: 0.0.0.0/0 contains public addresses"},
		{"all of IPv6 is private", "[resolve]\nprivate = ['::/0']", "c.toml:2: warning: private: ::/0 contains public addresses"},
		{"a public prefix", "[resolve]\nprivate = ['8.8.8.0/24']", "c.toml:2: warning: private: 8.8.8.0/24 contains public addresses"},
		{"the site's own ranges", "[resolve]\nprivate = ['10.0.0.0/8', '192.168.7.0/24', 'fc00::/7', '127.0.0.0/8']", ""},
		{"a zone that is a public suffix", "[[dns.zone]]\nsuffix = 'com'\nupstreams = ['udp://10.0.0.53']", `c.toml:2: suffix: "com" is a public suffix`},
		{"a zone that is a public suffix of two labels", "[[dns.zone]]\nsuffix = 'co.uk'\nupstreams = ['udp://10.0.0.53']", `c.toml:2: suffix: "co.uk" is a public suffix`},
		{"an internal top-level zone", "[[dns.zone]]\nsuffix = 'corp'\nupstreams = ['udp://10.0.0.53']", ""},
		{"an upstream that is our own listener", "[listen]\ndns = ['127.0.0.1:5300']\n[dns]\nupstreams = ['udp://127.0.0.1:5300']", "c.toml:4: upstreams: udp://127.0.0.1:5300 is sallyport's own"},
		{"an upstream behind our wildcard listener", "[listen]\ndns = ['0.0.0.0:53']\n[dns]\nupstreams = ['udp://127.0.0.1']", "c.toml:4: upstreams: udp://127.0.0.1 is sallyport's own"},
	} {
		_, problems := Parse("c.toml", Disk{Dir: "/"}, []byte(c.text), nil)
		var got []string
		for _, p := range problems {
			if !strings.Contains(p.Text, "no [[client]]") && !strings.Contains(p.Text, "listens nowhere") && !strings.Contains(p.Text, "no listener") {
				got = append(got, p.String())
			}
		}
		all := strings.Join(got, "\n")
		if c.want == "" && all != "" || !strings.HasPrefix(all, c.want) {
			t.Errorf("%s: %q, want %q", c.name, all, c.want)
		}
	}
}
