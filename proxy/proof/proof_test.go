// Tests of credentials: how they are read, and at which cost they are checked.

package proof

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"sallyport/rules"
)

func TestParseBasic(t *testing.T) {
	encode := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct{ name, field, user, password, fault string }{
		{"usual", encode("alice:secret"), "alice", "secret", ""},
		{"another case of the scheme", "bAsIc " + encode("alice:secret")[6:], "alice", "secret", ""},
		{"colons in the password", encode("alice:a:b:"), "alice", "a:b:", ""},
		{"UTF-8", encode("jörg:pässwörd"), "jörg", "pässwörd", ""},
		{"72 octets", encode("alice:" + strings.Repeat("x", 72)), "alice", strings.Repeat("x", 72), ""},
		{"73 octets", encode("alice:" + strings.Repeat("x", 73)), "", "", "72 octets"},
		{"NUL in the password", encode("alice:secret\x00x"), "", "", "NUL"},
		{"NUL in the user", encode("ali\x00ce:secret"), "", "", "control"},
		{"Latin-1", encode("j\xf6rg:x"), "", "", "UTF-8"},
		{"no colon", encode("alice"), "", "", "colon"},
		{"no user", encode(":secret"), "", "", "empty"},
		{"no password", encode("alice:"), "", "", "password is empty"},
		{"a space in the user", encode("a b:x"), "", "", "spaces"},
		{"not base64", "Basic !!!", "", "", "base64"},
		{"bits beyond the end", "Basic YTpiYy==", "", "", "base64"},
		{"Bearer", "Bearer abc", "", "", "only Basic"},
		{"NTLM", "NTLM TlRMTVNTUAAB", "", "", "only Basic"},
		{"nothing", "Basic", "", "", "colon"},
		{"too long", "Basic " + strings.Repeat("A", 2000), "", "", "1024"},
	} {
		user, password, fault := ParseBasic(c.field)
		if c.fault != "" {
			if !strings.Contains(fault, c.fault) || strings.Contains(fault, "secret") {
				t.Errorf("%s: fault %q", c.name, fault)
			}
		} else if user != c.user || password != c.password || fault != "" {
			t.Errorf("%s: %q, %q, %q", c.name, user, password, fault)
		}
	}
}

func FuzzBasic(f *testing.F) {
	for _, s := range []string{"Basic YWxpY2U6c2VjcmV0", "basic  YTpi", "Basic YTo=", "Bearer x", "Basic \xff", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, field string) {
		user, password, fault := ParseBasic(field)
		if fault == "" && (rules.CheckUser(user) != "" || password == "" || len(password) > maxPassword || strings.Contains(password, "\x00")) {
			t.Fatalf("%q: %q, %q", field, user, password)
		}
	})
}

func bookOf(t testing.TB, logins map[string]string) *Book {
	t.Helper()
	b := &Book{Passwords: map[string]rules.Hash{}}
	for user, password := range logins {
		h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		b.Passwords[user] = rules.Hash(h)
	}
	return b
}

var source = netip.MustParseAddr("10.1.2.3")

func TestLogins(t *testing.T) {
	b := bookOf(t, map[string]string{"alice": "secret", "bob": "secret"})
	now := time.Unix(1e9, 0)
	l := New(func() time.Time { return now })
	ask := func(user, password string) Result { return l.Prove(context.Background(), b, source, user, password) }
	for _, c := range []struct {
		user, password string
		want           Result
	}{
		{"alice", "secret", Proven}, {"alice", "secret", Proven}, {"alice", "Secret", Wrong}, {"alice", "", Wrong},
		{"bob", "secret", Proven}, {"mallory", "secret", Wrong}, {"", "secret", Wrong},
	} {
		if got := ask(c.user, c.password); got != c.want {
			t.Errorf("%s %s: %v, want %v", c.user, c.password, got, c.want)
		}
	}
	if _, _, _, _, cached := l.Counts(); cached != 1 {
		t.Errorf("%d remembered", cached)
	}
	b = bookOf(t, map[string]string{"alice": "changed"}) // a reload: the memory of the earlier password is worth nothing
	if ask("alice", "secret") != Wrong || ask("bob", "secret") != Wrong || ask("alice", "changed") != Proven {
		t.Error("after a reload")
	}
	for k, until := range l.known {
		if until != now.Add(remembered) || strings.Contains(string(k[:]), "secret") {
			t.Errorf("%x until %v", k, until)
		}
	}
}

// After ten wrong passwords a source must wait. Others, and passwords that are remembered, need not.
func TestFailuresPause(t *testing.T) {
	b := bookOf(t, map[string]string{"alice": "secret"})
	now := time.Unix(1e9, 0)
	l := New(func() time.Time { return now })
	ask := func(from netip.Addr, password string) Result {
		return l.Prove(context.Background(), b, from, "alice", password)
	}
	if ask(source, "secret") != Proven {
		t.Fatal("the right password")
	}
	for range failures {
		if ask(source, "guess") != Wrong {
			t.Fatal("paused too early")
		}
	}
	if n := l.PausedSources(); n != 1 {
		t.Errorf("%d sources must wait, want 1", n)
	}
	if got := ask(source, "another guess"); got != Paused {
		t.Errorf("the next guess: %v", got)
	}
	if ask(source, "secret") != Proven {
		t.Error("a remembered password is refused")
	}
	if ask(netip.MustParseAddr("10.1.2.4"), "guess") != Wrong {
		t.Error("another source is paused too")
	}
	now = now.Add(window)
	if n := l.PausedSources(); n != 0 {
		t.Errorf("%d sources must wait after the pause", n)
	}
	if ask(source, "guess") != Wrong {
		t.Error("the pause does not end")
	}
}

