// Tests of the counts of dropped packets: each packet is counted once, across
// reloads and restarts.

package nftables

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sallyport/rules"
)

// A fakeFilter counts as the kernel does: it has totals, which never shrink, and
// entries, which can be full or time out. Each load starts them all at 0.
type fakeFilter struct {
	handle  uint64
	totals  map[string]uint64
	entries map[Drop]uint64
	packets map[string]uint64 // over all loads
	expired bool              // an entry timed out since the load
	full    bool
}

func (f *fakeFilter) load() {
	f.handle++
	f.totals, f.entries = map[string]uint64{"reject_quic": 0, "drop_udp": 0, "drop_spoofed": 0}, map[Drop]uint64{}
}

func (f *fakeFilter) packet(counter string, client byte) {
	d := Drop{Counter: counter, Client: netip.AddrFrom4([4]byte{10, 0, 0, client}), Dest: netip.MustParseAddrPort("192.0.2.1:443"), Proto: 17}
	if _, there := f.entries[d]; there || len(f.entries) < 3 {
		f.entries[d]++
	} else {
		f.full = true
	}
	f.totals[counter]++
	f.packets[counter]++
}

func (f *fakeFilter) read() Reading {
	r := Reading{TableID: TableID{"boot", 1, f.handle}, Totals: map[string]uint64{}}
	for name, n := range f.totals {
		r.Totals[name] = n
	}
	for d, n := range f.entries {
		d.Packets = n
		r.Drops = append(r.Drops, d)
	}
	return r
}

func TestDropsAreCountedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &fakeFilter{packets: map[string]uint64{}}
		f.load()
		var counted ledger
		var file []Reading
		taken, alone := map[string]uint64{}, map[string]uint64{}
		take := func() {
			for _, r := range file {
				for _, d := range counted.newDrops(r) {
					taken[d.Counter] += d.Packets
					if !d.Client.IsValid() {
						alone[d.Counter] += d.Packets
					}
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"packets": func(t *rapid.T) {
				counter, client := rapid.SampledFrom([]string{"reject_quic", "drop_udp"}).Draw(t, "counter"), rapid.ByteRange(1, 5).Draw(t, "client")
				for range rapid.IntRange(1, 9).Draw(t, "times") {
					f.packet(counter, client)
				}
			},
			"forged": func(*rapid.T) { f.totals["drop_spoofed"]++ },
			"export": func(*rapid.T) { file = replaceReading(file, f.read()) },
			"reload": func(*rapid.T) { file = replaceReading(file, f.read()); f.load(); take() },
			"take":   func(*rapid.T) { take() },
			"restart": func(t *rapid.T) {
				data, err := json.Marshal(counted)
				if err != nil {
					t.Fatal(err)
				}
				counted = ledger{}
				if err := json.Unmarshal(data, &counted); err != nil {
					t.Fatal(err)
				}
			},
			"time out": func(*rapid.T) {
				for d := range f.entries {
					delete(f.entries, d)
					f.expired = true
					break
				}
			},
			"": func(t *rapid.T) {
				for counter, n := range taken {
					if n > f.packets[counter] {
						t.Fatalf("%s: %d counted of %d", counter, n, f.packets[counter])
					}
				}
			},
		})
		file = replaceReading(file, f.read())
		take()
		for counter, n := range f.packets {
			if taken[counter] != n {
				t.Fatalf("%s: %d counted of %d", counter, taken[counter], n)
			}
			if alone[counter] > 0 && !f.expired && !f.full {
				t.Fatalf("%s: %d without a client, although every entry had room", counter, alone[counter])
			}
		}
		if taken["drop_spoofed"] != 0 {
			t.Fatal("packets whose source is not to be believed were taken")
		}
	})
}

