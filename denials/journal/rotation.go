// Rotation: renames a full or old file, compresses it, and removes files that are too old, with
// timberjack.

package journal

import (
	"log/slog"
	"sync"
	"time"

	"github.com/DeRuina/timberjack"
)

// rotateEvery is the longest time that one file covers if records have a maximum age. Only whole
// files are removed, so the last record of a file is removed at most this much too late.
const rotateEvery = 24 * time.Hour

// A rotator rotates one file. Timberjack names, compresses and removes the backups. It does not
// write the journal, for two reasons: after a rotation it writes without O_APPEND, which leaves a
// hole when another program truncates the file; and it cannot reopen a renamed file.
type rotator struct {
	path    string
	limit   int64
	maxAge  int // days
	log     *slog.Logger
	retryAt time.Time       // after a failure
	busy    *sync.WaitGroup // compressing and removing
	free    chan struct{}   // holds a token while no file is being compressed
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

// due reports whether a file must be rotated before it grows to size; its first record was written
// at born.
func (r *rotator) due(size int64, born, now time.Time) bool {
	if r.limit == 0 || born.IsZero() || now.Before(r.retryAt) {
		return false
	}
	return size > r.limit || r.maxAge > 0 && now.Sub(born) >= rotateEvery
}

// rotate renames the file, if no backup is being compressed. The new file has the same owner and
// mode. Backups are then compressed and removed while the writer goes on. rotate returns false if
// the file could not be rotated yet.
func (r *rotator) rotate(now time.Time) bool {
	select {
	case <-r.free:
	default:
		return false // the last backup is still being compressed
	}
	t := &timberjack.Logger{Filename: r.path, MaxAge: r.maxAge, Compression: "gzip"}
	if err := t.RotateWithReason("full"); err != nil {
		r.log.Error("journal: the file cannot be rotated and keeps growing", "path", r.path, "error", err)
		r.retryAt = now.Add(time.Minute)
		r.free <- struct{}{}
		return false
	}
	r.busy.Add(1)
	go r.tend(t)
	return true
}

// tend waits until timberjack has compressed and removed the backups that are due.
func (r *rotator) tend(t *timberjack.Logger) {
	defer r.busy.Done()
	if err := t.Close(); err != nil {
		r.log.Warn("journal: rotation", "path", r.path, "error", err)
	}
	r.free <- struct{}{}
}

// wait waits until no file is being compressed.
func (r *rotator) wait() { r.busy.Wait() }

// rotate renames the file and opens the new one.
func (s *sink) rotate(now time.Time) {
	_ = s.endPartial() // a backup may end in a broken line
	if err := s.f.Sync(); err != nil {
		s.log.Warn("journal: sync before rotation", "path", s.path, "error", err)
	}
	if s.rotator.rotate(now) {
		s.reopen()
	}
}
