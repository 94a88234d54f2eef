// Streams: the connections to one upstream of DNS over TLS (RFC 7858, section 3.4).
//
// One connection carries many questions. A second one helps with servers that answer
// questions one after another. A connection that failed is replaced once, because the
// server may have closed it while it was idle, or a device on the way may have forgotten
// it. There is no other way to ask such an upstream.

package dnsfilter

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"sync"
)

// The limits of the connections to one upstream.
const (
	maxStreams = 4
	busyStream = 8 // questions that wait on each connection before there is another one
)

// streams holds the open connections to one upstream. Its zero value has none.
type streams struct {
	mu      sync.Mutex
	open    []*stream
	dialing *dialing // at most one at a time
	config  *tls.Config
}

// dialing is a connection in the making, for which any number of questions wait.
type dialing struct {
	done   chan struct{}
	stream *stream // set before done is closed
	err    error
}

// roundTripTLS asks by DNS over TLS. If an earlier connection fails or is silent, it asks
// once again over a new one.
func (f *Filter) roundTripTLS(ctx context.Context, u *server, query []byte) (reply, error) {
	if s := f.openStream(u); s != nil {
		r, err := s.ask(ctx, query, u.retryAfter(f.cfg.TryTimeout))
		switch {
		case errors.Is(err, errStreamSilent):
			u.streams.remove(s) // the answers that still come are read
		case !errors.Is(err, errStreamEnded) && !errors.Is(err, errStreamFull):
			return r, err
		}
	}
	s, err := f.newStream(ctx, u)
	if err != nil {
		return reply{}, err
	}
	return s.ask(ctx, query, 0)
}

// openStream returns the open connection with the fewest questions, or nil. If it has many,
// another connection is made meanwhile.
func (f *Filter) openStream(u *server) *stream {
	p := &u.streams
	p.mu.Lock()
	var best *stream
	least := 0
	for _, s := range p.open {
		if n, ok := s.load(); ok && (best == nil || n < least) {
			best, least = s, n
		}
	}
	more := best != nil && least >= busyStream && len(p.open) < maxStreams
	p.mu.Unlock()
	if more {
		f.dialStream(u)
	}
	return best
}

// newStream returns a connection that was made after the call, or joins the one that is
// being made.
func (f *Filter) newStream(ctx context.Context, u *server) (*stream, error) {
	d := f.dialStream(u)
	if d == nil {
		return nil, context.Canceled
	}
	select {
	case <-d.done:
		return d.stream, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// dialStream begins to make a connection, if none is being made. It returns nil after
// Close.
func (f *Filter) dialStream(u *server) *dialing {
	p := &u.streams
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dialing != nil {
		return p.dialing
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.life.Err() != nil {
		return nil
	}
	if p.config == nil {
		p.config = u.tlsConfig(f.cfg.Now)
	}
	p.dialing = &dialing{done: make(chan struct{})}
	f.work.Add(1)
	go f.runStream(u, p.dialing, p.config)
	return p.dialing
}

// runStream makes a connection and reads it until it ends. It does not depend on the
// question that was first: the next ones need the connection too.
func (f *Filter) runStream(u *server, d *dialing, config *tls.Config) {
	defer f.work.Done()
	conn, err := f.handshake(f.life, u, config)
	p := &u.streams
	p.mu.Lock()
	p.dialing = nil
	if d.err = err; err == nil {
		d.stream = newStream(conn)
		p.open = append(p.open, d.stream)
	}
	p.mu.Unlock()
	close(d.done)
	if err != nil {
		return
	}
	d.stream.readAll()
	p.remove(d.stream)
}

// remove keeps further questions from a connection.
func (p *streams) remove(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = slices.DeleteFunc(p.open, func(o *stream) bool { return o == s })
}