// A packet that comes between the reading of the total and of the entries is not
// counted twice.
func TestDropsReadWhilePacketsCome(t *testing.T) {
	var l ledger
	id := TableID{"boot", 1, 1}
	one := Drop{Counter: "drop_udp", Client: netip.MustParseAddr("10.0.0.1"), Proto: 17}
	sum := uint64(0)
	for _, r := range []struct{ total, entry uint64 }{{3, 5}, {5, 5}, {7, 8}, {10, 8}, {10, 8}} {
		one.Packets = r.entry
		for _, d := range l.newDrops(Reading{id, map[string]uint64{"drop_udp": r.total}, []Drop{one}}) {
			if sum += d.Packets; d.Packets == 0 || d.Packets > 10 {
				t.Errorf("%d taken at once", d.Packets)
			}
		}
	}
	if sum != 10 {
		t.Errorf("%d taken, want the 8 of the client and 2 without", sum)
	}
}

// recorded holds the attempts that a drop journal recorded.
type recorded struct {
	attempts []rules.Attempt
	times    []uint64
}

func (r *recorded) decide(a rules.Attempt, times uint64) rules.Decision {
	r.attempts, r.times = append(r.attempts, a), append(r.times, times)
	return rules.Decision{}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// The ledger is saved before drops are recorded. If it cannot be saved, they are not
// recorded.
func TestDropJournalSavesBeforeItRecords(t *testing.T) {
	f := &fakeFilter{packets: map[string]uint64{}}
	f.load()
	source := func() ([]Reading, error) { return []Reading{f.read()}, nil }
	gone := filepath.Join(t.TempDir(), "gone")
	path := filepath.Join(gone, "denials.jsonl.drops.json")
	var got recorded
	j := NewDropJournal(source, got.decide, path, quiet())
	f.packet("reject_quic", 1)
	j.Pass()
	if len(got.attempts) != 0 || !strings.Contains(j.Problem(), "cannot save the list of recorded drops") {
		t.Errorf("recorded %v, problem %q", got.times, j.Problem())
	}
	if err := os.Mkdir(gone, 0o700); err != nil {
		t.Fatal(err)
	}
	f.packet("reject_quic", 1)
	j.Pass()
	j = NewDropJournal(source, got.decide, path, quiet()) // another process
	j.Pass()
	if len(got.times) != 1 || got.times[0] != 2 || j.Problem() != "" {
		t.Errorf("recorded %v, problem %q; want both packets once", got.times, j.Problem())
	}
}

// Without a ledger, or with a damaged one, a process does not record earlier drops:
// a drop that is recorded twice is worse than a drop that is not recorded.
func TestDropJournalWithoutLedger(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "damaged")
	if err := os.WriteFile(damaged, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", damaged} {
		f := &fakeFilter{packets: map[string]uint64{}}
		f.load()
		f.packet("drop_udp", 1)
		var got recorded
		j := NewDropJournal(func() ([]Reading, error) { return []Reading{f.read()}, nil }, got.decide, path, quiet())
		j.Pass()
		f.packet("drop_udp", 1)
		j.Pass()
		if len(got.times) != 1 || got.times[0] != 1 {
			t.Errorf("ledger %q: recorded %v, want the second packet", path, got.times)
		}
	}
}

