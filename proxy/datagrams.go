// Datagrams: how the flows of datagrams use the proxy's Gate, resolver and limits.

package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"

	"sallyport/proxy/datagram"
	"sallyport/rules"
)

// newDatagrams returns the table of the flows of datagrams of every front end.
func (p *Proxy) newDatagrams() *datagram.Table {
	return datagram.New(datagram.Config{
		Gate: p.cfg.Gate, Generation: p.cfg.Generation, NextFlow: p.cfg.NextFlow, Closed: p.closed,
		Resolve: p.resolveDatagrams, Connect: p.cfg.connectUDP, Remote: p.cfg.remoteUDP,
		Draining: p.draining.Load, Panicked: p.datagramsPanicked,
		Flows: p.limits.UDPFlows, Idle: p.limits.UDPIdle, Dial: p.limits.Dial,
	})
}

// SetUDPFlows changes the limit of the flows of datagrams and of the associations. What is open
// stays.
func (p *Proxy) SetUDPFlows(n int) {
	p.datagrams.SetFlows(n)
	p.associations.Set(n, datagram.Quota(n))
}

// resolveDatagrams returns the addresses of a's destination that d reaches, at least one.
func (p *Proxy) resolveDatagrams(ctx context.Context, d rules.Decision, a rules.Attempt) ([]netip.Addr, rules.Attempt, error) {
	addrs, a, err := p.resolveReachable(ctx, d, a)
	var denied *deniedError
	var failed *dialError
	switch {
	case errors.As(err, &denied):
		return nil, a, datagram.ErrDenied
	case errors.As(err, &failed):
		return nil, a, &datagram.Failure{Cause: failed.cause, Err: failed.err}
	}
	return addrs, a, err
}

// datagramsPanicked records a panic of a flow.
func (p *Proxy) datagramsPanicked(v any, last rules.Attempt) {
	p.count.panics.Add(1)
	p.log.Error("panic while relaying datagrams", "client", last.Client.String(), "via", last.Via.String(),
		"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	last.Fault, last.Detail = rules.MalformedRequest, "internal error while relaying datagrams"
	p.cfg.Gate.Decide(last)
}
