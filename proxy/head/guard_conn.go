// Guard, as a net.Conn: deadlines, and the end of a request or of the connection.

package head

import (
	"net"
	"os"
	"time"

	"sallyport/proxy/peek"
)

// LimitRest is called when the answer is complete. net/http then reads the rest of the
// request's body, to keep the connection; LimitRest bounds that in time.
func (g *Guard) LimitRest() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.complete {
		return
	}
	g.until = time.Now().Add(peek.Linger)
	if !g.interrupt {
		g.c.TCP.SetReadDeadline(g.until)
	}
}

// Serial returns the number of the current request.
func (g *Guard) Serial() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.serial
}

// StopBody ends the wait for the rest of a request's body: the destination can no longer get it. It
// does nothing if the request with this number is over.
func (g *Guard) StopBody(serial uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.serial == serial && !g.complete && g.until.IsZero() {
		g.until = time.Now()
		g.c.TCP.SetReadDeadline(g.until)
	}
}

// MarkAnswered is called when the answer to the last request is written. If net/http has not
// read the whole body, the meaning of the next bytes is unknown: the sequence ends.
func (g *Guard) MarkAnswered() {
	if g.left > 0 || len(g.out) > 0 || g.phase != phaseAnswer {
		g.left, g.out, g.phase = 0, nil, phaseStopped
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answered, g.until = true, time.Time{}
	g.wake.Broadcast()
}

// arm sets an absolute deadline for the next reads; 0: none. It fails if net/http wants the
// current Read to return.
func (g *Guard) arm(d time.Duration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.interrupt {
		return os.ErrDeadlineExceeded
	}
	if !g.until.IsZero() && d > 0 {
		return g.c.TCP.SetReadDeadline(g.until)
	}
	g.c.Deadline(d)
	return nil
}

// SetReadDeadline acts only on a time in the past. net/http uses such a time to interrupt a Read.
// The guard itself bounds its reads.
func (g *Guard) SetReadDeadline(t time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.complete && !g.until.IsZero() {
		return nil // LimitRest has set the deadline
	}
	if g.interrupt = !t.IsZero() && !t.After(time.Now()); g.interrupt {
		g.wake.Broadcast()
		return g.c.TCP.SetReadDeadline(t)
	}
	return nil
}

// Close ends the sequence. The accept loop closes the connection.
func (g *Guard) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.closed = true
		g.wake.Broadcast()
		close(g.Ended)
	}
	return nil
}

// Retire returns when net/http no longer reads, after Ended. net/http may begin to read in the
// background just before it closes a connection, and does not wait for that.
func (g *Guard) Retire() {
	g.retired.Store(true)
	if g.reads.Load() == 0 {
		return
	}
	g.mu.Lock()
	g.interrupt = true
	g.wake.Broadcast()
	g.c.TCP.SetReadDeadline(time.Unix(1, 0))
	g.mu.Unlock()
	for g.reads.Load() > 0 {
		time.Sleep(50 * time.Microsecond)
	}
	g.c.Deadline(0)
}

// CloseWrite closes the sending half. net/http calls it before it lingers.
func (g *Guard) CloseWrite() error { return g.c.CloseWrite() }

// SetDeadline does nothing: the guard sets its own deadlines.
func (g *Guard) SetDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, like SetDeadline.
func (g *Guard) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr returns our address.
func (g *Guard) LocalAddr() net.Addr { return g.c.TCP.LocalAddr() }

// RemoteAddr returns the client's address.
func (g *Guard) RemoteAddr() net.Addr { return g.c.TCP.RemoteAddr() }
