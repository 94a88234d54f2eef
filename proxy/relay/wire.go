// Wire: a TCP connection below a TLS layer, which a direction reads without a buffer that waits.

package relay

import (
	"crypto/tls"
	"io"
	"net"
	"syscall"
)

// A Wire is a connection below a TLS layer. The layer takes a buffer before it reads, and gives it
// back only with bytes. So a direction lets reads that find nothing fail, returns its buffer, and
// waits for the connection itself.
type Wire struct {
	*net.TCPConn
	raw syscall.RawConn // of TCPConn; not nil: a read that finds nothing fails with errNothing
}

// wire returns the Wire below a layer; nil: the layer has none, and a direction then holds its buffer
// while it waits.
func wire(layer *tls.Conn) *Wire {
	if layer == nil {
		return nil
	}
	if below, ok := layer.NetConn().(interface{ below() *Wire }); ok {
		return below.below()
	}
	return nil
}

func (w *Wire) below() *Wire { return w }

// Read reads what has arrived.
func (w *Wire) Read(b []byte) (n int, err error) {
	if w.raw == nil || len(b) == 0 {
		return w.TCPConn.Read(b)
	}
	failed := w.raw.Read(func(fd uintptr) bool {
		for {
			if n, err = syscall.Read(int(fd), b); err != syscall.EINTR {
				return true
			}
		}
	})
	switch {
	case failed != nil: // closed, or past the read deadline
		return 0, failed
	case err == syscall.EAGAIN:
		return 0, errNothing{}
	case err != nil:
		return 0, &net.OpError{Op: "read", Net: "tcp", Source: w.LocalAddr(), Addr: w.RemoteAddr(), Err: err}
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// errNothing reports that nothing has arrived. A TLS layer goes on after a temporary error.
type errNothing struct{}

func (errNothing) Error() string   { return "nothing has arrived" }
func (errNothing) Timeout() bool   { return true }
func (errNothing) Temporary() bool { return true }

// arrived reports whether a read of the connection finds anything: bytes, the end or an error.
func arrived(fd uintptr) bool {
	var one [1]byte
	for {
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err != syscall.EINTR {
			return err != syscall.EAGAIN
		}
	}
}
