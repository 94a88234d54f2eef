// Open: how a flow gets its socket: resolve, connect, and the final question.

package datagram

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"sallyport/rules"
)

// ErrDenied is the error of Config.Resolve if the Gate denied the attempt, and recorded that.
var ErrDenied = errors.New("denied")

// A Failure is the error of Config.Resolve if a permitted destination has no address.
type Failure struct {
	Cause rules.Cause // one of the causes that have a DialFault
	Err   error       // nil: there is no error beside the cause
}

// Error returns the cause and its error.
func (e *Failure) Error() string {
	if e.Err == nil {
		return e.Cause.String()
	}
	return e.Cause.String() + ": " + e.Err.Error()
}

// Unwrap returns the underlying error.
func (e *Failure) Unwrap() error { return e.Err }

// retryAfter is how long datagrams are dropped to a destination that could not be connected.
const retryAfter = time.Second

// run is the flow's goroutine.
func (f *flow) run(a rules.Attempt, d rules.Decision) {
	defer f.g.remove(f)
	defer f.cancel()
	defer f.recovered(&a)
	defer f.fail(Unreachable)
	up, a, d, err := f.open(a, d)
	switch {
	case errors.Is(err, ErrDenied):
		f.fail(Denied)
		return
	case err != nil:
		f.unconnected(a, d, err)
		return
	}
	defer up.Close()
	defer f.back.Close()
	f.settle(a, d, true)
	if !f.outdated() {
		f.connected(up)
	}
	f.ended(f.receive(up))
}

// recovered turns a panic of the flow into a denial. It must be deferred directly.
func (f *flow) recovered(last *rules.Attempt) {
	if f.t.cfg.Panicked == nil {
		return
	}
	if v := recover(); v != nil {
		f.t.cfg.Panicked(v, *last)
	}
}

// open returns a socket that is connected to an address that the final decision reaches. It
// returns the final question and its answer too. The error is ErrDenied, or why there is no
// connection.
func (f *flow) open(a rules.Attempt, d rules.Decision) (*net.UDPConn, rules.Attempt, rules.Decision, error) {
	ctx, cancel := context.WithTimeout(f.life, f.t.cfg.Dial)
	defer cancel()
	addrs, a, err := f.t.cfg.Resolve(ctx, d, a)
	if err != nil {
		return nil, a, d, err
	}
	up, err := f.t.connectAny(ctx, addrs, a.Dest.Port())
	if err != nil {
		return nil, a, d, err
	}
	if a, d = f.judge(up, a, d); !d.Allowed() {
		up.Close()
		return nil, a, d, ErrDenied
	}
	if f.back, err = f.g.fe.Open(f.key.client, f.key.to, a.Dest); err != nil {
		up.Close()
		return nil, a, d, err
	}
	return up, a, d, nil
}

// judge asks the final question, with the address of the connected socket. If the generation in
// force is another one and denies the flow, that is the answer.
func (f *flow) judge(up *net.UDPConn, a rules.Attempt, d rules.Decision) (rules.Attempt, rules.Decision) {
	gate, to := f.t.cfg.Gate, f.t.cfg.Remote(up)
	if why := d.Reach(to); to.Port() != a.Dest.Port() || why != rules.ReasonNone {
		if a.Fault = why; why == rules.ReasonNone {
			a.Fault = rules.PrivateAddress // d reaches it, but it is not what was asked for
		}
	}
	a.Dest, a.Provisional = to, false
	if now := a; a.Fault == rules.ReasonNone {
		if now.Generation = f.t.cfg.Generation(); now.Generation != a.Generation && !gate.Preview(now).Allowed() {
			a = now
		}
	}
	return a, gate.Decide(a)
}

// connectAny connects to the first of addrs that this host has a route to.
func (t *Table) connectAny(ctx context.Context, addrs []netip.Addr, port uint16) (*net.UDPConn, error) {
	var errs []error
	for _, addr := range addrs {
		up, err := t.cfg.Connect(ctx, netip.AddrPortFrom(addr, port))
		if err == nil {
			return up, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// unconnected ends a permitted flow that has no socket, and reports that. The flow stays for a
// moment, so that a client that goes on sending does not cause a look-up with each datagram.
func (f *flow) unconnected(a rules.Attempt, d rules.Decision, err error) {
	f.fail(Unreachable)
	cause := causeOf(err)
	if f.aborted.Load() {
		cause = rules.EndGone
	}
	f.settle(a, d, false)
	f.ended(cause)
	if f.aborted.Load() {
		return
	}
	again := time.NewTimer(retryAfter)
	defer again.Stop()
	select {
	case <-again.C:
	case <-f.life.Done():
	}
}

// causeOf returns why there is no connection.
func causeOf(err error) rules.Cause {
	var failure *Failure
	switch {
	case errors.As(err, &failure):
		return failure.Cause
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return rules.DialTimedOut
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN):
		return rules.DialUnreachable
	}
	return rules.DialFailed
}
