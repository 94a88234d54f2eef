// Listener: the accept loop of every TCP front end, with its limits.

package proxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"sallyport/proxy/peek"
	"sallyport/rules"
	"sallyport/rules/quota"
)

// Listen opens a TCP listener for a front end. The listener does not use MPTCP, which sandboxes do
// not see. Accepted connections inherit its keep-alive settings, which saves four system calls for
// each connection. network is "tcp4" or "tcp6" for one family, or "tcp" for both if addr is [::].
func Listen(ctx context.Context, network string, addr netip.AddrPort) (net.Listener, error) {
	return listenWith(ctx, network, addr, inheritedKeepAlive)
}

// ListenTPROXY does the same for connections that the packet filter's TPROXY delivers: the listener
// accepts connections to addresses that this host does not have. The kernel demands CAP_NET_RAW or
// CAP_NET_ADMIN for that, here and not later.
func ListenTPROXY(ctx context.Context, network string, addr netip.AddrPort) (net.Listener, error) {
	return listenWith(ctx, network, addr, inheritedTPROXY)
}

func listenWith(ctx context.Context, network string, addr netip.AddrPort, set func(network, address string, raw syscall.RawConn) error) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1, Control: set}
	lc.SetMultipathTCP(false)
	return lc.Listen(ctx, network, addr.String())
}

// A clientTable counts the open connections and holds them, so that a drain can end them.
type clientTable struct {
	mu      sync.Mutex
	quota   quota.Table[rules.QuotaKey] // limits.per_client
	open    map[*client]struct{}
	unknown int            // how many of open are of unknown clients
	shut    bool           // no more connections are admitted
	running sync.WaitGroup // one for each open connection
}

// admit adds c to the table, or returns why c must not be admitted.
func (t *clientTable) admit(c *client, l Limits) (fault rules.Reason, detail string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = make(map[*client]struct{})
		t.quota.Set(quota.Unlimited, l.PerClient)
	}
	switch {
	case t.shut:
		return rules.Draining, ""
	case len(t.open) >= l.Connections:
		return rules.Limit, "limits.connections is reached"
	}
	if c.behind == nil {
		if fault, detail = t.charge(c, l); fault != rules.ReasonNone {
			return fault, detail
		}
	}
	t.open[c] = struct{}{}
	t.running.Add(1)
	return rules.ReasonNone, ""
}

// charge counts c against the quotas of its client, or returns which quota is reached. mu must be
// held.
func (t *clientTable) charge(c *client, l Limits) (fault rules.Reason, detail string) {
	switch {
	case t.quota.HeldBy(c.by) >= l.PerClient:
		return rules.Limit, "limits.per_client is reached"
	case c.unknown && t.unknown >= l.unknownClients():
		return rules.Limit, "the quota of limits.connections for addresses in no [[client]] is reached"
	}
	t.quota.Acquire(c.by) // cannot fail: only charge acquires, under mu
	if c.unknown {
		t.unknown++
	}
	c.charged = true
	return rules.ReasonNone, ""
}

// proven moves c out of the share of the unknown clients: it has shown a certificate or logged in.
// The goroutine that serves c calls it, which alone changes c.unknown.
func (t *clientTable) proven(c *client) {
	if !c.unknown {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.unknown = false; c.charged {
		t.unknown--
	}
}

// close ends the admission of connections.
func (t *clientTable) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut = true
}

// leave removes c from the table.
func (t *clientTable) leave(c *client) {
	defer t.running.Done()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, c)
	if !c.charged {
		return
	}
	t.quota.Release(c.by)
	if c.unknown {
		t.unknown--
	}
}

// all returns the connections that are open now.
func (t *clientTable) all() []*client {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.open))
}

// A frontEnd serves the connections of an accept loop.
type frontEnd struct {
	via    rules.Via
	handle func(context.Context, *client)
	refuse func(*client, rules.Attempt, rules.Decision) // answers a client that was not admitted; must not block
}

