// Lists against a slow twin that compares every entry.

package rules

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"
)

// listOf builds a list of one file, one entry a line.
func listOf(t testing.TB, entries ...string) (*List, Repeats) {
	t.Helper()
	var b ListBuilder
	b.File("allow.txt")
	for i, s := range entries {
		d, err := ParseDestination(s)
		if err != nil {
			t.Fatal(err)
		}
		b.Add(d, i+1)
	}
	b.Lines(len(entries))
	return b.Done()
}

// A slowList is the twin: the entries in the order of the file.
type slowList []Destination

func (s slowList) has(n Name) bool {
	return slices.ContainsFunc(s, func(d Destination) bool { return d.hasName(n) })
}

func (s slowList) exact(n Name) bool {
	return slices.Contains(s, Destination{Name: n})
}

func (s slowList) below(n Name) bool {
	return slices.ContainsFunc(s, func(d Destination) bool { return d.Name.Below(n) || d.Wildcard && d.Name == n })
}

// near reports whether some entry is a parent of n, the apex of a wildcard, or a name under
// the same parent that is no public suffix.
func (s slowList) near(n Name) bool {
	for _, d := range s {
		if d.Wildcard && d.Name == n || !d.Wildcard && n.Below(d.Name) && !d.Name.Parent().IsZero() {
			return true
		}
		for p := n; !p.IsZero(); p = p.Parent() {
			if suffix, _ := publicsuffix.PublicSuffix(p.s); suffix != p.s && d.Name.Below(p) {
				return true
			}
		}
	}
	return false
}

// randomEntry makes names that share labels at either end, and prefixes that overlap.
func randomEntry(r *rand.Rand) string {
	switch r.IntN(8) {
	case 0:
		return fmt.Sprintf("10.%d.%d.0/24", r.IntN(3), r.IntN(4))
	case 1:
		return []string{"10.0.0.0/8", "10.1.0.0/16", "10.2.3.4", "2001:db8::/32", "2001:db8::1", "2001:db8:1::/48", "192.0.2.1", "0.0.0.0/1"}[r.IntN(8)]
	}
	for {
		s := sharing(r, 5)
		if r.IntN(2) == 0 {
			s += "." + []string{"example.com", "example", "co.uk", "x-example.com", "github.io"}[r.IntN(5)]
		}
		if r.IntN(4) == 0 {
			s = "*." + s
		}
		if _, err := ParseDestination(s); err == nil {
			return s
		}
	}
}

func TestListAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for round := range 400 {
		var entries []string
		var slow slowList
		for range r.IntN(1 + round/2) {
			s := randomEntry(r)
			d, _ := ParseDestination(s)
			entries, slow = append(entries, s), append(slow, d)
		}
		l, repeats := listOf(t, entries...)
		distinct := map[Destination]bool{}
		again := 0
		for _, d := range slow {
			if distinct[d] {
				again++
			}
			distinct[d] = true
		}
		inside := func(d Destination) bool {
			return d.Prefix.IsValid() && slices.ContainsFunc(slow, func(o Destination) bool {
				return o.Prefix.IsValid() && o.Prefix != d.Prefix && Covers(o.Prefix, d.Prefix)
			})
		}
		kept := 0
		for d := range distinct {
			if !inside(d) {
				kept++
			}
		}
		if l.Len() != kept || repeats.Count > again {
			t.Fatalf("%q: %d entries, want %d; %d repeated, want at most %d", entries, l.Len(), kept, repeats.Count, again)
		}
		for d := range l.All() {
			if !distinct[d] || inside(d) {
				t.Fatalf("%q: yields %v", entries, d)
			}
			delete(distinct, d)
		}
		for range 100 {
			checkListName(t, r, l, entries, slow)
			checkListAddr(t, r, l, entries, slow)
		}
	}
}

func checkListName(t *testing.T, r *rand.Rand, l *List, entries []string, slow slowList) {
	t.Helper()
	s := strings.TrimPrefix(randomEntry(r), "*.")
	if len(slow) > 0 && r.IntN(2) == 0 {
		s = slow[r.IntN(len(slow))].Name.s
	}
	switch r.IntN(3) {
	case 0:
		s = "x." + s
	case 1:
		_, s, _ = strings.Cut(s, ".")
	}
	n, err := ParseName(s)
	if err != nil {
		return
	}
	if got, want := l.Has(n), slow.has(n); got != want {
		t.Fatalf("%q: has %s: %v, want %v", entries, n, got, want)
	}
	if got, want := l.hasExact(n), slow.exact(n); got != want {
		t.Fatalf("%q: has %s itself: %v, want %v", entries, n, got, want)
	}
	if got, want := l.hasBelow(n), slow.below(n); got != want {
		t.Fatalf("%q: has names below %s: %v, want %v", entries, n, got, want)
	}
	listed, near := l.match(n)
	if listed != slow.has(n) || !listed && near != slow.near(n) {
		t.Fatalf("%q: %s is listed %v, near %v, want %v %v", entries, n, listed, near, slow.has(n), slow.near(n))
	}
	file, line := l.Find(n)
	if (line != 0) != slow.has(n) || line != 0 && (file != "allow.txt" || !slow[line-1].hasName(n)) {
		t.Fatalf("%q: %s is found at %s:%d", entries, n, file, line)
	}
}

