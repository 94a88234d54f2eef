// Probe: the dialer's way address by address, for those who ask what works
// rather than to be let through. It decides nothing, and goes nowhere that a
// flow would not go.

package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"sallyport/rules"
)

// Resolve returns the addresses that a wants, as for a flow: every one that the
// name has or the one that a names, at least one. None is held against a
// decision yet. The Attempt comes back with Resolved. Fault tells the errors
// apart.
func (p *Proxy) Resolve(ctx context.Context, a rules.Attempt) ([]netip.Addr, rules.Attempt, error) {
	ctx, cancel := context.WithTimeout(ctx, p.limits.Dial)
	defer cancel()
	a = p.withCurrent(a)
	addrs, err := p.resolve(ctx, rules.QuotaKeyOf(a.Client.Addr(), nil), &a)
	return addrs, a, err
}

// DialOne connects to addr on the port that a wants, and to nothing else, if d
// reaches it. The Attempt comes back with Dest as dialed. ctx bounds the time.
func (p *Proxy) DialOne(ctx context.Context, d rules.Decision, a rules.Attempt, addr netip.Addr) (*net.TCPConn, rules.Attempt, error) {
	dest := netip.AddrPortFrom(addr, a.Dest.Port())
	if r := d.Reach(dest); r != rules.ReasonNone {
		return nil, a, p.unreachable(d, a, dest)
	}
	return p.connectAny(ctx, d, a, []netip.Addr{addr})
}

// Fault tells what kept a flow from its destination; rules.EndClean: err is none
// of the dialer's errors.
func Fault(err error) rules.Cause {
	var failed *dialError
	if errors.As(err, &failed) {
		return failed.cause
	}
	return rules.EndClean
}

// A ConnectError is a connection that failed, with what this host and the
// network know of it.
type ConnectError struct {
	Local netip.Addr // where it was sent from; zero: nothing was sent
	By    netip.Addr // who sent an ICMP error; zero: nobody did
	ICMP  string     // what that said; "": there was none
	Deny  bool       // ICMP says that a filter forbids it
	Err   error
}

func (e *ConnectError) Error() string {
	if e.ICMP == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + " (ICMP from " + e.By.String() + ": " + e.ICMP + ")"
}

func (e *ConnectError) Unwrap() error { return e.Err }
