// Stats: the journal's state, for metrics and /readyz.

package journal

// Stats is the state of a Journal. All counts begin at its start.
type Stats struct {
	Lines   uint64 // lines written to both files
	Bytes   uint64 // octets written to both files
	Denials uint64 // denials recorded
	Folded  uint64 // decisions that were counted in one record with others
	Pending uint64 // denials that are counted and not yet in the file
	Dropped uint64 // denials lost: 0 until Close fails
	Permits uint64 // permitted decisions and closes lost: 0 until Close fails
	Errors  uint64 // failed attempts to write
	Lost    uint64 // start, stop and reload events that did not fit into the queue
	Queue   int    // entries that wait for the writer
	Healthy bool
	Last    string // the last error; it stays after a recovery
}

// Stats returns the journal's state.
func (j *Journal) Stats() Stats {
	st := Stats{Healthy: !j.unavailable(), Lost: j.lostEvents.Load()}
	j.unknown.mu.Lock()
	st.Denials, st.Folded, st.Pending = j.unknown.counted, j.unknown.folded, j.unknown.pending
	j.unknown.mu.Unlock()
	permits := uint64(0)
	for i := range j.shards {
		sh := &j.shards[i]
		sh.mu.Lock()
		st.Denials += sh.counted
		st.Folded += sh.folded
		st.Pending += sh.pending
		permits += sh.permits
		sh.mu.Unlock()
	}
	j.mu.Lock()
	st.Queue = len(j.queue)
	j.mu.Unlock()
	for _, s := range j.sinks() {
		st.Lines += s.lines.Load()
		st.Bytes += s.bytes.Load()
		st.Errors += s.errors.Load()
		if e := s.last.Load(); e != nil {
			st.Last = (*e).Error()
		}
	}
	select {
	case <-j.stopped:
		st.Dropped, st.Permits = st.Pending, permits
	default:
	}
	return st
}
