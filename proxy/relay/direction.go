// Direction: copies one way of a relay, by small reads while little data flows and by splice(2)
// while much does.

package relay

import (
	"crypto/tls"
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
	// bufferSize is the size of one read while little data flows. After bulkReads reads in a
	// row that filled it, splice(2) takes over.
	bufferSize = 32 << 10
	bulkReads  = 2
	// Slice bounds one splice. After it, bytes are counted, and a quiet direction returns its
	// pipe.
	Slice = time.Second
)

// A Direction copies src to dst.
type Direction struct {
	r        *Relay
	dst, src *net.TCPConn
	to, from *tls.Conn // the layers on dst and src; nil: none
	wire     *Wire     // below from; nil: none
	n        *atomic.Uint64
	busy     atomic.Int64 // since when it has been writing; 0: it is not writing
	stopping atomic.Bool

	Inspector Inspector // nil: bytes are not inspected

	raw  syscall.RawConn
	buf  *[bufferSize]byte
	got  int
	fail error
}

// run copies until the end of src and passes the end on. On an error it resets both ends.
func (d *Direction) run() (err error) {
	defer func() {
		d.release()
		if err != nil && err != errStopped {
			d.r.cfg.Owner.Abort(rules.EndReset)
		}
	}()
	if d.raw, err = d.src.SyscallConn(); err != nil {
		return err
	}
	if d.Inspector != nil {
		if err = d.Inspector.Begin(); err == io.EOF {
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
		if n < bufferSize || d.to != nil || d.from != nil || d == &d.r.Up && d.Inspector != nil { // the client's bytes are not spliced while they are inspected
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

// some waits for bytes without holding a buffer, and passes on the available bytes.
func (d *Direction) some() (int, error) {
	if d.stopping.Load() {
		return 0, errStopped
	}
	var err error
	if d.from != nil {
		err = d.decrypt()
	} else if err = d.raw.Read(d.readable); err == nil {
		err = d.fail
	}
	if err != nil {
		if d.stopping.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
			err = errStopped
		}
		if err == io.EOF && d.Inspector != nil {
			if denied := d.Inspector.End(); denied != nil {
				err = denied
			}
		}
		return 0, err
	}
	if d.Inspector != nil {
		more, err := d.Inspector.Inspect(d.buf[:d.got])
		if err != nil {
			return 0, err
		}
		if !more {
			d.Inspector = nil
		}
	}
	return d.write(d.buf[:d.got])
}

// write passes b on.
func (d *Direction) write(b []byte) (int, error) {
	d.busy.Store(d.r.MarkActive())
	var n int
	var err error
	if d.to != nil {
		n, err = d.to.Write(b)
	} else {
		n, err = d.dst.Write(b)
	}
	d.busy.Store(0)
	d.n.Add(uint64(n))
	return n, err
}

// Send passes on bytes that were read from src before.
func (d *Direction) Send(b []byte) error {
	_, err := d.write(b)
	return err
}

// readable reads once, without blocking. It reports whether there was anything: bytes, the end
// or an error.
func (d *Direction) readable(fd uintptr) bool {
	if d.buf == nil {
		d.buf = d.r.cfg.Buffers.Get()
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

// decrypt waits for bytes of a TLS layer. It holds no buffer while nothing arrives.
func (d *Direction) decrypt() (err error) {
	for {
		if d.buf == nil {
			d.buf = d.r.cfg.Buffers.Get()
		}
		if d.got, err = d.fromLayer(); d.got > 0 {
			return nil // an error comes again
		}
		if _, waits := err.(errNothing); !waits {
			return err
		}
		d.release()
		if err = d.raw.Read(arrived); err != nil {
			return err
		}
	}
}

// fromLayer reads once from the TLS layer. If there is a wire, it does not wait.
func (d *Direction) fromLayer() (int, error) {
	if d.wire != nil {
		d.wire.raw = d.raw
		defer func() { d.wire.raw = nil }() // another reader of the layer waits
	}
	return d.from.Read(d.buf[:])
}

// bulk splices slice after slice while each one moves much data. It reports whether src has ended.
func (d *Direction) bulk() (ended bool, err error) {
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
			d.r.MarkActive()
		}
		switch {
		case err == nil:
			return true, nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return false, err
		case n < bufferSize:
			return false, nil
		}
	}
}

// end passes the end of src on. The second direction that ends need not do this, because both
// connections are closed next.
func (d *Direction) end() error {
	if d.r.ended.Add(1) == 2 {
		return nil
	}
	d.r.MarkActive()
	d.r.timer.Reset(d.r.limit())
	if d.to != nil {
		if err := d.to.CloseWrite(); err != nil {
			return err
		}
	}
	return d.dst.CloseWrite()
}

func (d *Direction) release() {
	if d.buf != nil {
		d.r.cfg.Buffers.Put(d.buf)
		d.buf = nil
	}
}
