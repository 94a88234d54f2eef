// Direction: copies one way of a relay, by small reads while little flows and
// by splice(2) while much does.

package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"sallyport/rules"
)

const (
	// relayBuffer is what one read takes while little flows. Reads that fill it
	// bulkReads times in a row show that much flows: splice(2) takes over.
	relayBuffer = 32 << 10
	bulkReads   = 2
	// sliceTime bounds one splice, after which bytes are counted and a quiet
	// direction gives its pipe back.
	sliceTime = time.Second
)

// A direction copies src to dst.
type direction struct {
	r        *relay
	dst, src *net.TCPConn
	n        *atomic.Uint64
	busy     atomic.Int64 // since when it writes; 0: it does not
	stopping atomic.Bool

	line *lineScan // of up: a first line that may still become a request's; nil: none

	raw  syscall.RawConn
	buf  *[relayBuffer]byte
	got  int
	fail error
}

// run copies until the end of src, and passes that on; or until an error,
// which resets both ends.
func (d *direction) run() (err error) {
	defer func() {
		d.release()
		if err != nil && err != errStopped {
			d.r.f.abort(rules.EndReset)
		}
	}()
	if d.raw, err = d.src.SyscallConn(); err != nil {
		return err
	}
	if d == &d.r.up && d.r.first != nil {
		if err = d.r.awaitAnswer(*d.r.first); err == io.EOF {
			return d.end()
		} else if err != nil {
			return err
		}
	}
	full := 0
	for {
		n, err := d.some()
		if err == io.EOF {
			return d.end()
		}
		if err != nil {
			return err
		}
		if n < relayBuffer || d.line != nil {
			full = 0
			continue
		}
		if full++; full < bulkReads {
			continue
		}
		full = 0
		if ended, err := d.bulk(); err != nil {
			return err
		} else if ended {
			return d.end()
		}
	}
}

// some waits for bytes, holding no buffer meanwhile, and writes what there is.
func (d *direction) some() (int, error) {
	if d.stopping.Load() {
		return 0, errStopped
	}
	err := d.raw.Read(d.readable)
	if err == nil {
		err = d.fail
	}
	if err != nil {
		if d.stopping.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
			err = errStopped
		}
		if err == io.EOF && d.line != nil && d.line.ended() == alike {
			err = d.r.denyRequest()
		}
		return 0, err
	}
	if d == &d.r.down {
		d.r.answer.take(d.buf[:d.got])
	}
	if d.line != nil {
		switch d.line.take(d.buf[:d.got]) {
		case alike:
			return 0, d.r.denyRequest()
		case unlike:
			d.line = nil
		}
	}
	d.busy.Store(d.r.touch())
	n, err := d.dst.Write(d.buf[:d.got])
	d.busy.Store(0)
	d.n.Add(uint64(n))
	return n, err
}

// readable reads once, without blocking. It tells whether there was anything:
// bytes, the end or an error.
func (d *direction) readable(fd uintptr) bool {
	if d.buf == nil {
		d.buf = d.r.f.p.relayBuffer()
	}
	for {
		d.got, d.fail = syscall.Read(int(fd), d.buf[:])
		switch {
		case d.fail == syscall.EINTR:
			continue
		case d.fail == syscall.EAGAIN:
			d.release()
			return false
		case d.fail == nil && d.got == 0:
			d.fail = io.EOF
		}
		return true
	}
}

// bulk splices slice after slice while each moves a lot. It tells whether src
// has ended.
func (d *direction) bulk() (ended bool, err error) {
	d.release()
	defer d.src.SetReadDeadline(time.Time{})
	for {
		slice := d.r.slice()
		d.src.SetReadDeadline(time.Now().Add(slice))
		if d.stopping.Load() {
			return false, errStopped
		}
		d.busy.Store(d.r.now())
		n, err := d.dst.ReadFrom(d.src)
		d.busy.Store(0)
		d.n.Add(uint64(n))
		if n > 0 {
			d.r.touch()
		}
		switch {
		case err == nil:
			return true, nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return false, err
		case n < relayBuffer:
			return false, nil
		}
	}
}

// end passes the end of src on. The second one to end needs not: both
// connections are closed next.
func (d *direction) end() error {
	if d.r.ended.Add(1) == 2 {
		return nil
	}
	d.r.touch()
	d.r.timer.Reset(d.r.limit())
	return d.dst.CloseWrite()
}

func (d *direction) release() {
	if d.buf != nil {
		d.r.f.p.relayBuffers.Put(d.buf)
		d.buf = nil
	}
}

func (p *Proxy) relayBuffer() *[relayBuffer]byte {
	if b, ok := p.relayBuffers.Get().(*[relayBuffer]byte); ok {
		return b
	}
	return new([relayBuffer]byte)
}
