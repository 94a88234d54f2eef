// Batch: the records that are sent at once.

package sink

import (
	"time"

	"sallyport/denials/journal"
)

const (
	recordsMax = 256
	octetsMax  = 256 << 10
)

// A batch has the messages of some records, each as the sink's protocol wants it.
type batch struct {
	messages [][]byte
	octets   int
	records  uint64
	oldest   time.Time // the time of the first record
}

// collect reads the next batch. It is empty if no record waits.
func (s *Sender) collect() (*batch, error) {
	b := &batch{}
	for _, f := range s.feeds {
		for b.records < recordsMax && b.octets < octetsMax {
			r, line, err := f.Next()
			if err != nil {
				return nil, err
			}
			if r == nil {
				break
			}
			if g := f.Gap(); g != nil {
				s.lose(g)
			}
			if b.records == 0 || r.Time.Before(b.oldest) {
				b.oldest = r.Time
			}
			m := s.out.message(r, line)
			b.messages, b.octets, b.records = append(b.messages, m), b.octets+len(m), b.records+1
		}
	}
	return b, nil
}

// lose counts what was removed before it was sent.
func (s *Sender) lose(g *journal.Gap) {
	if g.After == s.gap {
		return // counted before the sender went back
	}
	s.gap = g.After
	s.note(func(st *State) { st.Gaps++; st.Lost += g.Records })
	s.cfg.Log.Error("a sink lost records: their file was removed, or is damaged, before they were sent", "after", g.After, "before", g.Before, "records_at_most", g.Records)
}
