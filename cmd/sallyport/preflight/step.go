// Step: tries one address: connection, TLS and HTTP.

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
	g, why, ok := grants[0], rules.ReasonNone, true
	if addr.IsValid() {
		g, why, ok = t.reaching(grants, addr)
	}
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

// A step is one try of one address.
type step struct {
	r    *runner
	t    *target
	g    asked
	addr netip.Addr
	at   place
	out  *Address
	ends []func() // the functions that close the connections
}

// end closes every connection.
func (s *step) end() {
	for _, f := range s.ends {
		f()
	}
}

// fail records a problem that makes the destination unusable.
func (s *step) fail(problem Problem, detail string) {
	s.out.Status, s.out.Finding = Failed, s.at.finding(problem, detail)
}

// warn records a problem that leaves the destination usable.
func (s *step) warn(problem Problem, detail string) {
	s.out.Status, s.out.Finding = Warning, s.at.finding(problem, detail)
}

// try connects and then speaks the protocol of the port: HTTP on 80, TLS on
// 443. On other ports it tries TLS and then HTTP, except on ports that are
// assigned to other protocols.
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
		if conn, a, err = s.connect(ctx); err == nil { // the server answered in HTTP: send a correct request on a new connection
			s.http(ctx, conn, a)
		}
	}
}

// otherProtocol reports whether a port is assigned to a protocol other than TLS
// and HTTP. A ClientHello to such a port would leave a useless line in the
// server's log.
func otherProtocol(port uint16) bool {
	switch port {
	case 21, 22, 23, 25, 53, 110, 139, 143, 389, 445, 514, 587, 1433, 1434, 1521, 2638, 3306, 5432:
		return true
	}
	return false
}

// connect makes one connection with the gateway's dialer.
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
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // an interruption does not wait for a deadline
	s.ends = append(s.ends, func() { stop(); conn.Close() })
	return conn, a, nil
}

// unconnected records why there is no connection.
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

// connectProblem returns the problem of a failed connection.
func (s *step) connectProblem(err error, c *proxy.ConnectError) (Problem, string) {
	if _, _, parent := proxy.ParentFault(err); c != nil && c.ICMP != "" && !parent {
		detail := fmt.Sprintf("ICMP error from %s: %s", c.By, c.ICMP)
		if c.Deny {
			return TCPProhibited, detail
		}
		return TCPUnreach, detail
	}
	if s.addr.Is6() && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)) { // IPv6 is switched off, as in most containers
		return NoRoute, "this host has no IPv6: " + rootCause(err)
	}
	if text, _, ok := proxy.ParentFault(err); ok {
		return Problem(proxy.Fault(err).DialFault()), text
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

// permitted asks the Gate about the final attempt, as a front end does before it
// forwards a byte. The attempt describes the first bytes that will be sent.
func (s *step) permitted(a rules.Attempt, show func(*rules.Attempt)) bool {
	a.Provisional = false
	show(&a)
	if d := s.r.cfg.Gate.Decide(a); !d.Allowed() {
		s.fail(PolicyDenied, d.Why().String()+": "+d.Why().Help())
		return false
	}
	return true
}

// nameProblem returns the problem of a failed look-up.
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

// noRoute reports whether a look-up failed because this host has no route to a
// resolver.
func noRoute(err error) bool {
	var upstream *dnsfilter.UpstreamError
	return errors.As(err, &upstream) && errors.Is(upstream.Cause, syscall.ENETUNREACH)
}

// timedOut reports whether err is a timeout.
func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// rootCause returns the system's own text for an error of package net.
func rootCause(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}
