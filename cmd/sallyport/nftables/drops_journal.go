// Drop journal: decides and records the attempts that the packet filter dropped, with their
// count.

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

// How often the filter's counters are read, and how old the file may be.
const (
	dropInterval = 10 * time.Second
	dropStale    = time.Minute
)

// LedgerPath returns the path of the file that remembers which drops are in the
// journal; "": it is kept in memory only, because the journal is no file.
func LedgerPath(journal string) string {
	if journal == "" || journal == "-" {
		return ""
	}
	return journal + ".drops.json"
}

// exporterHint is the remedy if the file is absent or old.
const exporterHint = `is sallyport-drops.timer active? without systemd, see "By hand" in deploy/gateway.md`

// A DropSource returns the readings that are available.
type DropSource func() ([]Reading, error)

// DropsFromFile returns a source that reads the file of "sallyport nft --counters".
// group is the group of this process, for the remedy in an error.
func DropsFromFile(path, group string, now func() time.Time) DropSource {
	return func() ([]Reading, error) {
		file, err := readDropFile(path)
		if err == nil && now().Sub(file.Time) > dropStale {
			err = fmt.Errorf("%s was last written at %s: %s", path, file.Time.Format(time.RFC3339), exporterHint)
		}
		return file.Readings, withRemedy(err, path, group)
	}
}

// withRemedy adds to an error about the file the remedy for the operator.
func withRemedy(err error, path, group string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s", err, exporterHint)
	case errors.Is(err, fs.ErrPermission): // each reading makes a new file, which gets the group of its directory
		return fmt.Errorf("%w: as root: install -d -g %s -m 2750 %s", err, group, filepath.Dir(path))
	}
	return err
}

// DropsFromKernel returns a source that reads the kernel's counters. It needs CAP_NET_ADMIN.
func DropsFromKernel() (DropSource, error) {
	r, err := newDropReader(0)
	if err != nil {
		return nil, err
	}
	return dropsFrom(r), nil
}

// dropsFrom returns a source that uses one reader.
func dropsFrom(r *dropReader) DropSource {
	return func() ([]Reading, error) {
		reading, err := r.read()
		if err != nil {
			return nil, err
		}
		return []Reading{reading}, nil
	}
}

// A DropJournal records new drops in the journal.
type DropJournal struct {
	source DropSource // nil: run was started without one
	decide func(a rules.Attempt, times uint64) rules.Decision
	path   string // the file of the ledger; "": in memory only
	log    *slog.Logger

	mu     sync.Mutex
	ledger ledger
	begun  bool   // the ledger has an earlier reading, so that only later drops are new
	why    string // why drops are not journaled; "": they are
	totals map[string]uint64
}

// NewDropJournal returns a DropJournal that continues where the ledger at path
// ends. Without a path it does not record drops that were counted before its
// first pass.
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
		// It is not known which drops are journaled. None may be journaled twice.
		j.ledger = ledger{}
		log.Error("cannot read the list of the packet filter's journaled drops; earlier drops are left out", "error", err)
	}
	return j
}

// Run records new drops until ctx ends.
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

// Pass records the new drops once. It saves the ledger before it records: a
// process that ends in between loses these drops, but never records them twice.
func (j *DropJournal) Pass() {
	j.mu.Lock()
	defer j.mu.Unlock()
	readings, why := j.source()
	before := j.ledger.clone()
	var drops []Drop
	for _, r := range readings {
		drops = append(drops, j.ledger.newDrops(r)...)
		j.totals = r.Totals
	}
	if len(drops) > 0 && j.path != "" {
		if err := j.save(); err != nil {
			j.ledger, drops = before, nil
			why = fmt.Errorf("cannot save the list of recorded drops: %w", err)
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

// report logs the begin and the end of a failure.
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

// Reads reports whether there is a source.
func (j *DropJournal) Reads() bool { return j.source != nil }

// Problem returns why drops are not journaled; "": they are.
func (j *DropJournal) Problem() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.why
}

// Counters returns the filter's counters from the last reading.
func (j *DropJournal) Counters() map[string]uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.totals
}

// DescribeCounters lists the counters that are not 0, as text to append.
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

// save writes the ledger to its file.
func (j *DropJournal) save() error {
	data, err := json.Marshal(j.ledger)
	if err != nil {
		return err
	}
	return replaceByName(j.path, data, 0o600)
}

// counterText describes the packets of a counter.
func counterText(counter string) string {
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
		"drop_docker_resolver": "a query to Docker's resolver that bypasses the DNS filter",
	}[counter]
}

// Attempt returns the attempt that the packets of a drop made. Its fault denies
// it even if the policy permits the destination now: these packets were dropped.
func (d Drop) Attempt() rules.Attempt {
	a := rules.Attempt{Via: rules.ViaUDP, Client: netip.AddrPortFrom(d.Client, 0), Dest: d.Dest, Fault: rules.NotListed,
		Detail: fmt.Sprintf("dropped by the packet filter (%s): %s", d.Counter, counterText(d.Counter))}
	switch d.Proto {
	case unix.IPPROTO_UDP:
		a.Proto = rules.UDP
	case unix.IPPROTO_TCP:
		a.Proto = rules.TCP
		a.Provisional = true // no byte of the flow was read, so nothing checked its protocol
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
		a.Detail += "; from several clients, too many to count one by one"
	}
	if d.Proto != 0 && a.Proto == rules.ProtoUnknown {
		a.Detail += fmt.Sprintf("; IP protocol %d", d.Proto) // the journal has no field for it
	}
	return a
}