// Many users of one source, such as a terminal server, log in at once after a restart. No password is
// wrong, so none is refused. Guesses that come at once get no more checks than others.
func TestManyUsersOfOneSource(t *testing.T) {
	logins := map[string]string{}
	for i := range 4 * failures {
		logins[fmt.Sprint("user", i)] = "secret"
	}
	b := bookOf(t, logins)
	l := New(time.Now)
	atOnce := func(password string) (got [Busy + 1]int) {
		release := l.queue.hold(t) // no check ends before all have begun
		results := make(chan Result, len(logins))
		var all sync.WaitGroup
		for user := range logins {
			all.Go(func() { results <- l.Prove(context.Background(), b, source, user, password) })
		}
		time.Sleep(20 * time.Millisecond)
		release()
		all.Wait()
		close(results)
		for r := range results {
			got[r]++
		}
		return got
	}
	if got := atOnce("secret"); got[Proven] != len(logins) {
		t.Errorf("right passwords: %d proven, %d wrong, %d paused, %d busy", got[Proven], got[Wrong], got[Paused], got[Busy])
	}
	if got := atOnce("guess"); got[Wrong] != failures || got[Paused] != len(logins)-failures {
		t.Errorf("guesses: %d proven, %d wrong, %d paused, %d busy", got[Proven], got[Wrong], got[Paused], got[Busy])
	}
}

// One network of an IPv6 host is one source, and sources without end use bounded memory.
func TestFailuresAreBounded(t *testing.T) {
	l := New(time.Now)
	for i := range failures {
		if !l.charge(rules.SourceOf(netip.MustParseAddr("2001:db8::" + string(rune('1'+i%9))))) {
			t.Fatal("paused too early")
		}
	}
	if l.charge(rules.SourceOf(netip.MustParseAddr("2001:db8::ffff"))) {
		t.Error("another address of the /64 is another source")
	}
	for i := range 3 * maxSources {
		l.charge(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
		l.remember([32]byte{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	if len(l.failed) > maxSources || len(l.known) > maxKnown {
		t.Errorf("%d sources, %d logins", len(l.failed), len(l.known))
	}
}

// Equal logins are checked once, and too many different ones are refused, not queued without end.
func TestChecksAreBounded(t *testing.T) {
	b := bookOf(t, map[string]string{"alice": "secret"})
	l := New(time.Now)
	l.queue.hold(t) // no check can begin
	ctx, cancel := context.WithCancel(context.Background())
	results := make(chan Result, 200)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() { results <- l.Prove(ctx, b, source, "alice", "secret") })
		all.Go(func() {
			results <- l.Prove(ctx, b, netip.AddrFrom4([4]byte{10, 9, 9, byte(i)}), "alice", "guess"+string(rune('a'+i)))
		})
	}
	for end := time.Now().Add(10 * time.Second); len(results) < 100-maxWaiting && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	l.mu.Lock()
	if len(l.running) > maxWaiting+1 {
		t.Errorf("%d run", len(l.running))
	}
	l.mu.Unlock()
	cancel()
	all.Wait()
	close(results)
	for r := range results {
		if r != Busy {
			t.Errorf("%v", r)
		}
	}
	if len(l.failed) > 0 {
		t.Errorf("refused checks count as wrong passwords: %v", l.failed)
	}
}

// An unknown user costs what a wrong password costs: a hash of the same cost is computed.
func TestUnknownUserCosts(t *testing.T) {
	h, err := bcrypt.GenerateFromPassword([]byte("secret"), 8)
	if err != nil {
		t.Fatal(err)
	}
	b := &Book{Passwords: map[string]rules.Hash{"alice": rules.Hash(h)}}
	l := New(time.Now)
	took := func(user string) time.Duration {
		best := time.Hour
		for i := range 5 {
			began := time.Now()
			if l.Prove(context.Background(), b, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), user, "guess"+user+string(rune('a'+i))) != Wrong {
				t.Fatal("not wrong")
			}
			best = min(best, time.Since(began))
		}
		return best
	}
	const floor = 2 * time.Millisecond // no processor computes a hash of this cost faster; a busy one may take any time
	if known, unknown := took("alice"), took("mallory"); known < floor || unknown < floor {
		t.Errorf("a known user takes %v, an unknown one %v: no hash was computed", known, unknown)
	}
	if cost, err := bcrypt.Cost(l.hashFor(b, "", false)); err != nil || cost != 8 {
		t.Errorf("cost %d, %v", cost, err)
	}
}
