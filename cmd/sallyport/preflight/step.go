// Step: one address, from the connection to what its server says.

package preflight

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"sallyport/dnsfilter"
	"sallyport/proxy"
	"sallyport/rules"
)

// address tries one address of a target.
func (r *runner) address(ctx context.Context, t *target, grants []asked, addr netip.Addr) *Address {
	at := r.place(t, addr)
	g, why, ok := t.reaching(grants, addr)
	switch {
	case !ok:
		out := newAddress(addr, at)
		out.denied(why, r.hint(grants[0], netip.AddrPortFrom(addr, t.port), why))
		return out
	case t.proto == rules.UDP:
		out := newAddress(addr, at)
		out.Status = NotTried
		return out
	}
	return r.twice(ctx, t, g, addr, at)
}

// A step is the way to one address.
type step struct {
	r    *runner
	t    *target
	g    asked
	addr netip.Addr
	at   place
	out  *Address
	ends []func() // of the connections
}

// end closes every connection.
func (s *step) end() {
	for _, f := range s.ends {
		f()
	}
}

// fail notes a problem that keeps the destination from working.
func (s *step) fail(problem Problem, detail string) {
	s.out.Status, s.out.Finding = Failed, s.at.finding(problem, detail)
}

// warn notes one that does not.
func (s *step) warn(problem Problem, detail string) {
	s.out.Status, s.out.Finding = Warning, s.at.finding(problem, detail)
}

// try connects, and then speaks what the port calls for: HTTP on 80, TLS on
// 443, TLS or else HTTP on others, unless those are known to speak neither.
func (s *step) try(ctx context.Context) {
	conn, a, err := s.connect(ctx)
	if err != nil {
		return
	}
	s.out.Status = OK
	switch {
	case s.t.port == 80:
		s.http(ctx, conn, a)
	case otherProtocol(s.t.port):
	default:
		if s.tls(ctx, conn, a) {
			return
		}
		if conn, a, err = s.connect(ctx); err == nil { // it answered in HTTP: asked properly, on a new connection
			s.http(ctx, conn, a)
		}
	}
}

// otherProtocol tells whether a port is assigned to what is neither TLS nor
// HTTP. A hello there would be a line of rubbish in somebody's log.
func otherProtocol(port uint16) bool {
	switch port {
	case 21, 22, 23, 25, 53, 110, 139, 143, 389, 445, 514, 587, 1433, 1434, 1521, 2638, 3306, 5432:
		return true
	}
	return false
}

// connect makes one connection by the gateway's dialer.
func (s *step) connect(ctx context.Context) (net.Conn, rules.Attempt, error) {
	within, cancel := context.WithTimeout(ctx, s.r.cfg.Timeout)
	defer cancel()
	began := s.r.cfg.Now()
	conn, a, err := s.r.cfg.Dialer.DialOne(within, s.g.decision, s.g.attempt, s.addr)
	s.out.TCP = &TCP{OK: err == nil, DurationMS: millis(s.r.cfg.Now().Sub(began))}
	if err != nil {
		s.unconnected(err)
		return nil, a, err
	}
	if local, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		s.at.from = local.AddrPort().Addr().Unmap().String()
		s.out.TCP.From = s.at.from
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // an interruption waits for no deadline
	s.ends = append(s.ends, func() { stop(); conn.Close() })
	return conn, a, nil
}

// unconnected notes why there is no connection.
func (s *step) unconnected(err error) {
	var c *proxy.ConnectError
	if errors.As(err, &c) {
		if c.Local.IsValid() {
			s.at.from = c.Local.String()
			s.out.TCP.From = s.at.from
		}
		if c.ICMP != "" {
			s.out.TCP.ICMPFrom, s.out.TCP.ICMP = c.By.String(), c.ICMP
		}
	}
	s.fail(s.connectProblem(err, c))
}

// connectProblem names the fault of a connection that did not come about.
func (s *step) connectProblem(err error, c *proxy.ConnectError) (Problem, string) {
	if c != nil && c.ICMP != "" {
		detail := fmt.Sprintf("%s says by ICMP: %s", c.By, c.ICMP)
		if c.Deny {
			return TCPProhibited, detail
		}
		return TCPUnreach, detail
	}
	if s.addr.Is6() && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)) { // switched off, as in most containers
		return NoRoute, "this host has no IPv6: " + rootCause(err)
	}
	switch cause := proxy.Fault(err); {
	case cause == rules.EndClean:
		return PolicyDenied, err.Error()
	case cause == rules.DialTimedOut:
		return TCPTimedOut, fmt.Sprintf("SYN unanswered for %v", s.r.cfg.Timeout)
	case cause == rules.DialRefused:
		return TCPRefused, "SYN answered by a reset"
	case cause == rules.DialUnreachable:
		return NoRoute, rootCause(err)
	case errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM):
		return TCPProhibited, "this host's own packet filter or routing rejects it: " + rootCause(err)
	}
	return TCPFailed, rootCause(err)
}

// permitted asks the final question, with what the client's first bytes are
// going to be, as a front end does before it forwards any.
func (s *step) permitted(a rules.Attempt, show func(*rules.Attempt)) bool {
	a.Provisional = false
	show(&a)
	if d := s.r.cfg.Gate.Decide(a); !d.Allowed() {
		s.fail(PolicyDenied, d.Why().String()+": "+d.Why().Help())
		return false
	}
	return true
}

// nameProblem names the fault of a look-up.
func nameProblem(err error) (Problem, string) {
	var dns *net.DNSError
	var upstream *dnsfilter.UpstreamError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return NameNotFound, "NXDOMAIN"
	case errors.As(err, &upstream) && upstream.Silent:
		return ResolverTimedOut, upstream.Cause.Error()
	case errors.As(err, &upstream):
		return ResolverFailed, upstream.Cause.Error()
	}
	switch proxy.Fault(err) {
	case rules.EndClean:
		return PolicyDenied, err.Error()
	case rules.DialNoAddress:
		return NameNoAddress, "neither A nor AAAA records"
	case rules.DialTimedOut:
		return ResolverTimedOut, rootCause(err)
	}
	return ResolverFailed, rootCause(err)
}

// noRoute tells whether a look-up failed as this host has no way to a resolver.
func noRoute(err error) bool {
	var upstream *dnsfilter.UpstreamError
	return errors.As(err, &upstream) && errors.Is(upstream.Cause, syscall.ENETUNREACH)
}

// timedOut tells a deadline from other errors.
func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// rootCause is the system's own word for an error of package net.
func rootCause(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}
