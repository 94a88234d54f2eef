// Drops in the journal: what the packet filter swallowed is asked about and
// recorded like any other attempt, with its count.

package nftables

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
)

// How often the filter's counters are looked at, and how old the file may be.
const (
	dropInterval = 10 * time.Second
	dropStale    = time.Minute
)

// LedgerPath is where it is kept what of the filter's counters is in the
// journal; "": in memory only, because the journal is no file.
func LedgerPath(journal string) string {
	if journal == "" || journal == "-" {
		return ""
	}
	return journal + ".drops.json"
}

// dropsWriter is what to look at where the file is absent or old.
const dropsWriter = `is sallyport-drops.timer active? "By hand" in deploy/gateway.md is the way without systemd`

// A DropSource gives the readings there are.
type DropSource func() ([]Reading, error)

// DropsFromFile reads the file of "sallyport nft --counters".
func DropsFromFile(path, group string, now func() time.Time) DropSource {
	return func() ([]Reading, error) {
		file, err := readDropFile(path)
		if err == nil && now().Sub(file.Time) > dropStale {
			err = fmt.Errorf("%s was written at %s last: %s", path, file.Time.Format(time.RFC3339), dropsWriter)
		}
		return file.Readings, withCure(err, path, group)
	}
}

// withCure adds to an error of the file what mends it.
func withCure(err error, path, group string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s", err, dropsWriter)
	case errors.Is(err, fs.ErrPermission): // each reading makes the file anew, in the group of its directory
		return fmt.Errorf("%w: as root: install -d -g %s -m 2750 %s", err, group, filepath.Dir(path))
	}
	return err
}

// DropsFromKernel reads the kernel's counters; it needs CAP_NET_ADMIN.
func DropsFromKernel() (DropSource, error) {
	r, err := newDropReader(0)
	if err != nil {
		return nil, err
	}
	return dropsFrom(r), nil
}

// dropsFrom reads the counters by one reader.
func dropsFrom(r *dropReader) DropSource {
	return func() ([]Reading, error) {
		reading, err := r.read()
		if err != nil {
			return nil, err
		}
		return []Reading{reading}, nil
	}
}

// DropJournal takes what is new in the filter's counters into the journal.
type DropJournal struct {
	source DropSource // nil: there is none
	decide func(a rules.Attempt, times uint64) rules.Decision
	path   string // of the ledger; "": in memory only
	log    *slog.Logger

	mu     sync.Mutex
	ledger dropLedger
	begun  bool   // the ledger is that of an earlier run, or of an earlier pass
	why    string // what keeps from the journal; "": nothing
	totals map[string]uint64
}

// NewDropJournal goes on where the ledger at path ends. Without a ledger in a
// file, what was counted before this process is not its own to tell.
func NewDropJournal(source DropSource, decide func(rules.Attempt, uint64) rules.Decision, path string, log *slog.Logger) *DropJournal {
	j := &DropJournal{source: source, decide: decide, path: path, log: log, totals: map[string]uint64{}}
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

// Run takes what is new until ctx ends.
func (j *DropJournal) Run(ctx context.Context) {
	tick := time.NewTicker(dropInterval)
	defer tick.Stop()
	for {
		j.Pass()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Pass takes what is new. What is taken is written down before it is recorded:
// a process that ends in between loses a count, and counts none twice.
func (j *DropJournal) Pass() {
	j.mu.Lock()
	defer j.mu.Unlock()
	readings, why := j.source()
	before := j.ledger.clone()
	var drops []Drop
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
			j.decide(d.Attempt(), d.Packets)
		}
	}
	j.begun = j.begun || len(readings) > 0
	j.report(why)
}

// report logs a failure once, and its end.
func (j *DropJournal) report(err error) {
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

// Reads tells whether there is a source to read.
func (j *DropJournal) Reads() bool { return j.source != nil }

// Problem tells what keeps drops from the journal; "": nothing.
func (j *DropJournal) Problem() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.why
}

// Counters returns the filter's counters as they were read last.
func (j *DropJournal) Counters() map[string]uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.totals
}

// DescribeCounters lists what the filter has dropped, or nothing.
func (j *DropJournal) DescribeCounters() string {
	totals := j.Counters()
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
func (j *DropJournal) save() error {
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

// Attempt is what the packets of a Drop tried. Its fault denies also what the
// policy permits by now, or permits by other packets: these did not get out.
func (d Drop) Attempt() rules.Attempt {
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
