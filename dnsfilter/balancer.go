// Balancer: TCP connections from a balancer, which names the client of each in a header of the PROXY
// protocol.

package dnsfilter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"

	"sallyport/rules"
	"sallyport/rules/proxyheader"
	"sallyport/rules/quota"
)

// fromBalancer reports whether a connection from an address must begin with a header.
func (f *Filter) fromBalancer(from netip.AddrPort) bool {
	for _, p := range f.cfg.Balancers {
		if p.Contains(from.Addr()) {
			return true
		}
	}
	return false
}

// HealthChecks returns the number of connections by TCP whose header names no client.
func (f *Filter) HealthChecks() uint64 { return f.checks.Load() }

// introduce reads the header of a balancer's connection, and then serves the connection as the
// client's. As many headers are awaited at once as connections may be open.
func (s *service) introduce(ctx context.Context, c *tcpConn) {
	if s.f.arriving.Acquire(struct{}{}) != quota.Acquired {
		s.f.refuseConn(c.conn, c.client)
		return
	}
	s.readers.Go(func() {
		known := c.introduced(ctx)
		s.f.arriving.Release(struct{}{})
		if known {
			s.enter(ctx, c)
		} else {
			c.conn.Close()
		}
	})
}

// introduced reads the header, and not one octet more. It reports whether a client follows. It
// records a denial unless the connection is a check that the port is open.
func (c *tcpConn) introduced(ctx context.Context) bool {
	c.s.hold(c)
	defer c.s.release(c)
	c.await(ctx)
	h, err := proxyheader.Read(c.conn)
	var silent bool
	switch {
	case err == nil && h.Kind == proxyheader.Relayed:
		c.client = rules.ClientAddr(h.Client)
		return true
	case err == nil && h.Kind == proxyheader.Local:
		c.s.f.checks.Add(1)
		return true
	case err == nil:
		_, next := c.conn.Read(make([]byte, 1))
		if silent = next != nil; silent {
			c.s.f.checks.Add(1)
		}
		err = errors.New(proxyheader.NoClient)
	case err == io.EOF:
		silent = true
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the connection ended inside a PROXY header")
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("the PROXY header was not complete in time: %w", err)
	}
	if !silent {
		c.s.f.denyBalancer(c.client, err.Error())
	}
	return false
}

// denyBalancer records that a balancer did not name its client.
func (f *Filter) denyBalancer(from netip.AddrPort, detail string) {
	f.cfg.Gate.Decide(rules.Attempt{
		Flow: f.nextFlow(), Via: rules.ViaDNS, Client: from, SourceProven: true, Proto: rules.TCP,
		Fault: rules.ProxyProtocol, Detail: detail,
	})
}
