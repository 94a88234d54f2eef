// Preflight's exit status: what a script or a monitor goes by.

package main

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/preflight"
	"sallyport/dnsfilter"
	"sallyport/rules"
)

func TestPreflightStatus(t *testing.T) {
	for _, c := range []struct {
		name   string
		report preflight.Report
		code   int
	}{
		{"all work", preflight.Report{Summary: preflight.Summary{OK: 3, NotTried: 2}}, 0},
		{"warnings", preflight.Report{Summary: preflight.Summary{OK: 1, Warning: 1}}, 0},
		{"warnings only", preflight.Report{Summary: preflight.Summary{Warning: 1}}, 0},
		{"one fails", preflight.Report{Summary: preflight.Summary{OK: 30, Failed: 1}}, 1},
		{"interrupted", preflight.Report{Interrupted: true, Summary: preflight.Summary{OK: 3, Unfinished: 1}}, 2},
		{"interrupted after a failure", preflight.Report{Interrupted: true, Summary: preflight.Summary{Failed: 1, Unfinished: 1}}, 1},
		{"nothing to try", preflight.Report{Summary: preflight.Summary{NotTried: 4}}, 2},
	} {
		err := preflightStatus(&c.report)
		var exit *exitError
		if errors.As(err, &exit) != (c.code != 0) || exit != nil && exit.code != c.code {
			t.Errorf("%s: %v, want exit %d", c.name, err, c.code)
		}
	}
}

// A mistake is told from a destination that fails.
func TestPreflightCannotBeAsked(t *testing.T) {
	for _, args := range [][]string{
		{"--config", "/nonexistent.toml"}, {"--client", "nobody"}, {"--host", "[a"}, {"--host", "nothing.*"},
		{"--timeout", "1ms"}, {"--parallel", "1000"}, {"argument"}, {"--unknown"},
	} {
		if code, out, diag := command(t, "", append([]string{"preflight"}, args...)...); code != 2 || out != "" || !strings.HasPrefix(diag, "sallyport: ") {
			t.Errorf("%v: exit %d, %q, %q", args, code, out, diag)
		}
	}
}

// The bar counts what is done, on one line that it wipes away.
func TestProgressCounts(t *testing.T) {
	var b bytes.Buffer
	bar := &progressBar{w: &b}
	show := bar.count("destinations")
	show(3, 12)
	show(4, 12) // too soon to be drawn again
	bar.clear()
	if got := b.String(); strings.Count(got, "\r") != 2 || !strings.Contains(got, " 25 %  3 of 12 destinations") || !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("%q", got)
	}
	if (&progressBar{}).count("destinations") != nil {
		t.Error("a bar that nobody sees is drawn")
	}
}

// A resolver that changes the letter case of questions works, and is a finding
// of its own: it is not taken for one that is down or firewalled.
func TestPreflightRespellingResolver(t *testing.T) {
	tries := upstreamTries{seen: map[netip.AddrPort]*preflight.Upstream{}}
	up := dnsfilter.Upstream{Proto: rules.UDP, Addr: netip.MustParseAddrPort("192.0.2.53:53")}
	tries.note(dnsfilter.UpstreamTry{Addr: up.Addr, Up: true, ChangesCase: true})
	tries.note(dnsfilter.UpstreamTry{Addr: up.Addr, Up: true})
	r := &preflight.Report{}
	r.SetUpstreams(tries.list([]dnsfilter.Upstream{up}))
	if len(r.Upstreams) != 1 || r.Upstreams[0] != (preflight.Upstream{Upstream: "udp://192.0.2.53:53", Answered: 2, Respells: true}) {
		t.Errorf("%+v", r.Upstreams)
	}
	var b bytes.Buffer
	if err := r.Write(&b, false); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "warning: resolver udp://192.0.2.53:53 changes the letter case") || strings.Contains(got, "failed") {
		t.Errorf("%s", got)
	}
}
