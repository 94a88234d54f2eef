// Sender: reads the journal and sends it to one sink, for as long as the sink is configured.

package sink

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// Config has the parameters of a Sender. All but Now and Log are required.
type Config struct {
	Sink    *rules.Sink
	Files   []string // the journal's files: that of denials, and that of flows if the sink gets all
	Cursor  string   // the file that keeps how far the sink has everything
	Dial    Dial
	Host    string // the name of this host, for the receiver
	Version string
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: none

	hold    time.Duration // how long a connection must work for its records to count as delivered; 0: usualHold
	pause   time.Duration // between two looks at the files; 0: usualPause
	backoff time.Duration // the first wait after a failure; 0: firstBackoff
}

// Dial connects to a sink, without TLS.
type Dial func(ctx context.Context, s *rules.Sink) (net.Conn, error)

const (
	usualHold    = 10 * time.Second
	usualPause   = 200 * time.Millisecond
	firstBackoff = time.Second
	mostBackoff  = time.Minute
	finishWithin = 2 * time.Second
	marksMax     = 4096
	worksAfter   = time.Second // how long a connection must work for a problem to be over
)

// A Sender serves one sink.
type Sender struct {
	cfg    Config
	out    output
	feeds  []*journal.Feed
	marks  []mark // what was sent and is not delivered yet, in order
	safe   []journal.Position
	saved  time.Time
	stored string // the content of the cursor file
	failed int    // failures since the last delivery
	gap    string // the ID of the record before the last gap

	mu    sync.Mutex
	state State
}

// A mark is the end of a batch that was sent.
type mark struct {
	places  []journal.Position
	records uint64
	end     int64     // octets of the connection so far
	at      time.Time // when the receiver's kernel had them; zero: not yet
}

// New returns a Sender that goes on where the cursor file says. A file that cannot be read is an
// error that is logged: the sink then gets the whole journal again.
func New(cfg Config) *Sender {
	orElse(&cfg.hold, usualHold)
	orElse(&cfg.pause, usualPause)
	orElse(&cfg.backoff, firstBackoff)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Log = cfg.Log.With("sink", cfg.Sink.Name)
	s := &Sender{cfg: cfg, out: newOutput(cfg)}
	s.restore()
	for i, path := range cfg.Files {
		s.feeds = append(s.feeds, journal.NewFeed(path, s.safe[i]))
	}
	return s
}

func orElse(d *time.Duration, usual time.Duration) {
	if *d == 0 {
		*d = usual
	}
}

// Run sends until ctx ends. Then it sends what is on the disk, for at most two seconds, and keeps
// the place.
func (s *Sender) Run(ctx context.Context) {
	defer s.close()
	for ctx.Err() == nil {
		wait := s.step(ctx)
		if wait > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
	}
	s.finish(context.WithoutCancel(ctx))
}

// step sends one batch. It returns how long to wait before the next step.
func (s *Sender) step(ctx context.Context) time.Duration {
	if err := s.out.check(); err != nil {
		return s.fail(err)
	}
	if s.settle(); len(s.marks) >= marksMax {
		return s.cfg.pause
	}
	b, err := s.collect()
	if err != nil {
		return s.fail(err)
	}
	s.save(false)
	if b.records == 0 {
		s.behind(time.Time{})
		return s.cfg.pause
	}
	s.behind(b.oldest)
	if err := s.out.send(ctx, b.messages); err != nil {
		if ctx.Err() != nil {
			s.rewind()
			return 0
		}
		return s.fail(err)
	}
	s.mark(b)
	s.note(func(st *State) { st.Sent += b.records })
	return 0
}

// mark notes the end of a batch that was sent.
func (s *Sender) mark(b *batch) {
	m := mark{records: b.records, end: s.out.written()}
	for _, f := range s.feeds {
		m.places = append(m.places, f.Position())
	}
	s.marks = append(s.marks, m)
}

// settle moves the safe place past the batches that the receiver has.
func (s *Sender) settle() {
	now, acked, done := s.cfg.Now(), s.out.acked(), 0
	for i := range s.marks {
		m := &s.marks[i]
		if m.end > acked {
			break
		}
		if m.at.IsZero() {
			m.at = now
		}
		if now.Sub(m.at) >= s.out.hold() {
			done = i + 1
		}
	}
	if len(s.marks) > 0 && !s.marks[0].at.IsZero() && now.Sub(s.marks[0].at) >= min(s.out.hold(), worksAfter) {
		s.note(func(st *State) { st.Problem = "" })
	}
	s.deliver(done)
}

// deliver moves the safe place past the first n batches.
func (s *Sender) deliver(n int) {
	if n == 0 {
		return
	}
	delivered := uint64(0)
	for _, m := range s.marks[:n] {
		delivered += m.records
	}
	s.safe = s.marks[n-1].places
	s.marks = append(s.marks[:0], s.marks[n:]...)
	if delivered > 0 {
		s.failed = 0
	}
	s.note(func(st *State) { st.Delivered += delivered })
}

// fail closes the connection, goes back to the safe place, and returns how long to wait.
func (s *Sender) fail(err error) time.Duration {
	s.rewind()
	wait := min(s.cfg.backoff<<min(s.failed, 16), mostBackoff)
	s.failed++
	wait = wait/2 + rand.N(wait/2+1)
	first := false
	s.note(func(st *State) {
		first = st.Problem == ""
		st.Failures++
		if st.Problem = err.Error(); first {
			st.Since = s.cfg.Now()
		}
	})
	if first {
		s.cfg.Log.Warn("a sink gets no records; they wait in the journal's files", "url", s.cfg.Sink.URL(), "error", err, "again", wait.Round(time.Millisecond))
	}
	return wait
}

// rewind makes the next batch begin at the safe place.
func (s *Sender) rewind() {
	s.out.close()
	resent := uint64(0)
	for _, m := range s.marks {
		resent += m.records
	}
	s.marks = s.marks[:0]
	for i, f := range s.feeds {
		f.Seek(s.safe[i])
	}
	s.note(func(st *State) { st.Resent += resent })
}

// finish sends what is left, ends the connection and keeps the place.
func (s *Sender) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, finishWithin)
	defer cancel()
	for ctx.Err() == nil && s.failed == 0 {
		if s.step(ctx) > 0 {
			break
		}
	}
	if s.failed == 0 && s.out.finish(ctx) == nil {
		s.deliver(len(s.marks))
	}
	s.save(true)
}

func (s *Sender) close() {
	s.out.close()
	for _, f := range s.feeds {
		f.Close()
	}
}
