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

	inspect inspector // nil: bytes pass unseen

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
			d.r.cfg.owner.abort(rules.EndReset)
		}
	}()
	if d.raw, err = d.src.SyscallConn(); err != nil {
		return err
	}
	if d.inspect != nil {
		if err = d.inspect.begin(); err == io.EOF {
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
		if n < relayBuffer || d == &d.r.up && d.inspect != nil { // what a client sends is not spliced while it is inspected
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
		if err == io.EOF && d.inspect != nil {
			if denied := d.inspect.end(); denied != nil {
				err = denied
			}
		}
		return 0, err
	}
	if d.inspect != nil {
		more, err := d.inspect.see(d.buf[:d.got])
		if err != nil {
			return 0, err
		}
		if !more {
			d.inspect = nil
		}
	}
	return d.write(d.buf[:d.got])
}

// write passes b on.
func (d *direction) write(b []byte) (int, error) {
	d.busy.Store(d.r.touch())
	n, err := d.dst.Write(b)
	d.busy.Store(0)
	d.n.Add(uint64(n))
	return n, err
}

// send passes on what was read from src before.
func (d *direction) send(b []byte) error {
	_, err := d.write(b)
	return err
}

// readable reads once, without blocking. It tells whether there was anything:
// bytes, the end or an error.
func (d *direction) readable(fd uintptr) bool {
	if d.buf == nil {
		d.buf = d.r.cfg.buffers.get()
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
		d.r.cfg.buffers.put(d.buf)
		d.buf = nil
	}
}
