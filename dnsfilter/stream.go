// Stream: one TLS connection to an upstream, which carries many questions at a time. The
// answers come in any order (RFC 7766, sections 6.2.1.1 and 7).

package dnsfilter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// The limits of a stream.
const (
	streamIdle  = 10 * time.Second // without a question and an answer
	streamWrite = 2 * time.Second  // for one question
	streamCalls = 512              // questions without an answer
)

// The reasons why a stream has no answer to a question that it took.
var (
	errStreamEnded  = errors.New("the connection ended before the answer")
	errStreamSilent = errors.New("nothing came over an earlier connection")
	errStreamFull   = errors.New("too many questions wait for the upstream")
)

// A stream is one connection.
type stream struct {
	conn    net.Conn
	writing sync.Mutex
	heard   atomic.Uint64 // messages that came

	mu    sync.Mutex // guards the fields below
	calls map[uint16]*call
	ended bool
	err   error // why it ended
}

// A call is a question whose answer has not come. It stays until the answer comes, even if
// its caller waits no longer: otherwise a late answer could meet a new question.
type call struct {
	query []byte
	done  chan struct{}
	reply reply
	err   error
}

func newStream(conn net.Conn) *stream { return &stream{conn: conn, calls: map[uint16]*call{}} }

// load returns how many questions wait; ok is false if the stream takes no more.
func (s *stream) load() (n int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls), !s.ended && len(s.calls) < streamCalls
}

// ask sends a question and waits for its answer until ctx ends. If patience is not 0 and
// nothing at all comes in that time, the error is errStreamSilent.
func (s *stream) ask(ctx context.Context, query []byte, patience time.Duration) (reply, error) {
	heard := s.heard.Load()
	c, err := s.begin(query)
	if err != nil {
		return reply{}, err
	}
	var late <-chan time.Time
	if patience > 0 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		late = timer.C
	}
	for {
		select {
		case <-c.done:
			return c.reply, c.err
		case <-late:
			if s.heard.Load() == heard {
				return reply{}, errStreamSilent
			}
			late = nil
		case <-ctx.Done():
			return reply{}, ctx.Err()
		}
	}
}

// begin gives the question an ID that no waiting question has, and sends it.
func (s *stream) begin(query []byte) (*call, error) {
	c := &call{query: query, done: make(chan struct{})}
	s.mu.Lock()
	if s.ended || len(s.calls) >= streamCalls {
		defer s.mu.Unlock()
		if s.ended {
			return nil, s.err
		}
		return nil, errStreamFull
	}
	id := binary.BigEndian.Uint16(query)
	for s.calls[id] != nil {
		id++
	}
	binary.BigEndian.PutUint16(query, id)
	s.calls[id] = c
	s.mu.Unlock()

	framed := append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(query)), uint16(len(query))), query...)
	s.writing.Lock()
	defer s.writing.Unlock()
	now := time.Now()
	s.conn.SetReadDeadline(now.Add(streamIdle))
	s.conn.SetWriteDeadline(now.Add(streamWrite))
	if _, err := s.conn.Write(framed); err != nil { // a part of it may have left: nothing can follow
		s.end(streamEnded(err))
	}
	return c, nil
}

// readAll reads answers until the stream ends.
func (s *stream) readAll() {
	for {
		if err := s.readOne(); err != nil {
			s.end(err)
			return
		}
	}
}

// streamEnded returns the error of the questions that wait on a connection that failed.
func streamEnded(err error) error {
	if fault := alertOf(err); fault != nil {
		return fault
	}
	return fmt.Errorf("%w: %w", errStreamEnded, err)
}

// readOne reads one message and gives it to the question with its ID. A message that
// answers none ends the stream: others cannot inject one, so the server is at fault.
func (s *stream) readOne() error {
	var size [2]byte
	if _, err := io.ReadFull(s.conn, size[:]); err != nil {
		return streamEnded(err)
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(s.conn, buf); err != nil {
		return streamEnded(err)
	}
	s.heard.Add(1)
	s.conn.SetReadDeadline(time.Now().Add(streamIdle))
	if len(buf) < headerSize {
		return errMismatch
	}
	id := binary.BigEndian.Uint16(buf)
	s.mu.Lock()
	c := s.calls[id]
	s.mu.Unlock()
	if c == nil {
		return errMismatch
	}
	r, err := readReply(buf, c.query)
	if errors.Is(err, errMismatch) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended { // the call has its error
		return s.err
	}
	delete(s.calls, id)
	c.reply, c.err = r, err
	close(c.done)
	return nil
}

// end closes the stream. Questions that wait get the error.
func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended, s.err = true, err
	for _, c := range s.calls {
		c.err = err
		close(c.done)
	}
	clear(s.calls)
	go s.conn.Close() // it says goodbye, for which TLS may wait
}
