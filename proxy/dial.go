// Dial: the one dialer. It connects only to addresses that the decision reaches.

package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"sallyport/proxy/head"
	"sallyport/proxy/peek"
	"sallyport/rules"
	"sallyport/rules/quota"
)

// A dialError describes why a granted destination could not be reached.
type dialError struct {
	cause rules.Cause // one of the causes that have a DialFault
	err   error       // nil: there is no error beside the cause
}

// Error returns the cause and its error.
func (e *dialError) Error() string {
	if e.err == nil {
		return e.cause.String()
	}
	return fmt.Sprintf("%v: %v", e.cause, e.err)
}

// Unwrap returns the underlying error.
func (e *dialError) Unwrap() error { return e.err }

// A lookupError marks a failure of the resolvers, as opposed to a failure of the
// destination.
type lookupError struct{ err error }

// Error returns the resolvers' error.
func (e *lookupError) Error() string { return "look-up: " + e.err.Error() }

// Unwrap returns the resolvers' error.
func (e *lookupError) Unwrap() error { return e.err }

// help returns one sentence for people: which host did not answer, and at which step.
func (e *dialError) help() string {
	var lookup *lookupError
	var dns *net.DNSError
	var parent *parentError
	switch {
	case errors.As(e.err, &parent):
		return parent.help()
	case errors.As(e.err, &dns) && dns.IsNotFound:
		return "The resolvers report that the name does not exist."
	case errors.As(e.err, &lookup) && e.cause == rules.DialTimedOut:
		return "No resolver answered in time about the name; see [dns] upstreams."
	case e.cause == rules.DialUnresolved:
		return "No resolver gives an answer about the name; see [dns] upstreams."
	case e.cause == rules.DialNoAddress:
		return "The name exists but has no address."
	case e.cause == rules.DialRefused:
		return "The destination answers, but refuses connections on this port."
	case e.cause == rules.DialUnreachable:
		return "There is no route to the destination, or a firewall on the way rejects the connection."
	case e.cause == rules.DialTimedOut:
		return "The destination did not answer in time."
	}
	return "The connection to the destination failed."
}

// status returns the HTTP status of the failure.
func (e *dialError) status() int {
	if e.cause == rules.DialTimedOut || e.cause == rules.ParentTimedOut {
		return 504
	}
	return 502
}

// A deniedError is a denial that came after the grant, for example because the name has only
// addresses that the decision does not reach. The denial is recorded already.
type deniedError struct {
	a rules.Attempt
	d rules.Decision
}

// Error returns the reason of the denial.
func (e *deniedError) Error() string { return "denied: " + e.d.Why().String() }

// dial connects to the destination that d permits: the name in a, which the proxy resolves itself,
// or the address in a. It returns the Attempt with Resolved, and with Dest as dialed. The error is
// a *deniedError or a *dialError. plain means that the connection will carry plain HTTP requests of
// one client to this destination, and nothing else. dial reports a *dialError to Closed, so that the end of every
// granted flow is recorded.
func (p *Proxy) dial(ctx context.Context, d rules.Decision, a rules.Attempt, plain bool) (link, rules.Attempt, error) {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, p.limits.Dial)
	defer cancel()
	conn, a, err := p.dialGranted(ctx, d, a, plain)
	return conn, a, p.notDialed(ctx, started, d, a, err)
}

// dialJudged is dial for redirected flows. It connects nothing before the verdict: when it has the
// addresses, it asks the Gate again, with the first address. The question is final if final is
// set. dialJudged returns the decision too. If that is a denial, the error is a *deniedError.
func (p *Proxy) dialJudged(ctx context.Context, d rules.Decision, a rules.Attempt, final bool) (link, rules.Attempt, rules.Decision, error) {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, p.limits.Dial)
	defer cancel()
	var conn link
	addrs, a, err := p.resolveReachable(ctx, d, a)
	if err == nil {
		a.Provisional = !final
		if len(addrs) > 0 {
			a.Dest = netip.AddrPortFrom(addrs[0], a.Dest.Port())
		}
		if d = p.cfg.Gate.Decide(a); !d.Allowed() {
			return link{}, a, d, &deniedError{a, d}
		}
		conn, a, err = p.connectAny(ctx, d, a, addrs, false)
	}
	return conn, a, d, p.notDialed(ctx, started, d, a, err)
}

// notDialed records the end of a granted flow if err is a *dialError, and returns err. If the dial
// ended because the client of its request has left, it returns ErrGone and records nothing.
func (p *Proxy) notDialed(ctx context.Context, started time.Time, d rules.Decision, a rules.Attempt, err error) error {
	var failed *dialError
	if errors.As(err, &failed) {
		if clientLeft(ctx) {
			return head.ErrGone
		}
		end := rules.Close{Attempt: a, Decision: d, Started: started.UnixNano(),
			Duration: int64(time.Since(started)), Cause: failed.cause}
		if a.Parent != nil {
			end.Why, end.Help = failed.Error(), failed.help()
		}
		p.closed(end)
	}
	return err
}

func (p *Proxy) dialGranted(ctx context.Context, d rules.Decision, a rules.Attempt, plain bool) (link, rules.Attempt, error) {
	addrs, a, err := p.resolveReachable(ctx, d, a)
	if err != nil {
		return link{}, a, err
	}
	return p.connectAny(ctx, d, a, addrs, plain)
}

