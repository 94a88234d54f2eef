// Flow: a client and the destination that it sends datagrams to, from the grant to the end. A
// reload, a drain, the front end or the idle limit ends it.

package datagram

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sallyport/rules"
)

// What may wait until a flow is connected.
const (
	maxWaiting      = 16
	maxWaitingBytes = MaxContent
)

// A flow is one client address with one destination. Its goroutine owns the socket; abort only
// closes it.
type flow struct {
	t       *Table
	g       *Group
	key     flowKey
	owner   rules.QuotaKey
	started time.Time

	life    context.Context // ends with abort
	cancel  context.CancelFunc
	aborted atomic.Bool
	up      atomic.Pointer[net.UDPConn] // nil: not connected yet, or failed
	back    Replier
	errs    int // errors of the socket since the last reply

	traffic

	mu      sync.Mutex
	failed  bool // there will be no socket; lost is why
	lost    Drop
	waiting [][]byte // until up is set
	bytes   int      // of waiting
	granted bool     // the flow is connected, and the final decision is an allow
	a       rules.Attempt
	d       rules.Decision
	cause   rules.Cause // why the flow was aborted: the first cause given
}

func newFlow(g *Group, key flowKey, owner rules.QuotaKey) *flow {
	f := &flow{t: g.t, g: g, key: key, owner: owner, started: time.Now()}
	f.life, f.cancel = context.WithCancel(g.t.base)
	return f
}

// send sends one datagram, or keeps it until the flow is connected. An error of the socket ends
// neither the flow nor the group: it is often the answer to an earlier datagram.
func (f *flow) send(b []byte) {
	up := f.up.Load()
	if up == nil {
		if up = f.wait(b); up == nil {
			return
		}
	}
	_, err := up.Write(b)
	if errors.Is(err, syscall.ECONNREFUSED) { // an ICMP error about an earlier datagram: b was not sent
		_, err = up.Write(b)
	}
	if err != nil {
		f.t.Drop(Unsent)
		return
	}
	f.in.Add(1)
	f.bytesIn.Add(uint64(len(b)))
}

// wait keeps a copy of b until the flow is connected. If it is connected meanwhile, wait returns
// the socket.
func (f *flow) wait(b []byte) *net.UDPConn {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch up := f.up.Load(); {
	case up != nil:
		return up
	case f.failed:
		f.t.Drop(f.lost)
	case len(f.waiting) == maxWaiting || f.bytes+len(b) > maxWaitingBytes:
		f.t.Drop(Waiting)
	default:
		f.waiting, f.bytes = append(f.waiting, bytes.Clone(b)), f.bytes+len(b)
	}
	return nil
}

// connected makes the socket available, and sends what waited for it, in order.
func (f *flow) connected(up *net.UDPConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.waiting {
		if f.aborted.Load() {
			break
		}
		if _, err := up.Write(b); err != nil {
			f.t.Drop(Unsent)
			continue
		}
		f.in.Add(1)
		f.bytesIn.Add(uint64(len(b)))
	}
	f.waiting = nil
	f.up.Store(up)
}

// fail drops what waits, and what comes later. The first call gives the reason.
func (f *flow) fail(why Drop) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed {
		return
	}
	for range f.waiting {
		f.t.Drop(why)
	}
	f.failed, f.lost, f.waiting = true, why, nil
}

// abort ends the flow from outside. It may be called at any time, from any goroutine, more than
// once.
func (f *flow) abort(cause rules.Cause) {
	f.mu.Lock()
	if f.cause == rules.EndClean {
		f.cause = cause
	}
	f.mu.Unlock()
	f.aborted.Store(true)
	f.cancel()
	if up := f.up.Load(); up != nil {
		up.Close()
	}
}

// settle keeps the last question and its answer. granted means that the flow is connected.
func (f *flow) settle(a rules.Attempt, d rules.Decision, granted bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.a, f.d, f.granted = a, d, granted
}

// outdated asks the generation in force about the flow, and ends the flow if the answer is a
// denial. It reports whether it ended the flow. A flow that is not granted yet asks by itself.
func (f *flow) outdated() bool {
	f.mu.Lock()
	a, granted := f.a, f.granted && f.cause == rules.EndClean
	f.mu.Unlock()
	if !granted {
		return false
	}
	a.Generation = f.t.cfg.Generation()
	d := f.t.cfg.Gate.Preview(a)
	if !d.Allowed() {
		cause := rules.EndPolicy
		if d.Why() == rules.Expired {
			cause = rules.EndDenied(rules.Expired)
		}
		f.abort(cause)
		return true
	}
	f.mu.Lock() // the flow moves to the new generation, so that it keeps no old one in memory
	defer f.mu.Unlock()
	f.a, f.d = a, d
	return false
}

// ended reports the end of a permitted flow: with the cause of an abort, or else with cause.
func (f *flow) ended(cause rules.Cause) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cause != rules.EndClean {
		cause = f.cause
	}
	c := rules.Close{Attempt: f.a, Decision: f.d, BytesIn: f.bytesIn.Load(), BytesOut: f.bytesOut.Load(),
		Started: f.started.UnixNano(), Duration: int64(time.Since(f.started)), Cause: cause}
	if f.granted {
		c.Dialed = f.a.Dest
	}
	f.t.cfg.Closed(c)
}
