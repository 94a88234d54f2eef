//go:build linux

// Reach: every documented TCP destination of every profile is reached through
// HTTP and SOCKS5, over IPv4 and IPv6, and looked up through DNS.

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// trip is one transfer through the gateway.
type trip struct {
	destination
	proxy  string // curl's option for the proxy, and its value
	scheme string
	v6     bool // the client's own address
	tunnel bool // CONNECT also for plain HTTP
}

func (tr trip) String() string {
	return fmt.Sprintf("%s from %s (v6=%t) by %s, tunnel=%t", tr.url(), tr.client.name, tr.v6, tr.proxy, tr.tunnel)
}

func (tr trip) url() string {
	return fmt.Sprintf("%s://%s/", tr.scheme, hostPort(tr.host, tr.port))
}

// hostPort joins a host and a port, with brackets around an IPv6 address.
func hostPort(host string, port uint16) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s:%d", host, port)
}

// section returns the trip as one section of a curl configuration.
func (tr trip) section(i int, dir, ca string) string {
	source := tr.client.v4()
	if tr.v6 {
		source = tr.client.v6()
	}
	s := fmt.Sprintf("url = %q\n%s\ninterface = %q\noutput = %q\ncacert = %q\nmax-time = 20\nsilent\n"+
		"write-out = \"%d %%{http_code} %%{exitcode} %%{errormsg}\\n\"\n",
		tr.url(), tr.proxy, "host!"+source, filepath.Join(dir, fmt.Sprint(i)), ca, i)
	if tr.tunnel {
		s += "proxytunnel\n"
	}
	return s
}

// trips lists the ways to one destination: by HTTP, by CONNECT and by SOCKS5,
// once with each of the client's addresses.
func (d destination) trips() (ts []trip) {
	for _, v6 := range []bool{false, true} {
		door := gateway4
		if v6 {
			door = "[" + gateway6 + "]"
		}
		http, socks := `proxy = "http://`+door+`:3128"`, `proxy = "socks5h://`+door+`:1080"`
		switch d.port {
		case 80:
			ts = append(ts, trip{d, http, "http", v6, false}, trip{d, http, "http", v6, true}, trip{d, socks, "http", v6, false})
		case 443:
			ts = append(ts, trip{d, http, "https", v6, false}, trip{d, socks, "https", v6, false})
		default:
			ts = append(ts, trip{d, http, "https", v6, false}, trip{d, http, "http", v6, false},
				trip{d, socks, "https", v6, false}, trip{d, socks, "http", v6, false})
		}
	}
	return ts
}

// Every documented TCP destination is reached in every way: the origin of the row
// answers, and the journal has no denial.
func TestEveryDocumentedDestinationIsReached(t *testing.T) {
	need(t, "curl")
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet))
	// Whether curl 7.88 writes the brackets of an IPv6 address depends on the
	// earlier use of its connection to the proxy. So the trips to addresses run in
	// a curl of their own.
	var all, literals []trip
	for _, d := range documentedDestinations() {
		if strings.Contains(d.host, ":") {
			literals = append(literals, d.trips()...)
		} else {
			all = append(all, d.trips()...)
		}
	}
	mark := l.rec.mark(t)
	l.travel(t, all)
	l.travel(t, literals)
	if ds := g.journal().denials(0); len(ds) > 0 {
		t.Errorf("the journal has %d denials, among them\n%s", len(ds), ds[0].line)
	}
	l.onlyDocumented(t, l.rec.since(t, mark))
	t.Logf("%d transfers to %d destinations", len(all)+len(literals), len(documentedDestinations()))
}