// resolveReachable returns the addresses of a's destination that d reaches, at least one. If the
// parents resolve the name, it looks nothing up and returns none. The Attempt is returned with the
// parent that is tried first.
func (p *Proxy) resolveReachable(ctx context.Context, d rules.Decision, a rules.Attempt) ([]netip.Addr, rules.Attempt, error) {
	if name := a.Target(); !name.IsZero() && p.cfg.AdmitName != nil {
		if over := p.cfg.AdmitName(a.Client.Addr(), d, name); over != "" {
			return nil, a, p.overLimit(a, over)
		}
	}
	var route *rules.Route
	if a.Proto == rules.TCP { // datagrams go through no parent
		route = d.Route()
	}
	if route != nil && p.leaveNameToParent(&a, route) {
		return nil, a, nil
	}
	addrs, err := p.resolve(ctx, rules.QuotaKeyOf(a.Client.Addr(), d.Client), &a)
	if err != nil {
		return nil, a, err
	}
	port := a.Dest.Port()
	reached := addrs[:0:0]
	for _, addr := range addrs {
		if d.Reach(netip.AddrPortFrom(addr, port)) == rules.ReasonNone {
			reached = append(reached, addr)
		}
	}
	if len(reached) == 0 {
		return nil, a, p.unreachable(d, a, netip.AddrPortFrom(addrs[0], port))
	}
	if route != nil {
		announceParent(&a, route, reached)
	}
	return reached, a, nil
}

// connectAny connects to one of addrs, all of which d reaches, or to the destination by a parent.
func (p *Proxy) connectAny(ctx context.Context, d rules.Decision, a rules.Attempt, addrs []netip.Addr, plain bool) (link, rules.Attempt, error) {
	if route := d.Route(); route != nil {
		return p.connectRouted(ctx, d, a, addrs, route, plain)
	}
	conn, err := p.race(ctx, addrs, a.Dest.Port())
	if err != nil {
		return link{}, a, classify(err)
	}
	return p.verify(conn, d, a)
}

// resolve returns the addresses of a's destination, unmapped, at least one. The look-up counts
// against the quota of client by.
func (p *Proxy) resolve(ctx context.Context, by rules.QuotaKey, a *rules.Attempt) ([]netip.Addr, error) {
	name := a.Target()
	if name.IsZero() {
		if !a.Dest.Addr().IsValid() {
			return nil, &dialError{cause: rules.DialNoAddress}
		}
		return []netip.Addr{a.Dest.Addr().Unmap()}, nil
	}
	if p.cfg.Lookup == nil {
		return nil, &dialError{cause: rules.DialUnresolved, err: errors.New("no resolver")}
	}
	if p.lookups.Acquire(by) != quota.Acquired {
		return nil, p.overLimit(*a, "too many look-ups of this client are under way")
	}
	found, err := p.lookup(ctx, by, a, name)
	if err != nil {
		return nil, p.lookupFailed(*a, err)
	}
	p.markUnproven(a, name)
	addrs := make([]netip.Addr, 0, len(found))
	for _, addr := range found {
		if addr.IsValid() {
			addrs = append(addrs, addr.Unmap())
		}
	}
	if len(addrs) == 0 {
		return nil, &dialError{cause: rules.DialNoAddress}
	}
	a.Resolved = addrs
	if a.Via == rules.ViaTransparent {
		a.Mismatch = !slices.Contains(addrs, a.Original.Addr()) && !slices.Contains(a.Pinned, name) && !a.Generation.IsSyntheticOf(a.Original.Addr(), name)
	}
	return addrs, nil
}

// lookup resolves a name and then releases the quota of client by.
func (p *Proxy) lookup(ctx context.Context, by rules.QuotaKey, a *rules.Attempt, name rules.Name) ([]netip.Addr, error) {
	defer p.lookups.Release(by)
	return p.cfg.Lookup(ctx, a.Generation, name)
}

// overLimit records that a client has reached its quota of look-ups.
func (p *Proxy) overLimit(a rules.Attempt, detail string) *deniedError {
	a.Provisional, a.Fault, a.Detail = true, rules.Limit, detail
	return &deniedError{a, p.cfg.Gate.Decide(a)}
}

// unreachable asks the Gate once more, with the fault that the grant d does not reach addr. The
// answer is a denial, and it is recorded.
func (p *Proxy) unreachable(d rules.Decision, a rules.Attempt, addr netip.AddrPort) *deniedError {
	a.Dest, a.Provisional = addr, true
	if a.Fault = d.Reach(addr); a.Fault == rules.ReasonNone {
		a.Fault = rules.PrivateAddress // d reaches it, but it is not the address that was dialed
	}
	return &deniedError{a, p.cfg.Gate.Decide(a)}
}

// verify checks the socket itself: it must be connected to an address that d reaches.
func (p *Proxy) verify(conn *net.TCPConn, d rules.Decision, a rules.Attempt) (link, rules.Attempt, error) {
	remote := p.remote(conn)
	if remote.Port() != a.Dest.Port() || d.Reach(remote) != rules.ReasonNone {
		peek.Reset(conn)
		return link{}, a, p.unreachable(d, a, remote)
	}
	a.Dest = remote
	return link{tcp: conn}, a, nil
}

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &t) && t.Timeout()
}

// classify returns the fault of a failed connection. If several addresses failed, the answer of
// a destination counts more than a lack on this host, such as no route for one of the two
// families.
func classify(err error) *dialError {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &dialError{rules.DialRefused, err}
	case timedOut(err):
		return &dialError{rules.DialTimedOut, err}
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN):
		return &dialError{rules.DialUnreachable, err}
	}
	return &dialError{rules.DialFailed, err}
}
