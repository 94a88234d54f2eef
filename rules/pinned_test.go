// Redirected flows that are judged by address: address rules and pins.

package rules_test

import (
	"net/netip"
	"testing"
	"time"

	. "sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/site"
)

func TestRedirectedByAddress(t *testing.T) {
	profile, err := profile.Parse("p.toml", []byte(`
name = "p"
product = "P"
roles = ["manager"]
[document]
title = "T"
[[rule]]
id = "chat"
from = "manager"
to = ["chat.example.com"]
tcp = [443, 8083]
purpose = "x"
[[rule]]
id = "fixed"
from = "manager"
to = ["93.184.1.9"]
any = true
purpose = "x"
[[rule]]
id = "bound"
from = "manager"
to = ["10.0.0.7", "own.example.com"]
tcp = [443, 1433]
purpose = "x"
`))
	if err != nil {
		t.Fatal(err)
	}
	cfg, problems := site.Parse("c.toml", site.Disk{Dir: "/"}, []byte("[[client]]\nname='c'\nsources=['10.1.1.1']\nprofiles=['p']\n"), []*Profile{profile})
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	p, _ := Compile(&cfg.Spec, Own{Listeners: []netip.AddrPort{netip.MustParseAddrPort("10.1.1.254:3130")}}, time.Unix(0, 0))
	name := func(s string) Name {
		n, err := ParseName(s)
		if err != nil && s != "" {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range []struct {
		name, dest, pin, sni string
		shown                Shown
		verdict              Verdict
		reason               Reason
	}{
		{"every protocol", "93.184.1.9:443", "", "", ShownOpaque, Allow, ReasonNone},
		{"every protocol, whatever name it shows", "93.184.1.9:443", "", "evil.example", ShownTLS, Allow, ReasonNone},
		{"bound address, server first", "10.0.0.7:1433", "", "", ShownSilent, Allow, ReasonNone},
		{"bound address, TLS without a name", "10.0.0.7:443", "", "", ShownTLS, Allow, ReasonNone},
		{"bound address, its own name", "10.0.0.7:443", "", "own.example.com", ShownTLS, Allow, ReasonNone},
		{"bound address, another name", "10.0.0.7:443", "", "evil.example", ShownTLS, Deny, SNIMismatch},
		{"bound address, another port", "10.0.0.7:22", "", "", ShownSilent, Deny, PortNotListed},
		{"no rule and no pin", "93.184.1.1:8083", "", "", ShownOpaque, Deny, IPLiteral},
		{"pin of a permitted name", "93.184.1.1:8083", "chat.example.com", "", ShownOpaque, Allow, ReasonNone},
		{"pin, and the name shown", "93.184.1.1:443", "chat.example.com", "chat.example.com", ShownTLS, Allow, ReasonNone},
		{"pin, and another name shown", "93.184.1.1:8083", "chat.example.com", "evil.example", ShownTLS, Deny, SNIMismatch},
		{"pin, TLS port, no name", "93.184.1.1:443", "chat.example.com", "", ShownTLS, Deny, SNIMissing},
		{"pin, TLS port, no TLS", "93.184.1.1:443", "chat.example.com", "", ShownOpaque, Deny, NotTLS},
		{"pin, another port", "93.184.1.1:22", "chat.example.com", "", ShownSilent, Deny, PortNotListed},
		{"pin of a name that no rule names", "93.184.1.1:8083", "evil.example", "", ShownOpaque, Deny, IPLiteral},
		{"pin to a private address", "10.9.9.9:8083", "chat.example.com", "", ShownOpaque, Deny, PrivateAddress},
		{"not redirected at all", "10.1.1.254:3130", "", "", ShownOpaque, Deny, Self},
	} {
		dest := netip.MustParseAddrPort(c.dest)
		a := Attempt{Via: ViaTransparent, Client: netip.MustParseAddrPort("10.1.1.1:50000"), Proto: TCP,
			Dest: dest, Original: dest, ByAddress: true, SNI: name(c.sni), Shown: c.shown}
		if c.pin != "" {
			a.Pinned = []Name{name("other.example.org"), name(c.pin)}
		}
		d := p.Decide(a)
		if d.Verdict != c.verdict || d.Reason != c.reason {
			t.Errorf("%s: %v %v, want %v %v", c.name, d.Verdict, d.Reason, c.verdict, c.reason)
		}
	}
}
