// Tests of the commands that a start proposes: each has an address that answers.

package gateway

import (
	"net/netip"
	"testing"

	"sallyport/rules"
)

func TestTriesNameAnAddressThatAnswers(t *testing.T) {
	local := []*rules.Client{{Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}}
	manager := []*rules.Client{{Sources: []netip.Prefix{netip.MustParsePrefix("10.20.30.40/32")}}}
	own := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("fe80::1"), netip.MustParseAddr("10.20.30.1"), netip.MustParseAddr("2001:db8::1")}
	for name, c := range map[string]struct {
		where   map[string]string
		clients []*rules.Client
		own     []netip.Addr
		want    string
	}{
		"this host is a client": {map[string]string{"http": "127.0.0.1:3128", "dns": "127.0.0.1:5300"}, local, own,
			"try:\n  curl -x http://127.0.0.1:3128 https://evil.example/\n  dig @127.0.0.1 -p 5300 license.sangfor.com\n"},
		"another host is": {map[string]string{"http": "10.20.30.1:3128"}, manager, own,
			"try, from the address of a client:\n  curl -x http://10.20.30.1:3128 https://evil.example/\n"},
		"a gateway listens everywhere": {map[string]string{"dns": "[::]:5300"}, manager, own,
			"try, from the address of a client:\n  dig @10.20.30.1 -p 5300 license.sangfor.com\n"},
		"everywhere, on a host with loopback alone": {map[string]string{"http": "0.0.0.0:3128", "dns": "[::]:5300"}, local, own[:3],
			"try:\n  curl -x http://127.0.0.1:3128 https://evil.example/\n  dig @::1 -p 5300 license.sangfor.com\n"},
		"nothing to try": {map[string]string{"socks5": "127.0.0.1:1080"}, local, own, ""},
	} {
		if got := linesToTry(c.where, c.clients, c.own); got != c.want {
			t.Errorf("%s:\n%sbut wanted\n%s", name, got, c.want)
		}
	}
}
