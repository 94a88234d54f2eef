// Writer: the only goroutine that encodes entries and writes them.

package journal

import (
	"fmt"
	"runtime/debug"
	"time"
)

// chunk is the number of octets written at once under load.
const chunk = 64 << 10

// A writer holds the buffers of the journal's goroutine.
type writer struct {
	j      *Journal
	batch  []entry // entries from the queue
	folds  []entry // entries that were folded
	late   []entry // starts, stops and reloads that could not be written
	rec    Record
	failed bool // a record failed, and the log has the trace
	tick   *time.Ticker
}

// run writes until Close. A record is written as soon as the writer is free; folded
// records are written once a second.
func (j *Journal) run() {
	defer close(j.stopped)
	w := &writer{j: j, tick: time.NewTicker(j.cfg.tick)}
	defer w.tick.Stop()
	for {
		select {
		case <-j.wake:
			w.drain()
		case <-w.tick.C:
			w.second()
		case done := <-j.reopen:
			w.drain()
			done <- w.reopen()
		case done := <-j.sync:
			w.drain()
			w.unfold()
			close(done)
		case <-j.stop:
			w.finish()
			return
		}
	}
}

// drain writes the queue.
func (w *writer) drain() {
	w.j.mu.Lock()
	w.batch, w.j.queue = w.j.queue, w.batch[:0]
	w.j.events = 0
	w.j.mu.Unlock()
	w.put(w.batch)
	clear(w.batch) // names may keep a request's memory alive
}

// second runs once a second: it checks the files, then writes the folded
// entries.
func (w *writer) second() {
	for _, s := range w.j.sinks() {
		s.care(w.j.cfg.Now())
	}
	w.catchUp()
}

// catchUp writes all waiting entries, also to files that have failed before.
func (w *writer) catchUp() {
	late := w.late
	w.late = nil
	w.put(late)
	w.drain()
	w.unfold()
	for _, s := range w.j.sinks() {
		s.settle()
	}
}

// unfold writes the folded entries, shard by shard, until the file cannot be
// written.
func (w *writer) unfold() {
	window := w.j.window(w.j.cfg.Now())
	for i := range w.j.shards {
		w.folds = w.j.shards[i].drain(w.folds[:0], window)
		w.put(w.folds)
		clear(w.folds)
	}
	w.folds = w.j.unknown.drain(w.folds[:0], window)
	w.put(w.folds)
	clear(w.folds)
	if cap(w.folds) > 4096 {
		w.folds = nil
	}
}

// put writes entries, each to its file. Entries that a file does not accept are
// folded again.
func (w *writer) put(es []entry) {
	for _, s := range w.j.sinks() {
		for i := range es {
			if w.j.sinkOf(&es[i]) != s {
				continue
			}
			if !s.tries() {
				w.refold(&es[i])
				continue
			}
			w.spell(&es[i])
			w.rec.Boot, w.rec.Seq = w.j.boot, w.j.seq.Add(1)
			s.add(w.rec.Append(s.buf), &es[i])
			if len(s.buf) >= chunk {
				w.flush(s)
			}
		}
		w.flush(s)
	}
}

// spell sets w.rec to the record of e.
func (w *writer) spell(e *entry) {
	defer w.rescue()
	w.rec.fill(e, w.j.cfg.hint)
}

// rescue keeps the finished part of a record if fill panics, so that neither
// the record nor the writer is lost. It must be deferred directly.
func (w *writer) rescue() {
	if v := recover(); v != nil && !w.failed {
		w.failed = true // the log needs only one trace
		w.j.cfg.Log.Error("journal: internal error: a record is written incomplete", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	}
}

// flush writes the lines that s holds, and folds the entries that s refuses.
func (w *writer) flush(s *sink) {
	if len(s.buf) == 0 {
		return
	}
	before := s.broken()
	for _, e := range s.flush(w.j.cfg.Now()) {
		w.refold(e)
	}
	if !before && s.broken() {
		w.j.cfg.Log.Error("journal: cannot be written; denials are counted and written later", "error", s.trouble())
	}
}

// refold folds an entry that could not be written.
func (w *writer) refold(e *entry) {
	switch {
	case e.decided():
		w.j.refold(e)
	case len(w.late) < eventsMax:
		w.late = append(w.late, *e)
	default:
		w.j.lostEvents.Add(1)
	}
}

// reopen opens every file again.
func (w *writer) reopen() error {
	for _, s := range w.j.sinks() {
		s.reopen()
	}
	w.catchUp()
	return w.j.Err()
}

// finish writes all entries and closes the files.
func (w *writer) finish() {
	w.second()
	for _, s := range w.j.sinks() {
		if err := s.close(); err != nil {
			s.fail(err)
		}
	}
}
