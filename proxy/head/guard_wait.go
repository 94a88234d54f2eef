// Guard, between a request and its answer: watches the client. If the client has gone, its
// request ends. If it has only closed its sending half, it still gets its answer.

package head

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sallyport/proxy/peek"
	"sallyport/rules"
)

// ErrGone is the error that net/http gets when the client has gone. It ends the request.
var ErrGone = errors.New("the client is gone")

// firstByte is the first byte of every answer; see probe.
const firstByte = 'H'

// awaitAnswered waits until the answer is written. net/http reads meanwhile, to notice that the
// client has gone.
func (g *Guard) awaitAnswered() error {
	if !g.finished() {
		if err := g.watchClient(); err != nil {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.answered && !g.interrupt && !g.closed {
		g.wake.Wait()
	}
	switch {
	case g.closed:
		return io.EOF
	case !g.answered:
		return os.ErrDeadlineExceeded
	}
	g.answered, g.phase = false, phaseHead
	return nil
}

// Early reports whether the client has sent anything after a request for another protocol. It is
// called before the answer to that request is sent. What waits inside a TLS layer cannot be seen, so
// Early says yes there.
func (g *Guard) Early() bool { return g.apart && (g.c.TLS != nil || g.atHand() > 0) }

// finished reports whether the answer is written or the sequence has ended.
func (g *Guard) finished() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.answered || g.closed
}

// watchClient stores what the client sends next, and then waits until the client leaves. After a
// request for another protocol it reads nothing: the next bytes may be of that protocol.
func (g *Guard) watchClient() error {
	if len(g.c.Bytes) == 0 && !g.eof && !g.apart {
		if err := g.arm(0); err != nil {
			return err
		}
		switch err := g.c.Fill(peek.Size); {
		case errors.Is(err, io.EOF):
			g.eof = true
		case errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case err != nil:
			return g.endBy(rules.EndGone)
		}
	}
	raw, err := g.c.TCP.SyscallConn()
	if err != nil {
		return err
	}
	return g.awaitLeave(raw, g.eof)
}

// awaitLeave waits until the client has closed its connection. half means that the client has
// closed its sending half; a full close looks the same until something is sent. Then each piece
// of the answer must come within the limit of a half-closed tunnel.
func (g *Guard) awaitLeave(raw syscall.RawConn, half bool) error {
	if half {
		g.probe()
	}
	for {
		wait, written := time.Duration(0), g.written.Load()
		if half {
			wait = min(g.limits.HalfClosed, g.limits.Idle)
		}
		if err := g.arm(wait); err != nil {
			return err
		}
		closed := false
		err := raw.Read(func(fd uintptr) bool {
			state := tcpState(fd)
			closed = state != unix.BPF_TCP_ESTABLISHED && state != unix.BPF_TCP_CLOSE_WAIT
			return closed || !half && state == unix.BPF_TCP_CLOSE_WAIT
		})
		switch {
		case err == nil && closed:
			return g.endBy(rules.EndGone)
		case err == nil:
			half = true
			g.probe()
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case g.interrupted():
			return err
		case half && g.written.Load() == written:
			return g.endBy(rules.EndHalfClosed)
		}
	}
}

// interrupted reports whether net/http wants the current Read to return.
func (g *Guard) interrupted() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.interrupt
}

// tcpState returns the state of a connection in the kernel.
func tcpState(fd uintptr) uint8 {
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return unix.BPF_TCP_CLOSE
	}
	return info.State
}

// probe sends the first byte of the answer early. A client that has closed only its sending
// half reads on and does not notice the early byte. If the client has gone, its system
// answers with a reset.
func (g *Guard) probe() {
	if !g.writing.TryLock() {
		return // the answer itself is being written and has the same effect
	}
	defer g.writing.Unlock()
	if g.begun {
		return
	}
	g.c.TCP.SetWriteDeadline(time.Now().Add(peek.Linger))
	if n, _ := g.c.Write([]byte{firstByte}); n == 1 {
		g.begun, g.ahead = true, true
	}
}

// Write bounds the write by the idle limit.
func (g *Guard) Write(b []byte) (int, error) {
	g.writing.Lock()
	defer g.writing.Unlock()
	sent := 0
	if g.ahead && len(b) > 0 && b[0] == firstByte {
		b, sent = b[1:], 1
	}
	g.begun, g.ahead = true, false
	g.c.TCP.SetWriteDeadline(time.Now().Add(g.limits.Idle))
	n, err := g.c.Write(b)
	g.written.Add(int64(n))
	if err != nil {
		g.endBy(rules.EndGone)
	}
	return n + sent, err
}

// endBy records why the current request ends before its answer does.
func (g *Guard) endBy(cause rules.Cause) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause == rules.EndClean {
		g.cause = cause
	}
	return ErrGone
}

// EndedBy returns why the last request ended before its answer did, or EndClean.
func (g *Guard) EndedBy() rules.Cause {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cause
}
