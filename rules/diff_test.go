// Tests of Diff: every gain becomes permitted, and nothing else does.

package rules_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	. "sallyport/rules"
	"sallyport/rules/site"
)

// permitted ranks an answer: denied, let through by mode "audit", permitted.
func permitted(d Decision) int {
	switch {
	case d.Verdict == Deny:
		return 0
	case d.Would:
		return 1
	}
	return 2
}

// gainCovers reports whether a may become permitted by g.
func gainCovers(g *Gain, a Attempt) bool {
	if g.Client != nil && !slices.ContainsFunc(g.From, func(r Region) bool { return r.HasAddr(a.Client.Addr()) }) {
		return false
	}
	names := a.Pinned
	if n := a.Target(); !n.IsZero() {
		names = []Name{n}
	}
	switch {
	case g.Audit:
		return true
	case g.Setting == "ech":
		return a.ECH
	case g.Setting == "strict_destination":
		return a.Mismatch
	case strings.HasPrefix(g.Setting, "dnssec "):
		return a.Unproven
	case g.Setting != "":
		return a.Dest.String() == g.Setting
	case !g.Private.IsZero():
		return len(names) > 0 && g.Private.HasAddr(a.Dest.Addr())
	}
	if a.Target().IsZero() {
		shown := a.SNI
		if shown.IsZero() {
			shown = a.Host
		}
		where := g.To
		if !g.At.IsZero() {
			if !g.To.HasName(shown) {
				return false
			}
			where = g.At
		}
		if where.HasAddr(a.Dest.Addr()) && gainOnPort(g, a) {
			return true
		}
	}
	return slices.ContainsFunc(names, g.To.HasName) && (g.At.IsZero() || g.At.HasAddr(a.Dest.Addr())) &&
		(gainOnPort(g, a) || a.Via == ViaDNS && (g.LookUp || g.Zone || a.Dest.Addr().IsValid()))
}

func gainOnPort(g *Gain, a Attempt) bool {
	ports := g.TCP
	if a.Proto == UDP {
		ports = g.UDP
	}
	return g.Any || ports.Has(a.Dest.Port())
}

// sampleOf makes attempts that only the new policy permits, according to g. The old
// policy must deny at least one of them.
func sampleOf(g *Gain, r *rand.Rand) (out []Attempt) {
	from := memberOf(r, g.From[r.IntN(len(g.From))])
	a := Attempt{Via: ViaConnect, Proto: TCP, Provisional: true, Client: netip.AddrPortFrom(from.addr, 999)}
	ports := g.TCP
	switch {
	case g.Any:
		ports = Ports{{61999, 61999}} // no other rule lists it
	case len(g.TCP) == 0:
		ports, a.Proto = g.UDP, UDP
	}
	to := memberOf(r, g.To)
	if !from.ok || !to.ok {
		return nil
	}
	a.Authority = to.name
	a.Dest = netip.AddrPortFrom(to.addr, 0)
	if len(ports) > 0 {
		p := ports[r.IntN(len(ports))]
		a.Dest = netip.AddrPortFrom(to.addr, p.First+uint16(r.IntN(int(p.Last-p.First)+1)))
	}
	if g.Any {
		a.Provisional, a.Shown = false, ShownOpaque // only any = true lets such a flow through
	}
	if !g.At.IsZero() {
		at := memberOf(r, g.At)
		if !at.ok || !Special(at.addr) && !IsPlain(g.At.Of.Prefix) {
			return nil // the gain concerns only the special addresses of the region
		}
		a.Dest = netip.AddrPortFrom(at.addr, a.Dest.Port())
		b := a
		b.Via, b.Authority, b.SNI, b.Shown = ViaTransparent, Name{}, to.name, ShownTLS
		b.Original, b.ByAddress = b.Dest, true
		return []Attempt{a, b}
	}
	if len(ports) == 0 && !g.Any {
		a.Via, a.QType, a.Proto = ViaDNS, 1, UDP
		if !g.LookUp {
			for _, private := range []string{"10.11.12.13", "192.168.7.7", "127.0.0.9", "fd00::7"} {
				a.Dest = netip.AddrPortFrom(netip.MustParseAddr(private), 0)
				out = append(out, a)
			}
			return out
		}
	}
	return []Attempt{a}
}

type member struct {
	name Name
	addr netip.Addr
	ok   bool
}

