// Drops in the journal: what the packet filter swallowed is asked about and
// recorded like any other attempt, with its count.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sallyport/rules"
	"sallyport/rules/site"
)

// How often the filter's counters are looked at, and how old the file may be.
const (
	dropInterval = 10 * time.Second
	dropStale    = time.Minute
)

// dropsPath is where it is kept what of the filter's counters is in the
// journal; "": in memory only, because the journal is no file.
func dropsPath(journal string) string {
	if journal == "" || journal == "-" {
		return ""
	}
	return journal + ".drops.json"
}

// dropsWriter is what to look at where the file is absent or old.
const dropsWriter = `is sallyport-drops.timer active? "By hand" in deploy/gateway.md is the way without systemd`

// A dropSource gives the readings there are.
type dropSource func() ([]dropReading, error)

// dropsFrom reads the file of "sallyport nft --counters".
func dropsFrom(path string, now func() time.Time) dropSource {
	return func() ([]dropReading, error) {
		file, err := readDropFile(path)
		if err == nil && now().Sub(file.Time) > dropStale {
			err = fmt.Errorf("%s was written at %s last: %s", path, file.Time.Format(time.RFC3339), dropsWriter)
		}
		return file.Readings, withCure(err, path)
	}
}

// withCure adds to an error of the file what mends it.
func withCure(err error, path string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s", err, dropsWriter)
	case errors.Is(err, fs.ErrPermission): // each reading makes the file anew, in the group of its directory
		return fmt.Errorf("%w: as root: install -d -g %s -m 2750 %s", err, ownGroup(), filepath.Dir(path))
	}
	return err
}

// dropsOf reads the kernel's counters.
func dropsOf(r *dropReader) dropSource {
	return func() ([]dropReading, error) {
		reading, err := r.read()
		if err != nil {
			return nil, err
		}
		return []dropReading{reading}, nil
	}
}

// dropJournal takes what is new in the filter's counters into the journal.
type dropJournal struct {
	source dropSource // nil: there is none
	decide func(a rules.Attempt, times uint64) rules.Decision
	path   string // of the ledger; "": in memory only
	log    *slog.Logger

	mu     sync.Mutex
	ledger dropLedger
	begun  bool   // the ledger is that of an earlier run, or of an earlier pass
	why    string // what keeps from the journal; "": nothing
	totals map[string]uint64
}

// newDropJournal goes on where the ledger at path ends. Without a ledger in a
// file, what was counted before this process is not its own to tell.
func newDropJournal(source dropSource, decide func(rules.Attempt, uint64) rules.Decision, path string, log *slog.Logger) *dropJournal {
	j := &dropJournal{source: source, decide: decide, path: path, log: log, totals: map[string]uint64{}}
	if source == nil {
		j.why = "run has neither --filter-counters nor --live-sets; \"By hand\" in deploy/gateway.md has the two commands"
		return j
	}
	j.why = "not read yet"
	if path == "" {
		return j
	}
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &j.ledger)
	}
	switch {
	case err == nil || errors.Is(err, fs.ErrNotExist):
		j.begun = true
	default:
		// What was taken is not known, and is not to be taken twice.
		j.ledger = dropLedger{}
		log.Error("cannot read which drops of the packet filter are journaled; those so far are left out", "error", err)
	}
	return j
}

// run takes what is new until ctx ends.
func (j *dropJournal) run(ctx context.Context) {
	tick := time.NewTicker(dropInterval)
	defer tick.Stop()
	for {
		j.pass()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// pass takes what is new. What is taken is written down before it is recorded:
// a process that ends in between loses a count, and counts none twice.
func (j *dropJournal) pass() {
	j.mu.Lock()
	defer j.mu.Unlock()
	readings, why := j.source()
	before := j.ledger.clone()
	var drops []drop
	for _, r := range readings {
		drops = append(drops, j.ledger.take(r)...)
		j.totals = r.Totals
	}
	if len(drops) > 0 && j.path != "" {
		if err := j.save(); err != nil {
			j.ledger, drops = before, nil
			why = fmt.Errorf("cannot write down which are: %w", err)
		}
	}
	if j.begun {
		for _, d := range drops {
			j.decide(d.attempt(), d.Packets)
		}
	}
	j.begun = j.begun || len(readings) > 0
	j.report(why)
}

// report logs a failure once, and its end.
func (j *dropJournal) report(err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	if why == j.why {
		return
	}
	if j.why = why; why != "" {
		j.log.Warn("drops of the packet filter are not journaled", "why", why)
		return
	}
	j.log.Info("drops of the packet filter are journaled")
}

// problem tells what keeps drops from the journal; "": nothing.
func (j *dropJournal) problem() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.why
}

// counters returns the filter's counters as they were read last.
func (j *dropJournal) counters() map[string]uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.totals
}