// travel makes all trips in one curl and checks which origin answered each
// trip.
func (l *lab) travel(t *testing.T, all []trip) {
	t.Helper()
	out := t.TempDir()
	var sections []string
	for i, tr := range all {
		sections = append(sections, tr.section(i, out, l.ca.file))
	}
	config := filepath.Join(out, "curlrc")
	if err := os.WriteFile(config, []byte(strings.Join(sections, "next\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	r := l.tool(t, "curl", "--disable", "--no-progress-meter", "--parallel", "--parallel-max", "8", "--config", config)
	reports := make(map[int]string)
	for _, line := range lines(r.stdout) {
		var i int
		if _, err := fmt.Sscan(line, &i); err == nil {
			reports[i] = line
		}
	}
	failed := 0
	for i, tr := range all {
		body, _ := os.ReadFile(filepath.Join(out, fmt.Sprint(i)))
		if !l.answeredBy(string(body), tr) {
			if failed++; failed <= 20 {
				t.Errorf("%v: curl says %q, body %q", tr, reports[i], body)
			}
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d transfers failed; curl: exit %d %s", failed, len(all), r.code, r.stderr)
	}
}

// answeredBy reports whether body is the page of the trip's origin.
func (l *lab) answeredBy(body string, tr trip) bool {
	return slices.ContainsFunc(l.addressesOf(tr.host), func(a netip.Addr) bool {
		want := fmt.Sprintf("origin %s %d tls=%t host=", a, tr.port, tr.scheme == "https")
		return strings.HasPrefix(body, want)
	})
}

// onlyDocumented fails the test for every packet that no row of the documents
// explains.
func (l *lab) onlyDocumented(t *testing.T, packets []packet) {
	t.Helper()
	names, places := make(map[string]bool), make(map[netip.AddrPort]bool)
	for _, d := range documentedDestinations() {
		names[d.host] = true
		for _, a := range l.addressesOf(d.host) {
			places[netip.AddrPortFrom(a, d.port)] = true
		}
	}
	resolvers := []string{resolver4 + ":53", "[" + resolver6 + "]:53"}
	for _, p := range packets {
		asked := slices.Contains(resolvers, p.dst.String()) && (p.query == "" || names[p.query])
		if !asked && !(p.proto == "tcp" && places[p.dst]) {
			t.Errorf("arrived although no document lists it: %v", p)
			return
		}
	}
}

// Every documented name is looked up through the DNS filter: A and AAAA, over
// UDP and TCP, asked over IPv4 and IPv6, and the answers are the origin's.
func TestEveryDocumentedNameIsLookedUp(t *testing.T) {
	need(t, "dig")
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet))
	byClient := make(map[string][]string)
	for _, d := range documentedDestinations() {
		if _, err := netip.ParseAddr(d.host); err != nil && !slices.Contains(byClient[d.client.name], d.host) {
			byClient[d.client.name] = append(byClient[d.client.name], d.host)
		}
	}
	for name, hosts := range byClient {
		for _, transport := range []string{"+notcp", "+tcp"} {
			l.lookUp(t, named(name).v4(), gateway4, transport, hosts)
			l.lookUp(t, named(name).v6(), gateway6, transport, hosts)
		}
	}
	if ds := g.journal().denials(0); len(ds) > 0 {
		t.Errorf("the journal has %d denials, among them\n%s", len(ds), ds[0].line)
	}
}

// lookUp queries all hosts in one dig and compares the answers.
func (l *lab) lookUp(t *testing.T, source, server, transport string, hosts []string) {
	t.Helper()
	args := []string{"@" + server, "-b", source, "+noall", "+answer", "+nosplit", "+time=3", transport}
	want := make(map[string]bool)
	for _, host := range hosts {
		for _, qtype := range []string{"A", "AAAA"} {
			args = append(args, host, qtype)
		}
		for _, a := range l.book.of(host) {
			want[host+" "+a.String()] = true
		}
	}
	r := l.tool(t, "dig", args...)
	for _, line := range lines(strings.ReplaceAll(r.stdout, ";", "#")) {
		f := strings.Fields(line)
		if len(f) != 5 || !want[strings.TrimSuffix(f[0], ".")+" "+f[4]] {
			t.Errorf("dig from %s @%s %s answers %q", source, server, transport, line)
			continue
		}
		delete(want, strings.TrimSuffix(f[0], ".")+" "+f[4])
	}
	if r.code != 0 || len(want) > 0 {
		t.Errorf("dig from %s @%s %s lacks %v\n%s", source, server, transport, want, r.stderr)
	}
}