// Bounds of the pause after a failed accept.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// serve accepts until ctx ends or Drain begins, and then returns nil. Accepted connections go on,
// and Drain waits for them. A lack of descriptors or memory only slows serve down. serve closes l.
func (p *Proxy) serve(ctx context.Context, l net.Listener, fe frontEnd) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	loop := p.loops.enter(l, fe.via)
	defer p.loops.leave(loop)
	closed := make(chan struct{})
	go p.closeListener(ctx, l, closed)
	defer func() { cancel(); <-closed }()
	pause := time.Duration(0)
	for {
		conn, err := l.Accept()
		loop.turns.Add(1)
		switch {
		case err == nil:
			pause = 0
			p.accepted(conn, fe)
		case ctx.Err() != nil || p.draining.Load():
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			loop.woken()
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("%s listener %v was closed: %w", fe.via, l.Addr(), err)
		default:
			p.count.acceptErrors.Add(1)
			pause = min(max(2*pause, minPause), maxPause)
			p.log.Warn("accept failed", "listener", l.Addr().String(), "error", err, "pause", pause)
			p.wait(ctx, pause)
		}
	}
}

// closeListener ends Accept when serve must stop.
func (p *Proxy) closeListener(ctx context.Context, l net.Listener, closed chan<- struct{}) {
	defer close(closed)
	select {
	case <-ctx.Done():
	case <-p.drained:
	}
	l.Close()
}

// wait pauses until d is over or serve must stop.
func (p *Proxy) wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-p.drained:
	}
}

// accepted starts the handling of one connection, or refuses it because of a limit.
func (p *Proxy) accepted(conn net.Conn, fe frontEnd) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		p.log.Error("connection is not TCP", "listener", conn.LocalAddr().String())
		conn.Close()
		return
	}
	p.count.accepted.Add(1)
	c := &client{Conn: peek.Conn{TCP: tcp, Pool: &p.buffers}, addr: rules.ClientAddr(unmapped(tcp.RemoteAddr()))}
	if p.fromBalancer(c) {
		c.behind = &balancer{addr: c.addr}
	} else {
		p.recognize(c, fe.via)
	}
	if fault, detail := p.clients.admit(c, p.limits); fault != rules.ReasonNone {
		p.notAdmitted(c, fe, fault, detail)
		return
	}
	p.count.connections.Add(1)
	go p.run(c, fe)
}

// recognize finds out whose quotas c uses.
func (p *Proxy) recognize(c *client, via rules.Via) {
	d := p.cfg.Gate.Preview(rules.Attempt{Via: via, Client: c.addr, Proto: rules.TCP})
	c.by, c.unknown = rules.QuotaKeyOf(c.addr.Addr(), d.Client), d.UnknownSource()
}

// notAdmitted refuses at once: it records the decision and reads nothing.
func (p *Proxy) notAdmitted(c *client, fe frontEnd, fault rules.Reason, detail string) {
	p.count.notAdmitted.Add(1)
	a := p.attempt(c, fe.via)
	a.Fault, a.Detail = fault, detail
	d := p.cfg.Gate.Decide(a)
	if fe.refuse != nil {
		fe.refuse(c, a, d)
	}
	c.TCP.Close()
}

// run handles one connection from the first byte to the last.
func (p *Proxy) run(c *client, fe frontEnd) {
	defer p.count.connections.Add(-1)
	defer p.clients.leave(c)
	defer c.Close()
	defer p.recovered(c, fe.via)
	defer c.Release()
	if c.behind == nil || p.introduced(c, fe) {
		fe.handle(p.base, c)
	}
}

// recovered turns a panic of one connection into a denial. It must be deferred directly.
func (p *Proxy) recovered(c *client, via rules.Via) { p.panicked(recover(), c, via) }

// panicked records v, the value of a recovered panic. nil means that there was none.
func (p *Proxy) panicked(v any, c *client, via rules.Via) {
	if v == nil {
		return
	}
	p.count.panics.Add(1)
	p.log.Error("panic while serving a connection", "client", c.addr.String(), "via", via.String(),
		"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	peek.Reset(c.TCP)
	a := p.attempt(c, via)
	a.Fault, a.Detail = rules.MalformedRequest, "internal error while serving the connection"
	p.cfg.Gate.Decide(a)
}
