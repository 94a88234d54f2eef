//go:build linux

// Tests of live sets: which addresses are added and removed, when, and the sets in the kernel.

package nftables

import (
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"

	"sallyport/rules"
)

// fakeSets are sets in memory. They fail while broken is set.
type fakeSets struct {
	has    map[string]map[netip.Addr]time.Duration
	puts   int
	broken error
	stuck  string // a set that nothing can be removed from
}

func (f *fakeSets) Holds(set string) ([]netip.Addr, error) {
	return slices.Collect(maps.Keys(f.has[set])), f.broken
}

func (f *fakeSets) Put(set string, addrs map[netip.Addr]time.Duration) error {
	if f.broken != nil {
		return f.broken
	}
	f.puts++
	if f.has[set] == nil {
		f.has[set] = map[netip.Addr]time.Duration{}
	}
	maps.Copy(f.has[set], addrs)
	return nil
}

func (f *fakeSets) Drop(set string, addrs []netip.Addr) error {
	if set == f.stuck {
		return io.ErrUnexpectedEOF
	}
	for _, a := range addrs {
		delete(f.has[set], a)
	}
	return f.broken
}

func livePolicy(t *testing.T, text string) *rules.Policy {
	t.Helper()
	cfg := siteConfig(t, "test", text)
	policy, _ := rules.Compile(&cfg.Spec, rules.Own{}, time.Now())
	return policy
}