// memberOf finds a name or address of a region. ok is false if it found none.
func memberOf(r *rand.Rand, g Region) member {
	for range 200 {
		if g.Of.Prefix.IsValid() {
			b := g.Of.Prefix.Addr().AsSlice()
			for i := g.Of.Prefix.Bits(); i < len(b)*8; i++ {
				b[i/8] ^= byte(r.IntN(2)) << (7 - i%8)
			}
			if a, _ := netip.AddrFromSlice(b); g.HasAddr(a) {
				return member{addr: a, ok: true}
			}
			continue
		}
		n := g.Of.Name
		if g.Of.Wildcard {
			n = MustName([]string{"a", "x", "www", "cdn", "a.cdn", "y.z"}[r.IntN(6)] + "." + n.String())
		}
		if g.HasName(n) {
			return member{name: n, ok: true}
		}
	}
	return member{}
}

// edited changes one line of a configuration, or adds a rule or zone.
func edited(r *rand.Rand, text string) string {
	lines := strings.Split(text, "\n")
	i := r.IntN(len(lines))
	other := strings.Split(randomSite(r), "\n")
	switch r.IntN(3) {
	case 0: // another value for the same key
		key, _, _ := strings.Cut(lines[i], "=")
		for _, l := range other {
			if k, _, ok := strings.Cut(l, "="); ok && k == key && !strings.Contains(key, "name") && key != "id " {
				lines[i] = l
			}
		}
		return strings.Join(lines, "\n")
	case 1:
		return text + "[[rule]]\nid = \"new\"\nclient = \"c0\"\nto = [\"" + randomTo(r) + "\", \"" + randomTo(r) + "\"]\nreason = \"x\"\ntcp = [443, \"8000-8500\"]\n"
	}
	return strings.Replace(text, `sources = ["10.1`, `sources = ["10.2.1.1", "10.1`, 1)
}

func policyOf(t *rapid.T, text string, profiles []*Profile) *Policy {
	c, problems := site.Parse("sallyport.toml", site.Disk{Files: namedLists{}}, []byte(text), profiles)
	if c == nil {
		t.Skip(problems)
	}
	p, _ := Compile(&c.Spec, testOwn(), today)
	return p
}

// Every attempt that a random change makes permitted is in the difference, and
// every attempt in the difference becomes permitted.
func TestDiffIsExact(t *testing.T) {
	profiles := testProfiles(t)
	changed, sampled := 0, 0
	check := func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		text := randomSite(r)
		after := edited(r, text)
		if r.IntN(4) == 0 {
			after = randomSite(r)
		}
		old, new := policyOf(t, text, profiles), policyOf(t, after, profiles)
		if r.IntN(8) == 0 {
			old = nil
		}
		gains := Diff(old, new)
		for range 200 {
			a := randomAttempt(r)
			if !a.SNI.IsZero() {
				a.Host = Name{}
			}
			if a.Via == ViaDNS && a.Authority.IsZero() {
				a.Via = ViaConnect // a query has a name
			}
			if r.IntN(3) == 0 {
				a.Pinned = []Name{randomHost(r)}
			}
			before, now := old.Decide(a), new.Decide(a)
			if permitted(now) <= permitted(before) || permitted(now) == 1 && before.Client != nil && before.Client.Audit {
				continue // no gain, or mode "audit" lets it through anyway
			}
			changed++
			if !slices.ContainsFunc(gains, func(g Gain) bool { return gainCovers(&g, a) }) {
				t.Fatalf("%+v\nbefore: %v\nafter: %v\nis not in the difference: %v\nold:\n%s\nnew:\n%s", a, answer(before), answer(now), gains, text, after)
			}
		}
		for _, g := range gains {
			if g.To.IsZero() {
				continue
			}
			for range 3 {
				as := sampleOf(&g, r)
				if len(as) == 0 || slices.ContainsFunc(as, func(a Attempt) bool { return new.Own().Is(a.Dest) }) {
					continue
				}
				sampled++
				if !slices.ContainsFunc(as, func(a Attempt) bool { return permitted(new.Decide(a)) == 2 && permitted(old.Decide(a)) < 2 }) {
					t.Fatalf("%+v\nis in the difference, as %v\nbefore: %v\nafter: %v\nold:\n%s\nnew:\n%s", as, g, answer(old.Decide(as[0])), answer(new.Decide(as[0])), text, after)
				}
			}
		}
	}
	for range 20 { // -short makes fewer checks: repeat until there are enough samples
		rapid.Check(t, check)
		if t.Failed() || changed >= 100 && sampled >= 100 {
			return
		}
	}
	t.Errorf("only %d attempts changed, %d were sampled: the test tests less than it says", changed, sampled)
}
