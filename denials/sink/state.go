// State: how a sink is, and the cursor file that outlives the process.

package sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sallyport/denials/journal"
)

// A State is how a sink is.
type State struct {
	Sent      uint64    // records, those sent again included
	Delivered uint64    // records
	Resent    uint64    // records that are sent again because their connection broke
	Failures  uint64    // attempts that failed
	Gaps      uint64    // times that records were lost, since the sink was first configured
	Lost      uint64    // how many records at most, where that is known
	Problem   string    // why it gets nothing now; "": it works, or has nothing to do
	Since     time.Time // of the problem
	Oldest    time.Time // the time of the oldest record that waits; zero: none waits
}

// Lag returns how old the oldest record is that waits to be sent.
func (s State) Lag(now time.Time) time.Duration {
	if s.Oldest.IsZero() {
		return 0
	}
	return max(now.Sub(s.Oldest), 0)
}

// State returns how the sink is now.
func (s *Sender) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

func (s *Sender) note(change func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.state.Problem
	change(&s.state)
	if was != "" && s.state.Problem == "" {
		s.cfg.Log.Info("a sink gets records again", "url", s.cfg.Sink.URL())
	}
}

func (s *Sender) behind(oldest time.Time) { s.note(func(st *State) { st.Oldest = oldest }) }

// saveEvery is how often the cursor file is written at most. After a crash the records of that time
// are sent twice.
const saveEvery = time.Second

// cursorSchema is the version of the cursor file.
const cursorSchema = 1

type cursorJSON struct {
	Schema int                         `json:"schema"`
	Sink   string                      `json:"sink"`
	Files  map[string]journal.Position `json:"files"` // by the base name of the journal
	Gaps   uint64                      `json:"gaps,omitempty"`
	Lost   uint64                      `json:"lost,omitempty"`
	Gap    string                      `json:"gap,omitempty"` // the ID of the record before the last gap
}

// CursorPath returns the path of the cursor file of a sink.
func CursorPath(journal, sink string) string { return journal + ".sink-" + sink + ".json" }

// restore reads the cursor file.
func (s *Sender) restore() {
	s.safe = make([]journal.Position, len(s.cfg.Files))
	data, err := os.ReadFile(s.cfg.Cursor)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var in cursorJSON
	if err == nil {
		err = json.Unmarshal(data, &in)
	}
	if err == nil && in.Schema != cursorSchema {
		err = fmt.Errorf("schema %d is not of this version", in.Schema)
	}
	if err != nil {
		s.cfg.Log.Error("the place of a sink cannot be read: it gets the whole journal again", "file", s.cfg.Cursor, "error", err)
		return
	}
	for i, path := range s.cfg.Files {
		s.safe[i] = in.Files[filepath.Base(path)]
	}
	s.state.Gaps, s.state.Lost, s.gap, s.stored = in.Gaps, in.Lost, in.Gap, string(data)
}

// save writes the cursor file if the place has changed, once a second or now.
func (s *Sender) save(now bool) {
	at := s.cfg.Now()
	if !now && at.Sub(s.saved) < saveEvery {
		return
	}
	s.saved = at
	st := s.State()
	out := cursorJSON{Schema: cursorSchema, Sink: s.cfg.Sink.URL(), Files: map[string]journal.Position{}, Gaps: st.Gaps, Lost: st.Lost, Gap: s.gap}
	for i, path := range s.cfg.Files {
		out.Files[filepath.Base(path)] = s.safe[i]
	}
	data, err := json.MarshalIndent(out, "", " ")
	if err == nil && string(data)+"\n" != s.stored {
		err = journal.ReplaceFile(s.cfg.Cursor, append(data, '\n'))
	}
	if err != nil {
		s.cfg.Log.Error("the place of a sink cannot be kept: after a restart it gets records twice", "file", s.cfg.Cursor, "error", err)
		return
	}
	s.stored = string(data) + "\n"
}
