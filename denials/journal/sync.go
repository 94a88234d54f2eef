// Sync: waits until the records are in the files: at Sync, Reopen and Close.

package journal

import (
	"time"
)

// Reopen closes the files and opens them again, for an external tool that has
// renamed them. Records written meanwhile are neither lost nor doubled.
func (j *Journal) Reopen() error {
	done := make(chan error, 1)
	late := time.NewTimer(closeAfter)
	defer late.Stop()
	select {
	case j.reopen <- done:
		return <-done
	case <-j.stopped:
		return ErrClosed
	case <-late.C:
		return ErrStalled
	}
}

// Sync waits until everything recorded so far is in the files, folded entries
// included, and returns Err.
func (j *Journal) Sync() error {
	done := make(chan struct{})
	late := time.NewTimer(closeAfter)
	defer late.Stop()
	select {
	case j.sync <- done:
		<-done
	case <-j.stopped:
		return ErrClosed
	case <-late.C:
		return ErrStalled
	}
	return j.Err()
}

// Close writes everything that was recorded, syncs and closes the files. An
// error means that something could not be written.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	j.closed = true
	j.mu.Unlock()
	close(j.stop)
	late := time.NewTimer(closeAfter)
	defer late.Stop()
	select {
	case <-j.stopped:
		return j.Err()
	case <-late.C:
		return ErrStalled
	}
}
