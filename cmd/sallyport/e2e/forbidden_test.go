//go:build linux

// Forbidden: a try that no document permits leaves no packet at the origin and
// none at the resolver, and the journal has the reason.

package e2e

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// forbidden is one try that must not get out.
type forbidden struct {
	name string
	try  attempt
	want denial
	says string // what the client prints; "": only that it failed

	// reaches is a host whose authority is permitted, but whose content is not. The
	// gateway may look that host up and connect before it sees the client's bytes.
	// None of those bytes may arrive.
	reaches string
	// lookedUp is a permitted name that resolves to a forbidden address.
	lookedUp string
}

// attempt makes one try as a client.
type attempt func(t *testing.T, l *lab) result

// The site's own rules of these tests: names that lead to addresses that no
// name may have.
const siteRules = `
[[rule]]
id     = "traps"
client = "es-manager"
to     = ["rebind.corp.example", "loop.corp.example", "half.corp.example"]
tcp    = [443, 3128, 9180]
reason = "names whose addresses are the problem"
`

// Every forbidden try, in one gateway that also serves everything documented.
func TestForbiddenLeavesNoPacket(t *testing.T) {
	need(t, "curl", "dig", "openssl")
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet, siteRules))
	l.showRecorderSees(t)
	cases := slices.Concat(forbiddenNames(), forbiddenFleet(), forbiddenContent(), forbiddenSOCKS(), forbiddenDNS(), forbiddenHeads())
	for _, f := range cases {
		t.Run(f.name, func(t *testing.T) { f.run(t, l, g) })
	}
	// Late packets: every try was refused before, so no packet may follow.
	mark := l.rec.mark(t)
	time.Sleep(time.Second)
	forbidden{}.checkPackets(t, l, mark)
	if resp := l.curl(t, fleet[0], "-x", httpDoor, "https://half.corp.example/"); !strings.Contains(resp.stdout, "origin 93.184.240.3 443") {
		t.Errorf("a permitted name with a private and a public address: %v", resp)
	}
}

// showRecorderSees sends packets like those that the tries below must not cause,
// and shows that the recorder sees them.
func (l *lab) showRecorderSees(t *testing.T) {
	t.Helper()
	l.mustArrive(t, netip.AddrPortFrom(elsewhere[0], 443))
	l.mustArrive(t, netip.AddrPortFrom(elsewhere[1], 80))
	mark := l.rec.mark(t)
	if r := l.gateway.run(t, l.dir, "", "dig", "@"+resolver4, "+short", "shown.evil.example"); !strings.Contains(r.stdout, elsewhere[0].String()) {
		t.Fatalf("the resolver does not answer: %v", r)
	}
	if got := queries(l.rec.since(t, mark)); !slices.Equal(got, []string{"shown.evil.example"}) {
		t.Fatalf("recorder saw queries %v", got)
	}
}

func (f forbidden) run(t *testing.T, l *lab, g *gateway) {
	records, packets := g.journal().mark(), l.rec.mark(t)
	r := f.try(t, l)
	if strings.Contains("\n"+r.stdout, "\norigin ") || strings.Contains(r.stdout, "leaked") {
		t.Errorf("got through: %v", r)
	}
	if f.says == "" && r.code == 0 || !strings.Contains(r.all(), f.says) {
		t.Errorf("the client should fail with %q: %v", f.says, r)
	}
	defer f.checkPackets(t, l, packets) // the check also runs when the journal has no record
	record := g.journal().mustDeny(t, records, f.want)
	if record.Hint == "" && record.Detail == "" {
		t.Errorf("the record has no hint: %s", record.line)
	}
}

// checkPackets looks at what arrived since the try began.
func (f forbidden) checkPackets(t *testing.T, l *lab, mark int) {
	t.Helper()
	for _, p := range l.rec.since(t, mark) {
		if !f.permits(l, p) {
			t.Errorf("arrived: %v", p)
		}
	}
}

// permits reports whether a packet may arrive during the try.
func (f forbidden) permits(l *lab, p packet) bool {
	name := f.reaches + f.lookedUp
	switch {
	case p.proto == "tcp" && !p.syn && len(p.payload) == 0:
		return true // the tail of a connection whose beginning was judged when it arrived
	case name == "":
		return false
	}
	if p.dst.Port() == 53 && (p.dst.Addr().String() == resolver4 || p.dst.Addr().String() == resolver6) {
		return p.query == name || p.query == "" && p.proto == "tcp"
	}
	return f.reaches != "" && p.proto == "tcp" && len(p.payload) == 0 && int(p.dst.Port()) == f.want.port &&
		slices.Contains(l.addressesOf(name), p.dst.Addr())
}

// byHTTP tries with curl through the HTTP listener.
func byHTTP(from string, args ...string) attempt {
	return func(t *testing.T, l *lab) result {
		return l.curl(t, named(from), append([]string{"-D", "-", "-x", httpDoor}, args...)...)
	}
}

// bySOCKS tries with curl through the SOCKS5 listener; the gateway resolves names.
func bySOCKS(from string, args ...string) attempt {
	return func(t *testing.T, l *lab) result {
		return l.curl(t, named(from), append([]string{"-x", socksDoor}, args...)...)
	}
}

// byOpenSSL tries with s_client through CONNECT.
func byOpenSSL(args ...string) attempt {
	return func(t *testing.T, l *lab) result {
		args := append([]string{"s_client", "-proxy", gateway4 + ":3128", "-CAfile", l.ca.file}, args...)
		return l.clients.run(t, l.dir, "GET / HTTP/1.0\r\n\r\n", "openssl", args...)
	}
}

// byDNS asks with dig.
func byDNS(from string, args ...string) attempt {
	return func(t *testing.T, l *lab) result {
		return l.tool(t, "dig", append([]string{"@" + gateway4, "-b", named(from).v4(), "+time=3", "+tries=1"}, args...)...)
	}
}

// byHand writes bytes to a listener and returns what comes back until it
// closes; a pause after each part lets the gateway answer it.
func byHand(from, port string, parts ...string) attempt {
	return func(t *testing.T, l *lab) result {
		r := result{line: "by hand to port " + port, code: 1}
		c, err := l.clients.dial("tcp", named(from).v4(), gateway4+":"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(8 * time.Second))
		buf := make([]byte, 4096)
		for _, part := range parts {
			if _, err := c.Write([]byte(part)); err != nil {
				break
			}
			n, err := c.Read(buf)
			r.stdout += string(buf[:n])
			if err != nil {
				break
			}
		}
		for err == nil {
			var n int
			n, err = c.Read(buf)
			r.stdout += string(buf[:n])
		}
		return r
	}
}
