// Race: Happy Eyeballs (RFC 8305) over addresses that are all granted.

package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// stagger is the Connection Attempt Delay of RFC 8305, section 5.
const stagger = 250 * time.Millisecond

// race connects to the first of addrs that answers. A single address needs no race.
func (p *Proxy) race(ctx context.Context, addrs []netip.Addr, port uint16) (*net.TCPConn, error) {
	if len(addrs) == 1 {
		return p.cfg.Connect(ctx, netip.AddrPortFrom(addrs[0], port))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	order := interleave(addrs)
	results := make(chan raced)
	next := time.NewTimer(0)
	defer next.Stop()
	var errs []error
	for started := 0; len(errs) < len(order); {
		select {
		case <-next.C:
			if started < len(order) {
				go p.try(ctx, netip.AddrPortFrom(order[started], port), results)
				started++
				next.Reset(stagger)
			}
		case r := <-results:
			if r.err == nil {
				return r.conn, nil
			}
			errs = append(errs, r.err)
			next.Reset(0)
		case <-ctx.Done():
			return nil, errors.Join(append(errs, ctx.Err())...)
		}
	}
	return nil, errors.Join(errs...)
}

// raced is the result of one try.
type raced struct {
	conn *net.TCPConn
	err  error
}

// try connects to one address. A connection that comes too late is closed unused.
func (p *Proxy) try(ctx context.Context, addr netip.AddrPort, results chan<- raced) {
	conn, err := p.cfg.Connect(ctx, addr)
	select {
	case results <- raced{conn, err}:
	case <-ctx.Done():
		if conn != nil {
			conn.Close()
		}
	}
}

// interleave alternates the families, IPv6 first, and keeps the resolver's order in each
// family.
func interleave(addrs []netip.Addr) []netip.Addr {
	var v6, v4 []netip.Addr
	for _, a := range addrs {
		if a.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	out := make([]netip.Addr, 0, len(addrs))
	for len(v6) > 0 || len(v4) > 0 {
		if len(v6) > 0 {
			out, v6 = append(out, v6[0]), v6[1:]
		}
		if len(v4) > 0 {
			out, v4 = append(out, v4[0]), v4[1:]
		}
	}
	return out
}

// connectTCP and Probing both use connect. They are the only code of the module that connects TCP
// to a destination. Before the socket connects, connect checks once more that it is for addr.
func connectTCP(ctx context.Context, addr netip.AddrPort) (*net.TCPConn, error) {
	return connect(ctx, addr, nil)
}

// connect does what connectTCP does. watch, if not nil, is called with the socket before it
// connects.
func connect(ctx context.Context, addr netip.AddrPort, watch func(syscall.RawConn) error) (*net.TCPConn, error) {
	d := net.Dialer{
		KeepAliveConfig: keepAlive(),
		ControlContext: func(_ context.Context, _, address string, raw syscall.RawConn) error {
			if got, err := netip.ParseAddrPort(address); err != nil || got != addr {
				return fmt.Errorf("socket is for %s, not for %s", address, addr)
			}
			if watch != nil {
				return watch(raw)
			}
			return nil
		},
	}
	d.SetMultipathTCP(false)
	// Dialer.DialTCP is not used: without a local address it binds the socket to a port first, so
	// that all destinations together would share 64 Ki ports.
	conn, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// keepAlive returns settings that detect within minutes that a peer has vanished.
func keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: -1, Count: -1}
}
