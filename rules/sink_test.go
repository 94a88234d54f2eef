// Tests of sinks in the policy: no client reaches one, whatever its rules say.

package rules_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"strings"
	"testing"

	. "sallyport/rules"
)

// sunk has a sink of each kind, and a client whose rule permits everything at their addresses.
const sunk = `
[[client]]
name     = "usual"
sources  = ["10.1.0.1"]
profiles = ["product"]
[[rule]]
id     = "all"
client = "usual"
to     = ["siem.corp.example", "10.9.9.0/24", "127.0.0.1"]
any    = true
reason = "T-1"
[[sink]]
type = "syslog"
name = "siem"
url  = "tls://siem.corp.example:6514"
[[sink]]
type = "syslog"
name = "collector"
url  = "udp://10.9.9.9:514"
[[sink]]
type = "syslog"
name = "here"
url  = "tcp://127.0.0.1:601"
[[sink]]
type = "syslog"
url  = "unix:/dev/log"
`

func TestSinkIsNoDestination(t *testing.T) {
	p := compiled(t, sunk, today)
	for _, c := range []struct{ what, to, want string }{
		{"the sink by its name", "siem.corp.example:6514", "deny self near site/all"},
		{"its name, another port", "siem.corp.example:443", "allow site/all"},
		{"the sink by its address", "10.9.9.9:514", "deny self near site/all"},
		{"its address, another port", "10.9.9.9:443", "allow site/all"},
		{"beside it", "10.9.9.8:514", "allow site/all"},
		{"the sink on this host", "127.0.0.1:601", "deny self near site/all"},
		{"this host by another address", "127.0.0.2:601", "deny self"},
	} {
		a := try("10.1.0.1", c.to)
		d := p.Decide(a)
		if got := answer(d); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
		if hint := Hint(a, d); strings.Contains(c.want, "self") && !strings.Contains(hint, "to which only sallyport sends its records: nothing to permit") {
			t.Errorf("%s: the hint is %q", c.what, hint)
		}
	}
	d := p.Decide(try("10.1.0.1", "siem.corp.example:514"))
	if r := d.Reach(netip.MustParseAddrPort("10.9.9.9:514")); r != Self {
		t.Errorf("a permitted name at a sink's address: %v", r)
	}
}

// A reload lets a sender go on only if nothing about its sink has changed.
func TestSinkSame(t *testing.T) {
	base := func() *Sink {
		return &Sink{Name: "a", Type: "syslog", Scheme: SinkTLS, Path: "p", Format: "native", Line: 3, Roots: x509.NewCertPool(), Certificate: &tls.Certificate{Certificate: [][]byte{{1}}}}
	}
	other := base()
	other.Line = 9
	if !base().Same(other) {
		t.Error("a sink on another line is another one")
	}
	for what, change := range map[string]func(*Sink){
		"name": func(s *Sink) { s.Name = "b" }, "scheme": func(s *Sink) { s.Scheme = SinkTCP }, "port": func(s *Sink) { s.At.Port = 1 },
		"what": func(s *Sink) { s.All = true }, "facility": func(s *Sink) { s.Facility = 1 }, "format": func(s *Sink) { s.Format = "ecs" },
		"no ca": func(s *Sink) { s.Roots = nil }, "no certificate": func(s *Sink) { s.Certificate = nil },
		"another certificate": func(s *Sink) { s.Certificate = &tls.Certificate{Certificate: [][]byte{{2}}} },
	} {
		other := base()
		if change(other); base().Same(other) || other.Same(base()) {
			t.Errorf("%s: a changed sink counts as the same", what)
		}
	}
}
