// Probe: dials address by address, for callers that check what works. It decides nothing, and
// connects only where a flow could.

package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"sallyport/rules"
)

// Resolve returns the addresses of a's destination as for a flow: all addresses of the name, or
// the one address in a. There is at least one. Resolve checks no address against a decision. The
// Attempt is returned with Resolved. Fault classifies the error.
func (p *Proxy) Resolve(ctx context.Context, a rules.Attempt) ([]netip.Addr, rules.Attempt, error) {
	ctx, cancel := context.WithTimeout(ctx, p.limits.Dial)
	defer cancel()
	a.Generation = p.cfg.Generation()
	addrs, err := p.resolve(ctx, rules.QuotaKeyOf(a.Client.Addr(), nil), &a)
	return addrs, a, err
}

// LeftToParent reports whether a parent resolves a's name, so that there is no address to try.
func LeftToParent(d rules.Decision, a rules.Attempt) bool {
	route, name := d.Route(), a.Target()
	return route.ByName() && !name.IsZero() && !route.Direct(name, netip.Addr{})
}

// ParentFault returns the error of a parent, and whose fault it is with the cure. ok is false if err
// is not about a parent.
func ParentFault(err error) (text, help string, ok bool) {
	var parent *parentError
	if !errors.As(err, &parent) {
		return "", "", false
	}
	return parent.Error(), parent.help(), true
}

// ParentCause returns the cause of a parent's error; EndClean for every other error.
func ParentCause(err error) rules.Cause {
	cause, _, _ := parentCause(err)
	return cause
}

// DialOne connects to addr on the port in a, and to nothing else, if d reaches it. If LeftToParent
// reports true, addr is the zero Addr. A destination with a parent is reached through it. The
// Attempt is returned with Dest as dialed. ctx bounds the time.
func (p *Proxy) DialOne(ctx context.Context, d rules.Decision, a rules.Attempt, addr netip.Addr) (net.Conn, rules.Attempt, error) {
	if !addr.IsValid() && LeftToParent(d, a) {
		return p.opened(p.connectAny(ctx, d, a, nil, false))
	}
	dest := netip.AddrPortFrom(addr, a.Dest.Port())
	if r := d.Reach(dest); r != rules.ReasonNone {
		return nil, a, p.unreachable(d, a, dest)
	}
	return p.opened(p.connectAny(ctx, d, a, []netip.Addr{addr}, false))
}

// Fault returns why a flow did not reach its destination. It returns rules.EndClean if err is none
// of the dialer's errors.
func Fault(err error) rules.Cause {
	var failed *dialError
	if errors.As(err, &failed) {
		return failed.cause
	}
	return rules.EndClean
}

// A ConnectError is a failed connection, with what this host and the network reported about it.
type ConnectError struct {
	Local netip.Addr // the source address; zero: nothing was sent
	By    netip.Addr // the sender of an ICMP error; zero: there was none
	ICMP  string     // what the ICMP error says; "": there was none
	Deny  bool       // ICMP says that a filter forbids the connection
	Err   error      // the error of the failed connection
}

// Error returns the error, and the ICMP error if there was one.
func (e *ConnectError) Error() string {
	if e.ICMP == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + " (ICMP from " + e.By.String() + ": " + e.ICMP + ")"
}

// Unwrap returns Err.
func (e *ConnectError) Unwrap() error { return e.Err }

// opened returns the connection of a link, for callers that speak on it.
func (p *Proxy) opened(l link, a rules.Attempt, err error) (net.Conn, rules.Attempt, error) {
	if err != nil {
		return nil, a, err
	}
	return l.conn(), a, nil
}
