// Loading grows with the size of a configuration, and not faster: what it allocates for each
// name, client and rule, and benchmarks of it.

package rules_test

import (
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"testing"

	. "sallyport/rules"
	"sallyport/rules/site"
)

// oneFile is a disk with one file.
type oneFile string

func (f oneFile) Read(string, int) ([]byte, error)      { return []byte(f), nil }
func (f oneFile) List(string, string) ([]string, error) { return nil, fs.ErrNotExist }

// manyNames returns n names, one a line.
func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "host%d.zone%d.%s\n", i*7919%n, i/20, []string{"com", "net", "example", "co.uk"}[i%4])
	}
	return b.String()
}

// A load is a configuration of n things of one kind.
type load struct {
	what string
	text func(n int) (site string, list string)
}

const loadHead = "[[client]]\nname = \"c\"\nsources = [\"10.0.0.0/8\"]\nprofiles = []\n"

func loads() []load {
	rule := func(i int, client, to string) string {
		return fmt.Sprintf("[[rule]]\nid = \"r%d\"\nclient = %q\nreason = \"x\"\ntcp = [443]\n%s\n", i, client, to)
	}
	repeat := func(n int, one func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(one(i))
		}
		return b.String()
	}
	client := func(i int, more string) string {
		return fmt.Sprintf("[[client]]\nname = \"c%d\"\nsources = [\"10.%d.%d.%d\"]\n%s\n", i, i>>16, i>>8&255, i&255, more)
	}
	return []load{
		{"names in a list", func(n int) (string, string) { return loadHead + rule(0, "c", `to_files = ["a"]`), manyNames(n) }},
		{"addresses in a list", func(n int) (string, string) {
			return loadHead + rule(0, "c", `to_files = ["a"]`), repeat(n, func(i int) string { return fmt.Sprintf("20.%d.%d.%d\n", i>>15&255, i>>7&255, i<<1&255) })
		}},
		{"names in a rule", func(n int) (string, string) {
			return loadHead + rule(0, "c", "to = [\n\""+strings.ReplaceAll(strings.TrimSpace(manyNames(n)), "\n", "\",\n\"")+"\"]"), ""
		}},
		{"addresses in a rule", func(n int) (string, string) {
			return loadHead + rule(0, "c", "to = ["+repeat(n, func(i int) string { return fmt.Sprintf("\"20.%d.%d.%d\",\n", i>>15, i>>7&255, i<<1&255) })+"]"), ""
		}},
		{"rules", func(n int) (string, string) {
			return loadHead + repeat(n, func(i int) string { return rule(i, "c", fmt.Sprintf("to = [\"h%d.example.com\"]", i)) }), ""
		}},
		{"clients that are alike", func(n int) (string, string) {
			return repeat(n, func(i int) string { return client(i, `profiles = ["product"]`) }), ""
		}},
		{"clients with addresses", func(n int) (string, string) {
			return repeat(n, func(i int) string {
				return client(i, fmt.Sprintf("profiles = [\"product\"]\n[client.addresses]\nmanager = [\"10.200.%d.%d\"]", i>>8, i&255))
			}), ""
		}},
		{"clients with a rule", func(n int) (string, string) {
			return repeat(n, func(i int) string { return client(i, "profiles = []") }) +
				repeat(n, func(i int) string { return rule(i, fmt.Sprintf("c%d", i), `to = ["a.example"]`) }), ""
		}},
	}
}

// compile reads and compiles a load.
func (l load) compile(t testing.TB, text, list string, profiles []*Profile) *Policy {
	c, problems := site.Parse("site.toml", site.Disk{Files: oneFile(list)}, []byte(text), profiles)
	if c == nil {
		t.Fatalf("%s: %.500v", l.what, problems)
	}
	p, _ := Compile(&c.Spec, Own{}, today)
	return p
}

// Four times as many things need four times the memory while they are read, and not more.
// An algorithm that compares all with all usually allocates for each of them too, and the
// time limit of the tests stops the others.
func TestLoadIsLinear(t *testing.T) {
	profiles := testProfiles(t)
	for _, l := range loads() {
		allocated := func(n int) float64 {
			text, list := l.text(n)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			l.compile(t, text, list, profiles)
			runtime.ReadMemStats(&after)
			return float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
		}
		const n = 2000
		allocated(100)
		few, many := allocated(n), allocated(4*n)
		t.Logf("%s: %.0f and %.0f octets allocated for each", l.what, few, many)
		if l.what == "names in a list" && many > 200 {
			t.Errorf("%s: %.0f octets allocated for each, want at most 200: is something copied?", l.what, many)
		}
		if many > 1.4*few {
			t.Errorf("%s: %.0f octets for each of %d, %.0f for each of %d", l.what, few, n, many, 4*n)
		}
	}
}

// Clients that are alike need no tables of their own.
func TestAlikeClientsAreSmall(t *testing.T) {
	profiles, l := testProfiles(t), loads()[5]
	held := func(n int) int64 {
		text, _ := l.text(n)
		before := liveHeap()
		p := l.compile(t, text, "", profiles)
		after := liveHeap()
		runtime.KeepAlive(p)
		return after - before
	}
	held(1)
	if each := (held(4001) - held(1)) / 4000; each > 2500 {
		t.Errorf("a client that is like another one takes %d octets", each)
	} else {
		t.Logf("%d octets for each client", each)
	}
}

func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkLoad(b *testing.B) {
	profiles := testProfiles(b)
	for _, l := range loads() {
		for _, n := range []int{10_000, 100_000, 1_000_000} {
			if n > 10_000 && strings.HasPrefix(l.what, "clients") || n > 100_000 && !strings.HasSuffix(l.what, "in a list") {
				continue
			}
			text, list := l.text(n)
			b.Run(fmt.Sprintf("%s/n=%d", strings.ReplaceAll(l.what, " ", "-"), n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					l.compile(b, text, list, profiles)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/thing")
			})
		}
	}
}