// The error of a file that is old, absent or for another version names the remedy.
func TestDropFileProblems(t *testing.T) {
	now := time.Now()
	path := filepath.Join(t.TempDir(), "counters.json")
	for _, c := range []struct{ text, want string }{
		{"", "no such file or directory: is sallyport-drops.timer active?"},
		{`{"schema":2}`, "schema 2, but this version reads schema 1 only"},
		{`{"schema":1`, "unexpected end"},
		{`{"schema":1,"time":"` + now.Add(-2*dropStale).Format(time.RFC3339) + `"}`, "is sallyport-drops.timer active?"},
		{`{"schema":1,"time":"` + now.Format(time.RFC3339) + `"}`, ""},
	} {
		if c.text != "" {
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var got recorded
		j := NewDropJournal(DropsFromFile(path, "nobody", func() time.Time { return now }), got.decide, "", quiet())
		j.Pass()
		if p := j.Problem(); (c.want == "") != (p == "") || !strings.Contains(p, c.want) {
			t.Errorf("%s: problem %q, want %q", strconv.Quote(c.text), p, c.want)
		}
	}
}

// The drops of every recorded counter are denials with the right reason, also if
// the policy permits the destination.
func TestDropAttempts(t *testing.T) {
	policy := livePolicy(t, filterSite)
	client, unknown := netip.MustParseAddr("10.77.0.10"), netip.MustParseAddr("198.51.100.7")
	for _, c := range []struct {
		d    Drop
		want rules.Reason
	}{
		{Drop{Counter: "reject_quic", Client: client, Dest: netip.MustParseAddrPort("93.184.0.1:443"), Proto: 17}, rules.QUIC},
		{Drop{Counter: "reject_quic", Client: client}, rules.QUIC},
		{Drop{Counter: "reject_quic"}, rules.QUIC},
		{Drop{Counter: "drop_udp", Client: client, Dest: netip.MustParseAddrPort("93.184.0.51:123"), Proto: 17}, rules.PortNotListed},
		{Drop{Counter: "drop_udp", Client: client, Dest: netip.MustParseAddrPort("93.184.0.51:514"), Proto: 17}, rules.NotListed}, // the policy permits it now
		{Drop{Counter: "drop_udp", Client: client, Dest: netip.MustParseAddrPort("93.184.0.1:123"), Proto: 17}, rules.IPLiteral},
		{Drop{Counter: "drop_tcp", Client: client, Dest: netip.MustParseAddrPort("93.184.0.99:443"), Proto: 6}, rules.NotListed}, // any = true
		{Drop{Counter: "drop_tcp", Client: client, Dest: netip.MustParseAddrPort("93.184.0.1:443"), Proto: 6}, rules.IPLiteral},
		{Drop{Counter: "drop_dot", Client: client, Dest: netip.MustParseAddrPort("93.184.0.1:853"), Proto: 17}, rules.IPLiteral},
		{Drop{Counter: "drop_icmp", Client: client, Dest: netip.MustParseAddrPort("93.184.0.1:0"), Proto: 1}, rules.IPLiteral},
		{Drop{Counter: "drop_other", Client: client, Dest: netip.MustParseAddrPort("93.184.0.99:0"), Proto: 47}, rules.ProtocolNotListed},
		{Drop{Counter: "drop_fragment", Client: client, Dest: netip.MustParseAddrPort("93.184.0.51:0"), Proto: 17}, rules.MalformedRequest},
		{Drop{Counter: "drop_ip_options", Client: client, Dest: netip.MustParseAddrPort("93.184.0.51:0"), Proto: 17}, rules.MalformedRequest},
		{Drop{Counter: "drop_unknown_client", Client: unknown, Dest: netip.MustParseAddrPort("93.184.0.51:0"), Proto: 17}, rules.UnknownClient},
		{Drop{Counter: "drop_docker_resolver", Client: client, Dest: netip.MustParseAddrPort("127.0.0.11:0"), Proto: 17}, rules.IPLiteral},
	} {
		a := c.d.Attempt()
		if d := policy.Decide(a); d.Allowed() || d.Why() != c.want {
			t.Errorf("%+v: %v %v, want deny %v", c.d, d.Verdict, d.Why(), c.want)
		}
		if a.Via != rules.ViaUDP || a.Client.Addr() != c.d.Client || !strings.Contains(a.Detail, "("+c.d.Counter+"): ") || strings.HasSuffix(a.Detail, ": ") {
			t.Errorf("%+v: via %v, client %v, detail %q", c.d, a.Via, a.Client, a.Detail)
		}
	}
	for _, c := range recordedCounters(Sidecar) {
		if counterText(c.name) == "" {
			t.Errorf("no text for %s", c.name)
		}
	}
}
