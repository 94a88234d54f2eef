// Tests a property of every suggestion: the changed configuration permits what the
// suggestion lists, and nothing else.

package denials

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sallyport/denials/journaltest"
	"sallyport/rules"
)

var (
	suggestHosts = []string{"auth.sangfor.com", "auth.sea.sangfor.com", "clt.sangfor.com", "license.sangfor.com", "download.sangfor.com.cn",
		"a.corp.example", "b.a.corp.example", "corp.example", "manager.corp.example", "evil.example", "10.20.30.40", "10.20.30.41", "45.83.7.66", "13.94.16.103", "2001:db8::1"}
	suggestPorts   = []uint16{443, 80, 22, 4430, 4431, 8083, 22345, 1433, 2638, 9000, 0}
	suggestClients = []string{"10.1.0.7", "10.1.1.1", "10.2.0.7", "10.66.0.1", "10.20.30.40"}
	suggestTo      = []string{"*.corp.example", "a.corp.example", "b.a.corp.example", "45.83.7.0/24", "10.20.30.40", "10.20.0.0/16", "2001:db8::/64", "evil.example"}
	suggestReach   = []string{"tcp = [443]", "tcp = [80, \"8000-9000\"]\nudp = [53]", "any = true", "tcp = \"all\"", "udp = \"all\"", "tcp = [443]\nexpires = 2026-01-31"}
)

// suggestSite returns a configuration of two clients whose rules overlap.
func suggestSite(r *rand.Rand) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	var b strings.Builder
	for i, sources := range []string{pick(`"10.1.0.0/24"`, `"10.1.0.7"`, `"10.1.0.0/16"`), pick(`"10.2.0.0/16"`, `"10.2.0.7", "10.20.30.40"`)} {
		fmt.Fprintf(&b, "[[client]]\nname = \"c%d\"\nsources = [%s]\n%s", i, sources, pick("", "mode = \"audit\"\n"))
		role := pick("manager", "agent")
		switch r.IntN(4) {
		case 0:
			b.WriteString("profiles = []\n")
			continue
		case 1:
			fmt.Fprintf(&b, "profiles = [\"symantec-endpoint-protection\"]\nrole = \"manager\"\n%s", pick("", "version = \"12.1\"\n"))
			b.WriteString(pick("", "[client.addresses]\ndatabase = [\"10.20.30.40\"]\n"))
			continue
		}
		fmt.Fprintf(&b, "profiles = [\"endpoint-secure-onprem\"]\nrole = %q\nfeatures = [%s]\n", role, pick("", `"cyber-guardian"`, `"neural-x"`))
		b.WriteString(pick("", "[client.addresses]\nmanager = [\"10.20.30.40\"]\n", "[client.addresses]\nmanager = [\"10.20.30.0/24\", \"manager.corp.example\"]\n"))
	}
	for i := range r.IntN(4) {
		fmt.Fprintf(&b, "[[rule]]\nid = \"r%d\"\nclient = \"c%d\"\nto = [%q, %q]\nreason = \"T\"\n%s\n", i, r.IntN(2), pick(suggestTo...), pick(suggestTo...), pick(suggestReach...))
	}
	b.WriteString(pick("", "[[dns.zone]]\nsuffix = \"corp.example\"\nupstreams = [\"udp://10.0.0.53\"]\n"))
	b.WriteString(pick("", "[resolve]\nprivate = [\"10.20.30.0/24\"]\n"))
	b.WriteString(pick("", "[hosts]\n\"manager.corp.example\" = [\"10.20.30.40\"]\n"))
	return b.String()
}

// probes returns attempts to reach all names, addresses and ports in the policies
// and attempts, and similar names, addresses and ports.
func probes(t testing.TB) []rules.Attempt {
	hosts := slices.Concat(suggestHosts, []string{"x.corp.example", "www.auth.sangfor.com", "upd.sangfor.com", "45.83.7.255", "45.83.8.0", "10.20.31.1", "2001:db8::ffff", "10.9.9.9"})
	ports := slices.Concat(suggestPorts, []uint16{442, 444, 7999, 8000, 8999, 53, 65535, 1})
	var out []rules.Attempt
	for _, c := range slices.Concat(suggestClients, []string{"10.1.0.8", "10.66.0.2", "10.3.0.1"}) {
		for _, h := range hosts {
			for _, p := range ports {
				a := attempt(t, c, h, p)
				if p == 0 && a.Authority.IsZero() {
					continue
				}
				out = append(out, a)
				if p != 0 {
					out = append(out, udp(a))
				}
			}
			private := attempt(t, c, h, 443)
			if !private.Authority.IsZero() {
				private.Dest = netip.MustParseAddrPort("10.20.30.40:443")
				out = append(out, private)
			}
		}
	}
	return out
}

