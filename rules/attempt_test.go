// What the tests of decisions share: attempts, and what is decided of them.

package rules_test

import (
	"net/netip"
	"strings"
	"testing"

	. "sallyport/rules"
)

// try returns an attempt by CONNECT. client is an address, and target is
// "host:port" with a name or an address.
func try(client, target string) Attempt {
	at, err := ParseAuthority(target, 0)
	if err != nil {
		panic(target + ": " + err.Error())
	}
	return Attempt{
		Via: ViaConnect, Proto: TCP, Client: netip.AddrPortFrom(netip.MustParseAddr(client), 40000),
		Authority: at.Name, Dest: netip.AddrPortFrom(at.Addr, at.Port), Provisional: true,
	}
}

// redirected returns an attempt by a transparent listener. It has no authority.
func redirected(client, original string) Attempt {
	a := try(client, original)
	a.Via, a.Original = ViaTransparent, a.Dest
	return a
}

// asks returns the attempt of a DNS question.
func asks(client, name string, qtype uint16) Attempt {
	return Attempt{Via: ViaDNS, Proto: UDP, Client: netip.AddrPortFrom(netip.MustParseAddr(client), 40000), Authority: MustName(name), QType: qtype}
}

func ruleText(r *Rule) string {
	if r == nil {
		return ""
	}
	return r.String()
}

// decisionCase is one line of a table: the attempt, and the whole answer.
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
