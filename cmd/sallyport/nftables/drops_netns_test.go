//go:build linux

// Tests that a real journal has the packets that a real packet filter dropped:
// exact counts by client, across reloads of the ruleset and restarts of the
// process.

package nftables

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// A dropScene is a gateway whose packet filter's drops are journaled.
type dropScene struct {
	t          *testing.T
	client, gw *namespace
	policy     *rules.Policy
	reader     *dropReader
	dir        string
}

func newDropScene(t *testing.T) *dropScene {
	client, gw, _ := newRouted(t)
	gw.must("nft", "-f", ruleset(t))
	reader, err := newDropReader(int(gw.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return &dropScene{t, client, gw, livePolicy(t, filterSite), reader, t.TempDir()}
}

// send sends datagrams from an address of the client.
func (s *dropScene) send(times int, from, to string) {
	s.t.Helper()
	c, err := s.client.dial(0, "udp", from, to, patient)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	for sent := 0; sent < times; {
		if _, err := c.Write([]byte("x")); err == nil { // an error is the ICMP error about an earlier datagram
			sent++
		}
	}
}

// process starts and stops a drop journal, as one run of a gateway does.
func (s *dropScene) process(source DropSource, passes int) {
	s.t.Helper()
	path := filepath.Join(s.dir, "denials.jsonl")
	records, err := journal.Open(journal.Config{Path: path, Log: quiet()})
	if err != nil {
		s.t.Fatal(err)
	}
	recorder := journal.NewRecorder(s.policy, records, nil)
	j := NewDropJournal(source, recorder.DecideTimes, LedgerPath(path), quiet())
	for range passes {
		j.Pass()
	}
	if p := j.Problem(); p != "" {
		s.t.Errorf("problem: %s", p)
	}
	if err := records.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// counted returns the sums in the journal, by "client reason via proto destination".
func (s *dropScene) counted() map[string]int {
	s.t.Helper()
	f, err := os.Open(filepath.Join(s.dir, "denials.jsonl"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	out := map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r struct {
			Verdict, Client, Reason, Via, Proto, Host string
			Port, Count                               int
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			s.t.Fatal(err)
		}
		if r.Verdict != "deny" {
			s.t.Errorf("verdict %q: %s", r.Verdict, lines.Text())
		}
		out[fmt.Sprintf("%s %s %s %s %s:%d", r.Client, r.Reason, r.Via, r.Proto, r.Host, r.Port)] += max(r.Count, 1)
	}
	return out
}

func (s *dropScene) expect(want map[string]int) {
	s.t.Helper()
	got := s.counted()
	for key, n := range want {
		if got[key] != n {
			s.t.Errorf("%s: %d times in the journal, want %d; all: %v", key, got[key], n, got)
		}
	}
	for key, n := range got {
		if want[key] == 0 {
			s.t.Errorf("%s: %d times in the journal, but nothing like it was sent", key, n)
		}
	}
}

func TestDropsInTheJournal(t *testing.T) {
	needsRootAndNft(t)
	s := newDropScene(t)
	file := filepath.Join(s.dir, "counters.json")
	export := func() {
		t.Helper()
		if err := exportDrops(s.reader, file, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	source := DropsFromFile(file, "nobody", time.Now)

	s.send(7, "10.77.0.10", "93.184.0.1:443")
	s.send(5, "fd77::10", "[2a00:1450::1]:443")
	s.send(4, "10.77.0.12", "93.184.0.2:443")
	s.send(3, "10.77.0.10", "93.184.0.1:123")
	s.send(2, "10.77.0.10", "93.184.0.1:853")
	export()
	s.process(source, 2)
	want := map[string]int{
		"10.77.0.10 quic udp udp 93.184.0.1:443":       7,
		"fd77::10 quic udp udp 2a00:1450::1:443":       5,
		"10.77.0.12 quic udp udp 93.184.0.2:443":       4,
		"10.77.0.10 ip_literal udp udp 93.184.0.1:123": 3,
		"10.77.0.10 ip_literal udp udp 93.184.0.1:853": 2,
	}
	s.expect(want)

	// The ruleset is loaded twice more, then another process runs. Packets come before, between and after.
	s.send(10, "10.77.0.10", "93.184.0.1:443")
	for range 2 {
		export()
		s.gw.must("nft", "-f", ruleset(t))
		s.send(20, "10.77.0.10", "93.184.0.1:443")
	}
	export()
	s.process(source, 1)
	s.process(source, 1)
	want["10.77.0.10 quic udp udp 93.184.0.1:443"] += 10 + 20 + 20
	s.expect(want)

	// The filter also counts while no process runs.
	s.send(6, "10.77.0.10", "93.184.0.1:443")
	export()
	export()
	s.process(source, 3)
	want["10.77.0.10 quic udp udp 93.184.0.1:443"] += 6
	s.expect(want)
}

// A client may send to more destinations than the set has room for. It still has a
// count of its own, and so has the next client.
func TestDropsOverflow(t *testing.T) {
	needsRootAndNft(t)
	s := newDropScene(t)
	const ports = counterSetSize + 200
	for port := range ports {
		s.send(1, "10.77.0.10", fmt.Sprintf("93.184.0.1:%d", 10_000+port))
	}
	s.send(9, "10.77.0.12", "93.184.0.2:123")
	s.process(dropsFrom(s.reader), 2)
	by := map[string]int{}
	reading, err := s.reader.read()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range reading.Drops {
		by[d.Client.String()] += int(d.Packets)
	}
	if by["10.77.0.10"] != ports || by["10.77.0.12"] != 9 {
		t.Errorf("the filter recorded %v, want %d and 9", by, ports)
	}
	sum := 0
	for _, n := range s.counted() {
		sum += n
	}
	if sum != ports+9 {
		t.Errorf("%d in the journal, want %d", sum, ports+9)
	}
	if n := s.counted()["10.77.0.12 ip_literal udp udp 93.184.0.2:123"]; n != 0 {
		t.Errorf("%d with their destination, although the set of flows was full", n)
	}
}

// Without a ruleset the reader returns an error. The exporter still writes the time
// to its file.
func TestDropsWithoutARuleset(t *testing.T) {
	needsRootAndNft(t)
	n := newNamespace(t)
	reader, err := newDropReader(int(n.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.read(); err != ErrNoTable {
		t.Errorf("%v, want %v", err, ErrNoTable)
	}
	file := filepath.Join(t.TempDir(), "counters.json")
	if err := exportDrops(reader, file, time.Now()); err != nil {
		t.Error(err)
	}
	if got, err := DropsFromFile(file, "nobody", time.Now)(); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}