// printed reports whether one of the gains includes an attempt.
func printed(gains []rules.Gain, a rules.Attempt) bool {
	return slices.ContainsFunc(gains, func(g rules.Gain) bool {
		if g.Client != nil && !slices.ContainsFunc(g.From, func(r rules.Region) bool { return r.HasAddr(a.Client.Addr()) }) {
			return false
		}
		ports := g.TCP
		if a.Proto == rules.UDP {
			ports = g.UDP
		}
		at := g.At.IsZero() || g.At.HasAddr(a.Dest.Addr())
		return g.Audit || !g.Private.IsZero() && g.Private.HasAddr(a.Dest.Addr()) ||
			(g.To.HasName(a.Authority) && at || a.Authority.IsZero() && g.At.IsZero() && g.To.HasAddr(a.Dest.Addr())) &&
				(g.Any || ports.Has(a.Dest.Port()) || a.Via == rules.ViaDNS && (g.LookUp || g.Zone || a.Dest.Addr().IsValid()))
	})
}

func TestSuggestionIsTheWholeDifference(t *testing.T) {
	cures, asks, documents, all := map[Cure]int{}, 0, journaltest.Profiles(t), probes(t)
	check := func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 2))
		text := suggestSite(r)
		s, err := NewSite(Source{File: "site.toml", Text: []byte(text), Profiles: documents, Now: noon})
		if err != nil {
			rt.Skip(err)
		}
		var tally Tally
		for range 1 + r.IntN(3) {
			a := attempt(t, suggestClients[r.IntN(len(suggestClients))], suggestHosts[r.IntN(len(suggestHosts))], suggestPorts[r.IntN(len(suggestPorts))])
			if d := s.Policy.Decide(a); d.Allowed() && !d.Would || a.Authority.IsZero() && a.Dest.Port() == 0 {
				continue
			}
			rec := denialOf(t, s, a)
			tally.Add(&rec)
		}
		list := s.Suggest(tally.Groups(), 0, r.IntN(2) == 0)
		for i, sg := range list {
			if sg.change == nil {
				continue
			}
			if sg.Asks && slices.ContainsFunc(list[i:], func(o *Suggestion) bool { return o.change != nil && !o.Asks }) {
				rt.Fatalf("%s comes before what the configuration speaks for", sg.Title)
			}
			cures[sg.Cure]++
			asks += sg.questions()
			s.checkSuggestion(rt, sg, all, text)
		}
	}
	for range 20 { // until every kind of suggestion was seen
		rapid.Check(t, check)
		if t.Failed() || len(cures) >= 3 && asks > 0 {
			return
		}
	}
	t.Errorf("%v, %d of them questions: the test tests less than it says", cures, asks)
}

// checkSuggestion makes the change of a suggestion, and compares its effect with
// the list of the suggestion.
func (s *Site) checkSuggestion(rt *rapid.T, sg *Suggestion, all []rules.Attempt, text string) {
	made, _, err := s.with(answered(sg.change.edits(s)))
	if err != nil {
		rt.Fatal(err)
	}
	src := s.src
	if src.Text, err = s.Whole([]*Suggestion{sg}); err != nil {
		rt.Fatal(err)
	}
	src.draft = true // its FILL IN is filled in
	untouched, err := NewSite(src)
	if err != nil {
		rt.Fatal(err)
	}
	for _, a := range all {
		before, after := s.Policy.Decide(a), made.Policy.Decide(a)
		gained := rank(after) == 2 && rank(before) < 2 || rank(after) > rank(before) && !(before.Client != nil && before.Client.Audit)
		if gained && !printed(sg.Gains, a) {
			rt.Fatalf("%s\npermits %v %v %v from %v too, and did not print it: %v\n%s", sg.Title, a.Authority, a.Dest, a.Proto, a.Client, sg.Gains, text)
		}
		if d := untouched.Policy.Decide(a); sg.Asks && rank(d) > rank(before) {
			rt.Fatalf("%s\npermits %v %v before it was answered\n%s", sg.Title, a.Authority, a.Dest, src.Text)
		}
	}
	for i, g := range sg.Gains {
		if i > 8 && i%7 > 0 {
			continue // if there are many, check only some
		}
		if g.To.IsZero() || !g.At.IsZero() || g.Zone {
			continue
		}
		n := 0
		for _, a := range all {
			if printed([]rules.Gain{g}, a) && !a.Dest.Addr().IsValid() {
				if n++; rank(made.Policy.Decide(a)) != 2 || rank(s.Policy.Decide(a)) == 2 && a.Via != rules.ViaDNS {
					rt.Fatalf("%s\nprinted %v, and %v %v was or stays as it is\n%s", sg.Title, g, a.Authority, a.Dest, text)
				}
			}
		}
		rest, more := sg.unasked(g)
		if more && !slices.ContainsFunc(sg.Also, func(line string) bool {
			return strings.Contains(line, g.Where()) && strings.Contains(line, rest.What())
		}) {
			rt.Fatalf("%s\ngains %v beside what was denied; printed %q", sg.Title, rest, sg.Also)
		}
	}
}