func liveName(t *testing.T, s string) rules.Name {
	t.Helper()
	n, err := rules.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const bySupport = "names4/manager/site/by-name"

func TestLiveSets(t *testing.T) {
	policy := livePolicy(t, filterSite)
	now := time.Now()
	fake := &fakeSets{has: map[string]map[netip.Addr]time.Duration{}}
	l := NewLiveSets(fake, func() *rules.Policy { return policy }, func() time.Time { return now }, slog.New(slog.NewTextHandler(io.Discard, nil)))
	good, private, six := netip.MustParseAddr("93.184.0.7"), netip.MustParseAddr("10.9.9.9"), netip.MustParseAddr("2a00:1450::7")
	name := liveName(t, "support.example")

	l.Fresh(name, []netip.Addr{good, private, six, netip.MustParseAddr("::ffff:93.184.0.8")}, 30*time.Second)
	l.Fresh(liveName(t, "evil.example"), []netip.Addr{netip.MustParseAddr("93.184.6.6")}, time.Hour)
	l.pass(false)
	if got := fake.has[bySupport]; len(got) != 2 || got[good] != setLeast+setGrace {
		t.Errorf("IPv4: %v; want the two public addresses of the permitted name, the answer's lifetime and the grace", got)
	}
	if got := fake.has["names6/manager/site/by-name"]; len(got) != 1 || got[six] == 0 || len(fake.has) != 2 {
		t.Errorf("IPv6: %v, sets: %v", got, fake.has)
	}

	puts := fake.puts
	l.pass(true)
	if fake.puts != puts {
		t.Error("an unchanged set was put again")
	}
	delete(fake.has, bySupport) // a reload of the ruleset
	now = now.Add(time.Minute)
	l.pass(true)
	if got := fake.has[bySupport][good]; got != setGrace {
		t.Errorf("after a reload of the ruleset the address is back for %v, want what was left: %v", got, setGrace)
	}

	now = now.Add(setGrace)
	delete(fake.has, bySupport)
	l.pass(true)
	if len(fake.has[bySupport]) != 0 || len(l.kept) != 0 {
		t.Errorf("an address that has timed out came back: %v, %v", fake.has, l.kept)
	}

	l.Fresh(name, []netip.Addr{good}, time.Minute)
	l.pass(false)
	policy = livePolicy(t, strings.Replace(filterSite, "support.example", "another.example", 1))
	l.pass(true)
	if len(fake.has[bySupport]) != 0 {
		t.Error("a name that the rule has no more kept its addresses")
	}
	policy = livePolicy(t, strings.Replace(filterSite, `"support.example"`, `"support.example", "another.example"`, 1))
	l.Fresh(name, []netip.Addr{good}, time.Minute)
	l.pass(false)
	policy = livePolicy(t, filterSite)
	l.pass(true)
	if len(fake.has[bySupport]) != 1 {
		t.Error("a name that the rule still has lost its addresses")
	}
	policy = livePolicy(t, strings.Replace(filterSite, `id     = "by-name"`, `id     = "renamed"`, 1))
	l.pass(true)
	if len(fake.has[bySupport]) != 0 || len(l.kept) != 0 {
		t.Errorf("a rule that is gone kept its addresses: %v", fake.has)
	}
}

// For names below a wildcard, the set of a client has the addresses in its own answers.
func TestLiveSetsAnswered(t *testing.T) {
	policy := livePolicy(t, strings.Replace(filterSite, "support.example", "*.support.example", 1))
	fake := &fakeSets{has: map[string]map[netip.Addr]time.Duration{}}
	l := NewLiveSets(fake, func() *rules.Policy { return policy }, time.Now, slog.New(slog.NewTextHandler(io.Discard, nil)))
	told := []netip.Addr{netip.MustParseAddr("93.184.0.7")}
	for _, c := range []struct {
		client, name string
		want         int
	}{
		{"10.77.0.11", "a.support.example", 0}, // the rule is another client's
		{"10.78.0.10", "a.support.example", 0}, // an unknown client
		{"10.77.0.10", "support.example", 0},
		{"10.77.0.10", "a.support.example", 1},
	} {
		l.Answered(netip.MustParseAddr(c.client), liveName(t, c.name), told, time.Minute)
		l.pass(false)
		if got := fake.has[bySupport]; len(got) != c.want {
			t.Errorf("answer to %s for %s: %v, want %d addresses", c.client, c.name, got, c.want)
		}
	}
}

// A failure is logged once and tried again. Its end is logged.
func TestLiveSetsFailure(t *testing.T) {
	var log strings.Builder
	policy := livePolicy(t, filterSite)
	fake := &fakeSets{has: map[string]map[netip.Addr]time.Duration{}, broken: io.ErrUnexpectedEOF}
	l := NewLiveSets(fake, func() *rules.Policy { return policy }, time.Now, slog.New(slog.NewTextHandler(&log, nil)))
	l.Fresh(liveName(t, "support.example"), []netip.Addr{netip.MustParseAddr("93.184.0.7")}, time.Minute)
	for range 3 {
		l.pass(true)
	}
	if n := strings.Count(log.String(), "cannot keep"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
	fake.broken = nil
	l.pass(true)
	if len(fake.has[bySupport]) != 1 || !strings.Contains(log.String(), "current again") {
		t.Errorf("did not recover: %v\n%s", fake.has, log.String())
	}
	l.policy = func() *rules.Policy { return nil }
	l.Fresh(liveName(t, "support.example"), []netip.Addr{netip.MustParseAddr("93.184.0.9")}, time.Minute)
	l.pass(true)
	if len(fake.has[bySupport]) != 0 {
		t.Errorf("without a policy there are addresses: %v", fake.has)
	}
}

// An address that cannot be removed now is not added again. It does not keep other
// addresses in their sets, and it is removed later.
func TestLiveSetsDropFails(t *testing.T) {
	policy := livePolicy(t, filterSite)
	four, six := bySupport, strings.Replace(bySupport, "names4", "names6", 1)
	for _, stuck := range []string{four, six} {
		p := policy
		fake := &fakeSets{has: map[string]map[netip.Addr]time.Duration{}, stuck: stuck}
		l := NewLiveSets(fake, func() *rules.Policy { return p }, time.Now, slog.New(slog.DiscardHandler))
		told := []netip.Addr{netip.MustParseAddr("93.184.0.7"), netip.MustParseAddr("2a00:1450::7")}
		name := liveName(t, "support.example")
		l.Fresh(name, told, time.Minute)
		l.pass(false)
		l.Fresh(name, told, time.Minute) // the policy changes before the address is put
		p, fake.puts = nil, 0
		for range 3 {
			l.pass(true)
		}
		if len(fake.has[four])+len(fake.has[six]) != 1 || fake.puts != 0 {
			t.Errorf("%s is stuck: %v, put %d times", stuck, fake.has, fake.puts)
		}
		fake.stuck = ""
		if l.pass(true); len(fake.has[stuck]) != 0 || len(l.kept) != 0 {
			t.Errorf("%s is no longer stuck: %v, %v", stuck, fake.has, l.kept)
		}
	}
}

// The sets in the kernel, in a namespace with the ruleset that nft prints: addresses
// are added with their timeouts, renewed and removed.
func TestKernelSets(t *testing.T) {
	needsRootAndNft(t)
	n := newNamespace(t)
	k, err := newKernelSets(nftables.WithNetNSFd(int(n.file.Fd())))
	if err != nil {
		t.Fatal(err)
	}
	a, b := netip.MustParseAddr("93.184.0.7"), netip.MustParseAddr("93.184.0.8")
	if err := k.Put(bySupport, map[netip.Addr]time.Duration{a: time.Hour}); err == nil || !strings.Contains(err.Error(), "has no set") {
		t.Errorf("without the ruleset: %v", err)
	}
	if err := k.Drop(bySupport, []netip.Addr{a}); err != nil {
		t.Errorf("nothing to remove: %v", err)
	}
	n.must("nft", "-f", ruleset(t))
	for _, put := range []map[netip.Addr]time.Duration{{a: time.Hour}, {a: time.Minute, b: time.Hour}} {
		if err := k.Put(bySupport, put); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Put("names6/manager/site/by-name", map[netip.Addr]time.Duration{netip.MustParseAddr("2a00:1450::7"): time.Hour}); err != nil {
		t.Fatal(err)
	}
	list, _ := n.run("nft", "list", "set", "inet", "sallyport", bySupport)
	if !strings.Contains(list, "93.184.0.7 timeout 1m") || !strings.Contains(list, "93.184.0.8 timeout 1h") {
		t.Errorf("the second timeout of an address is not in force:\n%s", list)
	}
	if err := k.Drop(bySupport, []netip.Addr{a, netip.MustParseAddr("93.184.0.9")}); err != nil {
		t.Error(err)
	}
	if holds, err := k.Holds(bySupport); err != nil || len(holds) != 1 || holds[0] != b {
		t.Errorf("holds %v, %v", holds, err)
	}
	if err := k.Put(bySupport, map[netip.Addr]time.Duration{b: time.Second}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patient); ; time.Sleep(50 * time.Millisecond) {
		if holds, err := k.Holds(bySupport); err == nil && len(holds) == 0 {
			break
		} else if time.Now().After(end) {
			t.Fatalf("an address is still there after its timeout: %v, %v", holds, err)
		}
	}
}

// Without the capability the error says what to do.
func TestKernelSetsNeedCapability(t *testing.T) {
	needsRootAndNft(t)
	n := newNamespace(t)
	err := n.asNobody(func() error { _, err := newKernelSets(); return err })
	if err == nil || !strings.Contains(err.Error(), "AmbientCapabilities=CAP_NET_ADMIN") {
		t.Errorf("without CAP_NET_ADMIN: %v", err)
	}
}
