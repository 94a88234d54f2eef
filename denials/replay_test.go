// Tests of replay: every decision counts once, with the answer of the new policy.

package denials

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/denials/journal"
	"sallyport/denials/journaltest"
	"sallyport/rules"
)

// decided returns records of all decisions of a site, allowed attempts too.
func decided(t testing.TB, s *Site, as ...rules.Attempt) []journal.Record {
	t.Helper()
	var out []journal.Record
	for i, a := range as {
		r := journal.RecordOf(noon, a, s.Policy.Decide(a))
		r.Boot, r.Seq = "b", uint64(i+1)
		out = append(out, r)
	}
	return out
}

func replayed(t testing.TB, s *Site, rs ...journal.Record) *Replayed {
	t.Helper()
	p, err := Replay(context.Background(), Query{Files: []string{journalOf(t, filepath.Join(t.TempDir(), "j"), rs...)}, Site: s})
	if err != nil {
		t.Fatal(err)
	}
	if p.Permitted+p.Denied+p.Unchanged+p.Unknown != p.Decisions {
		t.Errorf("does not add up: %+v", p)
	}
	return p
}

// A policy replayed on its own decisions changes nothing, for any reason.
func TestReplayOnTheSamePolicyChangesNothing(t *testing.T) {
	for seed := range uint64(3) {
		g, site := journaltest.NewGenerator(t, seed), siteOf(t, fleet)
		var as []rules.Attempt
		for range 5000 {
			as = append(as, g.Attempt())
		}
		rs := decided(t, site, as...)
		reasons := map[string]bool{}
		for _, r := range rs {
			reasons[r.Reason] = true
		}
		p := replayed(t, site, rs...)
		if p.Permitted+p.Denied > 0 {
			t.Errorf("seed %d: %+v", seed, p)
			for _, c := range p.Changes[:min(len(p.Changes), 5)] {
				t.Errorf("  %s:%d %s was %s %s would be %s %s", c.Host, c.Port, c.Client, c.Verdict, c.Reason, c.NewVerdict, c.NewReason)
			}
		}
		if len(reasons) < 18 {
			t.Errorf("only %d reasons were generated: %v", len(reasons), reasons)
		}
	}
}

func TestReplaySaysWhatChanges(t *testing.T) {
	old := siteOf(t, fleet)
	rs := decided(t, old,
		attempt(t, manager, "auth.sangfor.com", 443),        // feature_off, turned on
		attempt(t, manager, "auth.sangfor.com", 0),          // the same
		attempt(t, manager, "evil.example", 443),            // denied by both
		attempt(t, manager, "license.sangfor.com", 443),     // permitted by both
		attempt(t, agentAddr, "license.sangfor.com", 443),   // denied by both
		attempt(t, laptop, "telemetry.vendor.example", 443), // let through by audit, denied now
		attempt(t, laptop, "edr.vendor.example", 443),       // let through by audit, permitted by a rule now
		attempt(t, sep, "10.3.9.9", 1433),                   // permitted, denied now
	)
	rs[0].Count = 500
	rs = append(rs, at(1, func(r *journal.Record) { r.Host, r.Count, r.Client = "", 9000, "10.0.0.7" })) // folded
	changed := strings.NewReplacer(`features = ["cyber-guardian"]`, `features = ["neural-x"]`, `mode    = "audit"`, "", `mode     = "audit"`, "",
		"[client.addresses]\ndatabase = [\"10.3.9.9\"]\n", "").Replace(fleet) +
		"[[rule]]\nid = \"edr\"\nclient = \"laptops\"\nto = [\"edr.vendor.example\"]\ntcp = [443]\nreason = \"ticket 9\"\n"
	now := siteOf(t, changed)
	p := replayed(t, now, rs...)
	if p.Decisions != 9507 || p.Permitted != 502 || p.Denied != 2 || p.Unchanged != 3 || p.Unknown != 9000 {
		t.Errorf("%+v", p)
	}
	got := map[string]string{}
	for _, c := range p.Changes {
		got[fmt.Sprint(c.Host, ":", c.Port)] = c.Outcome + " " + c.NewVerdict + " " + c.NewReason + c.NewRule
	}
	for dest, want := range map[string]string{
		"auth.sangfor.com:443":         "newly_permitted allow endpoint-secure-onprem/auth",
		"auth.sangfor.com:0":           "newly_permitted allow endpoint-secure-onprem/auth",
		"telemetry.vendor.example:443": "newly_denied deny not_listed",
		"edr.vendor.example:443":       "newly_permitted allow site/edr",
		"10.3.9.9:1433":                "newly_denied deny ip_literal",
	} {
		if got[dest] != want {
			t.Errorf("%s: %q, want %q", dest, got[dest], want)
		}
	}
	if len(got) != 5 {
		t.Errorf("%v", got)
	}
}

// Replay judges the recorded content again. A forged name stays denied. A private
// address is permitted if the configuration lists its prefix.
func TestReplayOfContent(t *testing.T) {
	old := siteOf(t, fleet)
	forged := attempt(t, manager, "license.sangfor.com", 443)
	forged.Provisional, forged.Shown, forged.SNI = false, rules.ShownTLS, name(t, "evil.example")
	private := attempt(t, manager, "license.sangfor.com", 443)
	private.Resolved = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	private.Dest = netip.AddrPortFrom(private.Resolved[0], 443)
	ech := attempt(t, manager, "license.sangfor.com", 443)
	ech.Provisional, ech.Shown, ech.SNI, ech.ECH = false, rules.ShownTLS, ech.Authority, true
	plain := attempt(t, manager, "license.sangfor.com", 443)
	plain.Provisional, plain.Shown, plain.Fault = false, rules.ShownOpaque, rules.NotTLS
	rs := decided(t, old, forged, private, ech, plain)
	if p := replayed(t, old, rs...); p.Unchanged != 4 {
		t.Errorf("on the same policy: %+v", p)
	}
	now := siteOf(t, strings.Replace(fleet, `"deny"`, `"outer"`, 1)+"[resolve]\nprivate = [\"10.0.0.0/24\"]\n")
	p := replayed(t, now, rs...)
	if p.Permitted != 2 || p.Unchanged != 2 {
		t.Errorf("%+v", p)
	}
	for _, c := range p.Changes {
		if c.Reason != "private_address" && c.Reason != "ech_present" {
			t.Errorf("%s was %s and is %s", c.Host, c.Reason, c.NewVerdict)
		}
	}
	// A rule that does not limit the content permits a flow without TLS.
	opaque := siteOf(t, fleet+"[[rule]]\nid = \"any\"\nclient = \"es-manager\"\nto = [\"license.sangfor.com\"]\nany = true\nreason = \"r\"\n")
	if p := replayed(t, opaque, rs[0], rs[3]); p.Permitted != 2 {
		t.Errorf("%+v", p)
	}
}
