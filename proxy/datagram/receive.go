// Receive: the replies of a flow's destination, and the idle limit.

package datagram

import (
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sallyport/rules"
)

const (
	// idleParts is how often a flow looks whether it is idle during Config.Idle. A flow ends at
	// most one part late.
	idleParts = 8
	// maxErrors bounds the errors of a socket that follow each other. The kernel reports each
	// ICMP error about a datagram that was sent once.
	maxErrors = 128
)

// receive hands the replies to the client until the flow is aborted or idle. While it waits it
// holds no buffer.
func (f *flow) receive(up *net.UDPConn) rules.Cause {
	raw, err := up.SyscallConn()
	if err != nil {
		return rules.EndReset
	}
	for silent := 0; ; {
		seen := f.in.Load() + f.out.Load()
		up.SetReadDeadline(time.Now().Add(f.t.cfg.Idle / idleParts))
		if f.aborted.Load() { // abort closes the socket only if it sees it
			return rules.EndClean
		}
		switch err := raw.Read(f.read); {
		case err == nil && !f.aborted.Load():
			return rules.EndReset
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return rules.EndClean
		case f.in.Load()+f.out.Load() != seen:
			silent = 0
		default:
			if silent++; silent == idleParts {
				return rules.EndIdle
			}
		}
	}
}

// read hands on what has arrived. It returns false if nothing is left, and true if the socket is
// of no use any more.
func (f *flow) read(fd uintptr) bool {
	b := f.t.buffer.Get().(*[Headroom + MaxContent]byte)
	defer f.t.buffer.Put(b)
	for !f.aborted.Load() {
		n, err := unix.Read(int(fd), b[Headroom:])
		switch {
		case err == nil:
			f.errs = 0
			f.reply(b[:Headroom+n])
		case err == unix.EAGAIN:
			return false
		case err == unix.EINTR:
		default: // an ICMP error about a datagram that was sent: the next one may arrive
			if f.errs++; f.errs > maxErrors {
				return true
			}
		}
	}
	return true
}

func (f *flow) reply(b []byte) {
	if err := f.back.Reply(b); err != nil {
		f.t.Drop(Unreplied)
		return
	}
	f.out.Add(1)
	f.bytesOut.Add(uint64(len(b) - Headroom))
}