func checkListAddr(t *testing.T, r *rand.Rand, l *List, entries []string, slow slowList) {
	t.Helper()
	a := netip.AddrFrom4([4]byte{10, byte(r.IntN(3)), byte(r.IntN(4)), 4})
	if r.IntN(3) == 0 {
		a = randomListAddr(r)
	}
	want := slices.ContainsFunc(slow, func(d Destination) bool { return d.Prefix.IsValid() && d.Prefix.Contains(a) })
	if got := l.HasAddr(a); got != want {
		t.Fatalf("%q: has %v: %v, want %v", entries, a, got, want)
	}
	if _, line := l.FindAddr(a); (line != 0) != want || line != 0 && !slow[line-1].Prefix.Contains(a) {
		t.Fatalf("%q: %v is found at line %d", entries, a, line)
	}
}

func randomListAddr(r *rand.Rand) netip.Addr {
	return netip.MustParseAddr([]string{"2001:db8::1", "2001:db8:1::7", "2001:db9::", "192.0.2.1", "192.0.2.2", "1.1.1.1", "127.0.0.1", "128.0.0.1", "255.255.255.255", "::"}[r.IntN(10)])
}

// With many names, many buckets of the table are full. Every name is still found, on its own
// line, and no other name is.
func TestListFindsEveryName(t *testing.T) {
	names := listedNames(20_000)
	listed := names[:10_000]
	l, _ := listOf(t, listed...)
	passed := 0
	for _, b := range l.names.buckets {
		for _, has := range b.has {
			passed += int(has / isPast)
		}
	}
	if passed < 100 {
		t.Errorf("%d marks of full buckets: the test proves nothing", passed)
	}
	for i, s := range names {
		wantFile, wantLine := "allow.txt", i+1
		if i >= len(listed) {
			wantFile, wantLine = "", 0
		}
		n := mustName(s)
		if file, line := l.Find(n); l.Has(n) != (wantLine != 0) || file != wantFile || line != wantLine {
			t.Errorf("%s: listed %v, at %s:%d; want %s:%d", s, l.Has(n), file, line, wantFile, wantLine)
		}
	}
}

// The first of two equal entries stays, so its line is reported.
func TestListRepeats(t *testing.T) {
	var b ListBuilder
	b.File("a.txt")
	for i, s := range []string{"x.example", "*.x.example", "10.0.0.0/8", "x.example"} {
		d, _ := ParseDestination(s)
		b.Add(d, i+1)
	}
	b.Lines(10)
	b.File("b.txt")
	for i, s := range []string{"y.example", "*.x.example", "10.0.0.0/8", "10.1.1.1"} {
		d, _ := ParseDestination(s)
		b.Add(d, i+1)
	}
	b.Lines(4)
	l, repeats := b.Done()
	if want := (Repeats{Count: 3, Text: "x.example", File: "a.txt", Line: 4, EarlierFile: "a.txt", EarlierLine: 1}); repeats != want {
		t.Errorf("repeats are %+v, want %+v", repeats, want)
	}
	if l.Len() != 4 || !slices.Equal(l.Files(), []string{"a.txt", "b.txt"}) {
		t.Errorf("%d entries of %v", l.Len(), l.Files())
	}
	for name, want := range map[string]string{"x.example": "a.txt:1", "z.x.example": "a.txt:2", "y.example": "b.txt:1", "z.y.example": ":0"} {
		if file, line := l.Find(mustName(name)); fmt.Sprintf("%s:%d", file, line) != want {
			t.Errorf("%s is at %s:%d, want %s", name, file, line, want)
		}
	}
	if file, line := l.FindAddr(netip.MustParseAddr("10.1.1.1")); file != "a.txt" || line != 3 {
		t.Errorf("10.1.1.1 is at %s:%d", file, line)
	}
}

// Lists with equal entries have one digest, whatever their order and files are.
func TestListDigest(t *testing.T) {
	a, _ := listOf(t, "x.example", "*.x.example", "10.0.0.0/8")
	b, _ := listOf(t, "10.0.0.0/8", "*.x.example", "x.example", "x.example", "10.1.0.0/16")
	if a.Digest() != b.Digest() {
		t.Error("equal lists differ")
	}
	for _, other := range [][]string{{"x.example", "10.0.0.0/8"}, {"x.example", "*.x.example", "10.0.0.0/9"}, {"x.example", "*.x.example"}, {"x.example", "*.y.example", "10.0.0.0/8"}, nil} {
		if o, _ := listOf(t, other...); o.Digest() == a.Digest() {
			t.Errorf("%q has the same digest", other)
		}
	}
	if (*List)(nil).Len() != 0 || (*List)(nil).Has(mustName("x.example")) || (*List)(nil).HasAddr(netip.MustParseAddr("10.0.0.1")) {
		t.Error("a nil list is not empty")
	}
}

// listedNames makes n different names like the names of large lists.
func listedNames(n int) []string {
	r := rand.New(rand.NewPCG(21, uint64(n)))
	words := strings.Fields("cloud data net web shop tech soft media game mail book play home blue red green fast smart easy open prime core edge link port star sun moon")
	hosts := strings.Fields("www api cdn static img mail smtp auth login update download files edge node1 ns1 eu us")
	zones := strings.Fields("com com com com com net org cn com.cn de co.uk io ru com.br co.jp fr nl info xyz app")
	seen := map[string]bool{}
	var out []string
	for len(out) < n {
		s := words[r.IntN(len(words))] + words[r.IntN(len(words))] + fmt.Sprint(r.IntN(9999)) + "." + zones[r.IntN(len(zones))]
		if r.IntN(4) == 0 {
			s = hosts[r.IntN(len(hosts))] + "." + s
		}
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
