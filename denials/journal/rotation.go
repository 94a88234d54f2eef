// Rotation: renames a full or old file away, compresses it, and removes the
// ones that are too old, with timberjack.

package journal

import (
	"log/slog"
	"sync"
	"time"

	"github.com/DeRuina/timberjack"
)

// rotateEvery is the longest time that one file covers where records have a
// maximal age: whole files are removed, so the last record of a file goes at
// most this much later than it should.
const rotateEvery = 24 * time.Hour

// A rotator rotates one file. Timberjack names, compresses and removes the
// backups; it does not write: after a rotation it writes without O_APPEND, which
// leaves a hole when another tool truncates the file, and it cannot reopen a
// file that was renamed.
type rotator struct {
	path    string
	limit   int64
	maxAge  int // days
	log     *slog.Logger
	retryAt time.Time       // after a failure
	busy    *sync.WaitGroup // compressing and removing
	free    chan struct{}   // holds a token while nothing is being compressed
}

func newRotator(cfg Config, path string) rotator {
	r := rotator{path: path, limit: int64(cfg.MaxSizeMiB) << 20, maxAge: cfg.MaxAgeDays, log: cfg.Log,
		busy: new(sync.WaitGroup), free: make(chan struct{}, 1)}
	if path == "-" || cfg.open != nil {
		r.limit = 0
	}
	r.free <- struct{}{}
	return r
}

// due tells whether a file that is to have size and began at born must go.
func (r *rotator) due(size int64, born, now time.Time) bool {
	if r.limit == 0 || born.IsZero() || now.Before(r.retryAt) {
		return false
	}
	return size > r.limit || r.maxAge > 0 && now.Sub(born) >= rotateEvery
}

// rotate, while no backup is being compressed, renames the file away (the new one has its owner and mode) and starts the care for backups beside the
// writer. False: not now, the file is still the old one.
func (r *rotator) rotate(now time.Time) bool {
	select {
	case <-r.free:
	default:
		return false // the last backup is still being compressed
	}
	t := &timberjack.Logger{Filename: r.path, MaxAge: r.maxAge, Compression: "gzip"}
	if err := t.RotateWithReason("full"); err != nil {
		r.log.Error("journal: cannot be rotated; it goes on growing", "path", r.path, "error", err)
		r.retryAt = now.Add(time.Minute)
		r.free <- struct{}{}
		return false
	}
	r.busy.Add(1)
	go r.tend(t)
	return true
}

// tend waits until t has compressed and removed what is due.
func (r *rotator) tend(t *timberjack.Logger) {
	defer r.busy.Done()
	if err := t.Close(); err != nil {
		r.log.Warn("journal: rotation", "path", r.path, "error", err)
	}
	r.free <- struct{}{}
}

// wait returns when nothing is being compressed.
func (r *rotator) wait() { r.busy.Wait() }

// rotate lets the file be renamed away and opens the new one.
func (s *sink) rotate(now time.Time) {
	_ = s.endPartial() // a backup may end in a broken line
	if err := s.f.Sync(); err != nil {
		s.log.Warn("journal: sync before rotation", "path", s.path, "error", err)
	}
	if s.rotator.rotate(now) {
		s.reopen()
	}
}