// drops is where the filter's counters come from; nil: from nowhere, as for a
// proxy, which has no packet filter.
func (f filterFlags) drops(cfg *site.Config) (dropSource, error) {
	switch {
	case len(cfg.Listen.Transparent) == 0:
		return nil, nil
	case f.counters != "":
		return dropsFrom(f.counters, time.Now), nil
	case f.live:
		r, err := newDropReader(0)
		if err != nil {
			return nil, err
		}
		return dropsOf(r), nil
	}
	return nil, nil
}

// swallowed records attempts that the packet filter ended, and counts them. What
// the policy denies by itself needs no fault, so that the record is of what was
// tried and a change of the policy can be tried on it.
func (g *Gateway) swallowed(a rules.Attempt, times uint64) rules.Decision {
	a.Generation = g.live.Load()
	if plain := a; a.Fault == rules.NotListed {
		plain.Fault = rules.ReasonNone
		if d := g.recorder.Preview(plain); !d.Allowed() && d.Why() != rules.JournalUnavailable {
			a = plain
		}
	}
	d := g.recorder.DecideTimes(a, times)
	g.metrics.decidedTimes(a, d, times)
	return d
}

// describeDrops says whether what the packet filter drops is in the journal;
// "": no packet filter is known to belong to this gateway.
func (g *Gateway) describeDrops() string {
	if g.drops == nil || len(g.booted.Listen.Transparent) == 0 {
		return ""
	}
	if why := g.drops.problem(); why != "" {
		return "drops of the packet filter are not journaled: " + why
	}
	return "its drops are journaled"
}

// describeCounters lists what the filter has dropped, or nothing.
func (j *dropJournal) describeCounters() string {
	totals := j.counters()
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(totals)) {
		if totals[name] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", name, totals[name]))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "; packets since the ruleset was loaded: " + strings.Join(parts, ", ")
}

// save writes the ledger down.
func (j *dropJournal) save() error {
	data, err := json.Marshal(j.ledger)
	if err != nil {
		return err
	}
	return replaceByName(j.path, data, 0o600)
}

// dropDetail says what the packets of a counter were.
func dropDetail(counter string) string {
	return map[string]string{
		"reject_quic":          "UDP 443",
		"drop_dot":             "port 853: DNS over TLS, QUIC or DTLS",
		"drop_icmp":            "ICMP",
		"drop_tcp":             "TCP that was not redirected",
		"drop_udp":             "UDP that no document permits",
		"drop_other":           "neither TCP, UDP nor ICMP",
		"drop_fragment":        "IP fragments",
		"drop_ip_options":      "IPv4 options or IPv6 extension headers",
		"drop_unknown_client":  "from an address that no client has",
		"drop_docker_resolver": "Docker's resolver, past the DNS filter",
	}[counter]
}

// attempt is what the packets of a drop tried. Its fault denies also what the
// policy permits by now, or permits by other packets: these did not get out.
func (d drop) attempt() rules.Attempt {
	a := rules.Attempt{Via: rules.ViaUDP, Client: netip.AddrPortFrom(d.Client, 0), Dest: d.Dest, Fault: rules.NotListed,
		Detail: fmt.Sprintf("dropped by the packet filter (%s): %s", d.Counter, dropDetail(d.Counter))}
	switch d.Proto {
	case unix.IPPROTO_UDP:
		a.Proto = rules.UDP
	case unix.IPPROTO_TCP:
		a.Proto = rules.TCP
		a.Provisional = true // no byte of it was looked at: the port demands nothing of it
	default:
		a.Fault = rules.ProtocolNotListed
	}
	switch d.Counter {
	case "reject_quic":
		a.Proto, a.Fault = rules.UDP, rules.QUIC
	case "drop_fragment", "drop_ip_options":
		a.Fault = rules.MalformedRequest
	}
	if !d.Client.IsValid() {
		a.Detail += "; of clients that were too many to be told apart"
	}
	if d.Proto != 0 && a.Proto == rules.ProtoUnknown {
		a.Detail += fmt.Sprintf("; IP protocol %d", d.Proto) // the journal has no field for it
	}
	return a
}
