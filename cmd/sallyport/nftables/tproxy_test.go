// Tests of TPROXY in plans: when a ruleset uses it, for which listeners, and with
// which routes.

package nftables

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// planOf computes the plan of a configuration.
func planOf(t *testing.T, text string, args ...string) (*Plan, error) {
	t.Helper()
	cfg := siteConfig(t, "c.toml", text)
	policy, _ := rules.Compile(&cfg.Spec, rules.Own{}, time.Now())
	return NewPlan(cfg, policy, options(t, args))
}

const tproxyClient = "[dns]\nupstreams = [\"udp://192.0.2.53\"]\n[[client]]\nname = \"c\"\nsources = [\"10.1.2.3\", \"fd00::3\"]\nprofiles = []\n"

// The ruleset uses TPROXY if it was asked to, or if there is nothing to redirect to.
func TestWhenTPROXY(t *testing.T) {
	for _, c := range []struct {
		name, listen string
		args         []string
		v4, v6       string // of TCP; "": an error
		wrong        string
	}{
		{"every address", `tproxy = ["[::]:3130"]`, nil, "tproxy ip to :3130", "tproxy ip6 to :3130", ""},
		{"loopback", `tproxy = ["127.0.0.1:3130", "[::1]:3131"]`, nil, "tproxy ip to 127.0.0.1:3130", "tproxy ip6 to [::1]:3131", ""},
		{"one address", `tproxy = ["10.1.2.1:3130"]`, nil, "tproxy ip to 10.1.2.1:3130", "", ""},
		{"both, not asked for", "transparent = [\"[::]:3129\"]\ntproxy = [\"[::]:3130\"]", nil, "redirect to :3129", "redirect to :3129", ""},
		{"both, asked for", "transparent = [\"[::]:3129\"]\ntproxy = [\"[::]:3130\"]", []string{"--tproxy"}, "tproxy ip to :3130", "tproxy ip6 to :3130", ""},
		{"asked for, without a listener", `transparent = ["[::]:3129"]`, []string{"--tproxy"}, "", "", `[listen] tproxy is empty, so there is nothing to redirect TCP to: set tproxy = ["[::]:3130"]`},
		{"a port that changes", `tproxy = ["[::]:0"]`, nil, "", "", "c.toml:2: [listen] tproxy: port 0 means another port at every start"},
		{"in a sidecar", `tproxy = ["[::]:3130"]`, []string{"--mode", "sidecar"}, "", "", "[listen] transparent is empty"},
		{"in a sidecar, asked for", `tproxy = ["[::]:3130"]`, []string{"--mode", "sidecar", "--tproxy"}, "", "", "--tproxy is for --mode gateway: TPROXY takes only packets that other hosts send"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := planOf(t, "[listen]\n"+c.listen+"\ndns = [\"[::]:5300\"]\n"+tproxyClient, c.args...)
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) || errors.Is(err, ErrNoTransparentListener) {
					t.Errorf("%v, want %s", err, c.wrong)
				}
				return
			}
			if err != nil || p.TCP != (targets{c.v4, c.v6}) || p.TPROXY != strings.HasPrefix(c.v4, "tproxy") {
				t.Errorf("%v, %+v", err, p)
			}
		})
	}
}

// Only rulesets with TPROXY have routes, and only for the families of its listeners.
func TestRoutes(t *testing.T) {
	for _, c := range []struct {
		listen string
		want   []string
	}{
		{`tproxy = ["[::]:3130"]`, []string{
			"ip -4 route replace local 0.0.0.0/0 dev lo table 21359 protocol kernel",
			"ip -4 rule show | grep -q 'fwmark 0x10000000/0x10000000 lookup 21359' || ip -4 rule add priority 10 fwmark 0x10000000/0x10000000 lookup 21359 protocol kernel",
			"ip -6 route replace local ::/0 dev lo table 21359 protocol kernel",
			"ip -6 rule show | grep -q 'fwmark 0x10000000/0x10000000 lookup 21359' || ip -6 rule add priority 10 fwmark 0x10000000/0x10000000 lookup 21359 protocol kernel",
		}},
		{`tproxy = ["[::1]:3130"]`, []string{
			"ip -6 route replace local ::/0 dev lo table 21359 protocol kernel",
			"ip -6 rule show | grep -q 'fwmark 0x10000000/0x10000000 lookup 21359' || ip -6 rule add priority 10 fwmark 0x10000000/0x10000000 lookup 21359 protocol kernel",
		}},
		{`transparent = ["[::]:3129"]`, nil},
		{"tproxy = [\"[::]:3130\"]\n#v4", []string{ // no client has an IPv6 address
			"ip -4 route replace local 0.0.0.0/0 dev lo table 21359 protocol kernel",
			"ip -4 rule show | grep -q 'fwmark 0x10000000/0x10000000 lookup 21359' || ip -4 rule add priority 10 fwmark 0x10000000/0x10000000 lookup 21359 protocol kernel",
		}},
	} {
		text := "[listen]\n" + c.listen + "\ndns = [\"[::]:5300\"]\n" + tproxyClient
		if strings.Contains(c.listen, "#v4") {
			text = strings.Replace(text, `, "fd00::3"`, "", 1)
		}
		var got []string
		for line := range strings.Lines(printedRoutes(t, text)) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") && line != "set -e" {
				got = append(got, line)
			}
		}
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s: routes\n%s", c.listen, strings.Join(got, "\n"))
		}
		ruleset, _ := printed(t, "c.toml", text)
		for _, line := range c.want { // the ruleset itself names them too, for the person who reads it
			if !strings.Contains(ruleset, "#   "+line+"\n") {
				t.Errorf("%s: the ruleset does not name %s", c.listen, line)
			}
		}
	}
}
