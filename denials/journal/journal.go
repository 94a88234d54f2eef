// Journal: accepts entries from any goroutine without blocking it, and passes them
// to the one writer.

package journal

import (
	"crypto/rand"
	"errors"
	"hash/maphash"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/rules"
)

// Config has the parameters of a Journal.
type Config struct {
	Path       string           // the journal's file; "-": Stdout
	Flows      string           // the file for permitted flows; "": they are not recorded
	Required   bool             // deny new flows while a file cannot be written
	MaxSizeMiB int              // MiB; a larger file is rotated; 0: 100
	MaxAgeDays int              // rotated files are removed after so many days; 0: never
	Stdout     io.Writer        // nil: os.Stdout
	Log        *slog.Logger     // nil: slog.DiscardHandler
	Now        func() time.Time // nil: time.Now

	hint  func(rules.Attempt, rules.Decision) string // tests set another one; nil: rules.Hint
	open  func(path string) (file, error)            // tests set another disk
	tick  time.Duration                              // period of the writer's timer; 0: a second; tests set another one
	queue int                                        // tests set another limit
}

const (
	queueMax   = 2048 // entries that wait for the writer
	eventsMax  = 64   // starts, stops and reloads that wait too
	stallAfter = 2 * time.Second
	closeAfter = 5 * time.Second
)

// Errors of a Journal.
var (
	ErrClosed  = errors.New("the journal is closed")
	ErrStalled = errors.New("the journal's file or pipe accepts no more data")
)

// A Journal writes decisions to a file and permitted flows to another. All
// methods are safe for concurrent use.
type Journal struct {
	cfg   Config
	boot  string
	start time.Time
	seed  maphash.Seed

	shards   [shards]shard
	unknown  unknownClients
	unproven budget

	mu     sync.Mutex
	queue  []entry // waits for the writer
	events int     // how many of these entries are not about flows
	closed bool

	wake    chan struct{} // the queue is not empty
	reopen  chan chan error
	sync    chan chan struct{}
	stop    chan struct{}
	stopped chan struct{}

	denials *sink
	flows   *sink // nil: not recorded; the same as denials if both are one file

	seq        atomic.Uint64
	lostEvents atomic.Uint64
}

// Open opens the files and starts the writer. If a file cannot be opened, the
// error names the file and a remedy.
func Open(cfg Config) (*Journal, error) {
	j, err := newJournal(cfg)
	if err != nil {
		return nil, err
	}
	go j.run()
	return j, nil
}

func newJournal(cfg Config) (*Journal, error) {
	if cfg.Path == "" {
		return nil, errors.New("journal: no path")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxSizeMiB <= 0 {
		cfg.MaxSizeMiB = 100
	}
	if cfg.hint == nil {
		cfg.hint = rules.Hint
	}
	if cfg.tick == 0 {
		cfg.tick = time.Second
	}
	if cfg.queue == 0 {
		cfg.queue = queueMax
	}
	j := &Journal{cfg: cfg, boot: strings.ToLower(rand.Text()[:10]), start: cfg.Now(), seed: maphash.MakeSeed(),
		wake: make(chan struct{}, 1), reopen: make(chan chan error), sync: make(chan chan struct{}),
		stop: make(chan struct{}), stopped: make(chan struct{})}
	j.denials = newSink(cfg, cfg.Path)
	if err := j.denials.openFile(); err != nil {
		return nil, err
	}
	switch {
	case cfg.Flows == "":
	case filepath.Clean(cfg.Flows) == filepath.Clean(cfg.Path):
		j.flows = j.denials
	default:
		j.flows = newSink(cfg, cfg.Flows)
		if err := j.flows.openFile(); err != nil {
			_ = j.denials.close()
			return nil, err
		}
	}
	return j, nil
}

// Boot returns the identifier that this process puts into its records.
func (j *Journal) Boot() string { return j.boot }

// Event records that sallyport started, stopped or reloaded its policy; kind
// is EventStop or EventReload.
func (j *Journal) Event(kind, detail string) { j.event(&entry{event: kind, detail: detail}) }

// Start records that sallyport started, with its own addresses, which are the
// addresses of its listeners and of its host, in the form of OwnTexts.
func (j *Journal) Start(detail string, own []string) {
	j.event(&entry{event: EventStart, detail: detail, listens: own})
}

func (j *Journal) event(e *entry) {
	e.at, e.count = j.cfg.Now(), 1
	if !j.push(e) {
		j.lostEvents.Add(1)
		j.cfg.Log.Error("journal: event not recorded", "event", e.event, "detail", e.detail)
	}
}

// record records e. It never blocks: an entry beyond a budget, or without room in
// the queue, is counted in the client's table or in a common one.
func (j *Journal) record(e *entry) {
	out := j.sinkOf(e)
	if out == nil {
		return
	}
	e.a.Generation = nil // it may be freed while the entry waits
	window := j.window(e.at)
	if e.unknown() {
		j.unknown.record(j, e, window)
		return
	}
	sh, by := j.shardOf(e)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e.denied() {
		sh.counted += e.count
	}
	c := sh.client(by, e.a.SourceProven)
	switch {
	case out.broken() || !c.spend(e, window):
		sh.fold(c, e, j.seed)
	case e.denied() && !e.a.SourceProven && !j.unproven.spend(window, unprovenDenied):
		sh.foldCrowd(e)
	case !j.push(e):
		sh.fold(c, e, j.seed)
	}
}

// shardOf returns the shard with the state of e's client, and the client's key.
func (j *Journal) shardOf(e *entry) (*shard, rules.QuotaKey) {
	by := rules.QuotaKeyOf(e.a.Client.Addr(), e.d.Client)
	return &j.shards[maphash.Comparable(j.seed, by.Source)%shards], by
}

// refold folds a decision that could not be written.
func (j *Journal) refold(e *entry) {
	if e.unknown() {
		j.unknown.refold(e)
		return
	}
	sh, by := j.shardOf(e)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.fold(sh.client(by, e.a.SourceProven), e, j.seed)
}

// push puts e into the queue. It returns false if the queue is full.
func (j *Journal) push(e *entry) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return false
	case e.decided() && len(j.queue)-j.events >= j.cfg.queue, !e.decided() && j.events >= eventsMax:
		return false
	}
	if !e.decided() {
		j.events++
	}
	j.queue = append(j.queue, *e)
	j.queue[len(j.queue)-1].own()
	if len(j.queue) == 1 {
		select {
		case j.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// sinkOf returns the file for e. It returns nil if e is not written.
func (j *Journal) sinkOf(e *entry) *sink {
	if e.decided() && !e.denied() {
		return j.flows
	}
	return j.denials
}

// window returns the number of the second of t, by the monotonic clock.
func (j *Journal) window(t time.Time) int64 { return int64(t.Sub(j.start) / time.Second) }

// Err returns why the journal cannot be written now. It returns nil if the
// journal can be written.
func (j *Journal) Err() error {
	var errs []error
	for _, s := range j.sinks() {
		if err := s.trouble(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// unavailable is the fast form of Err, for every decision.
func (j *Journal) unavailable() bool {
	return j.denials.unavailable() || j.flows != nil && j.flows.unavailable()
}

// sinks returns the sinks without duplicates.
func (j *Journal) sinks() []*sink {
	if j.flows == nil || j.flows == j.denials {
		return []*sink{j.denials}
	}
	return []*sink{j.denials, j.flows}
}
