// Matcher: compares the way of a name to its verdict with a map that is asked
// for every suffix of a name after the same strict checks.
//
//	go test -bench Matcher -count 6 .

package bench

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"sallyport/configs"
	"sallyport/rules"
	"sallyport/rules/profile"
)

// A matcher reports whether raw is one of the names or below one of the names.
type matcher interface{ match(raw string) bool }

// decider is the product: ParseName and Decide.
type decider struct {
	policy  *rules.Policy
	attempt rules.Attempt
}

func newDecider(names []string) *decider {
	client := &rules.Client{Name: "c", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	c := &rules.Spec{Clients: []*rules.Client{client}}
	for i, s := range names {
		n, err := rules.ParseName(s)
		if err != nil {
			panic(err)
		}
		if i%10 == 0 { // a product's rule has a handful of names
			c.Rules = append(c.Rules, &rules.Rule{Profile: rules.SiteProfile, ID: strconv.Itoa(i), Client: "c", TCP: rules.Ports{{First: 443, Last: 443}}})
		}
		r := c.Rules[len(c.Rules)-1]
		r.To = append(r.To, rules.Destination{Name: n}, rules.Destination{Name: n, Wildcard: true})
	}
	p, _ := rules.Compile(c, rules.Own{}, time.Unix(0, 0))
	return &decider{p, rules.Attempt{
		Via: rules.ViaConnect, Proto: rules.TCP, Provisional: true,
		Client: netip.MustParseAddrPort("127.0.0.1:40000"), Dest: netip.AddrPortFrom(netip.Addr{}, 443),
	}}
}

// newListDecider is newDecider with the names in a list.
func newListDecider(names []string) *decider {
	var list rules.ListBuilder
	list.File("allow.txt")
	for i, s := range names {
		n, err := rules.ParseName(s)
		if err != nil {
			panic(err)
		}
		list.Add(rules.Destination{Name: n}, i+1)
		list.Add(rules.Destination{Name: n, Wildcard: true}, i+1)
	}
	l, _ := list.Done()
	c := &rules.Spec{
		Clients: []*rules.Client{{Name: "c", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}},
		Rules:   []*rules.Rule{{Profile: rules.SiteProfile, ID: "r", Client: "c", List: l, TCP: rules.Ports{{First: 443, Last: 443}}}},
	}
	d := newDecider(names[:1])
	d.policy, _ = rules.Compile(c, rules.Own{}, time.Unix(0, 0))
	return d
}

func (d *decider) match(raw string) bool {
	n, err := rules.ParseName(raw)
	if err != nil {
		return false
	}
	d.attempt.Authority = n
	return d.policy.Decide(d.attempt).Allowed()
}

// strictMap checks a name, folds its case into a buffer, and looks up every
// suffix that is not deeper than the deepest name. This is what a careful
// program with a map does. Its answer is only yes or no.
type strictMap struct {
	names   map[string]struct{}
	deepest int
	buf     [256]byte
}

func newStrictMap(names []string) *strictMap {
	m := &strictMap{names: map[string]struct{}{}}
	for _, s := range names {
		m.names[s] = struct{}{}
		m.deepest = max(m.deepest, strings.Count(s, ".")+1)
	}
	return m
}

func (m *strictMap) match(raw string) bool {
	raw = strings.TrimSuffix(raw, ".")
	if raw == "" || len(raw) > 253 {
		return false
	}
	label := 0
	for i := range len(raw) {
		c := raw[i]
		switch {
		case c == '.':
			if label == 0 || label > 63 {
				return false
			}
			label = -1
		case 'A' <= c && c <= 'Z':
			c |= 0x20
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
		label++
		m.buf[i] = c
	}
	if label == 0 || label > 63 {
		return false
	}
	name := m.buf[:len(raw)]
	at := len(name)
	for range m.deepest {
		for at--; at >= 0 && name[at] != '.'; at-- {
		}
		if _, ok := m.names[string(name[at+1:])]; ok {
			return true
		}
		if at < 0 {
			return false
		}
	}
	return false
}

// shipped returns the exact names of the shipped profiles.
func shipped(b testing.TB) (names []string) {
	b.Helper()
	seen := map[string]bool{}
	for _, file := range []string{"endpoint-secure-onprem.toml", "endpoint-secure-saas.toml", "cyber-command.toml", "symantec-liveupdate.toml"} {
		f, err := configs.Profiles().Open(file)
		if err != nil {
			b.Fatal(err)
		}
		text := new(strings.Builder)
		buf := make([]byte, 1<<16)
		for n, err := f.Read(buf); n > 0 || err == nil; n, err = f.Read(buf) {
			text.Write(buf[:n])
		}
		f.Close()
		p, err := profile.Parse(file, []byte(text.String()))
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range p.Rules {
			for _, d := range r.To {
				if s := d.Name.String(); s != "" && !seen[s] {
					seen[s] = true
					names = append(names, s)
				}
			}
		}
	}
	return names
}

// generated returns n random names.
func generated(n int) (names []string) {
	r := rand.New(rand.NewPCG(20, uint64(n)))
	words := []string{"cloud", "update", "api", "cdn", "edge", "mail", "data", "shop", "net", "media", "eu-west", "static"}
	seen := map[string]bool{}
	for len(names) < n {
		s := fmt.Sprintf("%s%s%d.%s", words[r.IntN(12)], words[r.IntN(12)], r.IntN(9999), []string{"com", "net", "org", "com.cn", "co.uk"}[r.IntN(5)])
		if r.IntN(3) == 0 {
			s = words[r.IntN(12)] + "." + s
		}
		if !seen[s] {
			seen[s] = true
			names = append(names, s)
		}
	}
	return names
}

// workloads returns lists of queries; each length is a power of two.
func workloads(names []string) map[string][]string {
	r := rand.New(rand.NewPCG(21, uint64(len(names))))
	out := map[string][]string{}
	for range 1 << min(12+len(names)/200_000, 17) { // more for a list that no cache holds
		name := names[r.IntN(len(names))]
		parent := name[strings.IndexByte(name, '.')+1:]
		for what, s := range map[string]string{
			"exact":      name,
			"below":      fmt.Sprintf("x%d.www.%s", r.IntN(1000), name),
			"sibling":    fmt.Sprintf("x%d.%s", r.IntN(1000), parent),
			"mixed-case": strings.ToUpper(name[:len(name)/2]) + name[len(name)/2:] + ".",
			"127-labels": strings.Repeat(string(rune('a'+r.IntN(26)))+".", 126) + "q",
		} {
			out[what] = append(out[what], s)
		}
	}
	return out
}

func sizes(b testing.TB) map[string][]string {
	return map[string][]string{"shipped": shipped(b), "10000": generated(10_000)}
}

// TestMatchersAgree asserts that both matchers give the same answers.
func TestMatchersAgree(t *testing.T) {
	for size, names := range sizes(t) {
		d, l, m := newDecider(names), newListDecider(names), newStrictMap(names)
		for what, queries := range workloads(names) {
			for _, q := range queries {
				if d.match(q) != m.match(q) || l.match(q) != m.match(q) {
					t.Fatalf("%s, %s: %q is %v for Decide, %v for Decide with a list, %v for the map", size, what, q, d.match(q), l.match(q), m.match(q))
				}
			}
		}
	}
}

// A row is one way to find a name.
type row struct {
	name string
	m    matcher
}

// rows returns the rows for a number of names. A rule of the configuration has no million.
func rows(names []string) []row {
	out := []row{{"decide-list", newListDecider(names)}, {"strict-map", newStrictMap(names)}}
	if len(names) <= 10_000 {
		out = append(out, row{"decide", newDecider(names)})
	}
	return out
}

func BenchmarkMatcher(b *testing.B) {
	for _, size := range []string{"shipped", "10000", "1000000"} {
		names := sizes(b)[size]
		if size == "1000000" {
			names = generated(1_000_000)
		}
		all, ways := workloads(names), rows(names)
		for _, what := range []string{"exact", "below", "sibling", "mixed-case", "127-labels"} {
			queries := all[what]
			for _, row := range ways {
				b.Run(fmt.Sprintf("n=%s/w=%s/m=%s", size, what, row.name), func(b *testing.B) {
					b.ReportAllocs()
					hits := 0
					for i := 0; b.Loop(); i++ {
						if row.m.match(queries[i&(len(queries)-1)]) {
							hits++
						}
					}
					_ = hits
				})
			}
		}
	}
}
