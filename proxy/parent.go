// Parent: reaches destinations through the proxies of the site.

package proxy

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"sallyport/proxy/peek"
	"sallyport/rules"
)

// mostTargets bounds the addresses of one name that a parent is asked for.
const mostTargets = 4

// connectRouted connects to a's destination as its route says. addrs are the addresses that d
// reaches; there is none if the parents resolve the name. plain means that the link will carry
// one client's plain HTTP requests to the destination, so that an HTTP parent gets them in
// absolute-form.
func (p *Proxy) connectRouted(ctx context.Context, d rules.Decision, a rules.Attempt, addrs []netip.Addr, route *rules.Route, plain bool) (link, rules.Attempt, error) {
	var direct []netip.Addr
	for _, addr := range addrs {
		if route.Direct(a.Target(), addr) {
			direct = append(direct, addr)
		}
	}
	if len(direct) > 0 {
		a.Parent = nil
		conn, err := p.race(ctx, direct, a.Dest.Port())
		if err != nil {
			return link{}, a, classify(err)
		}
		return p.verify(conn, d, a)
	}
	parents := p.parents.order(route.Parents)
	for i, parent := range parents {
		a.Parent = parent
		l, asked, err := p.through(ctx, d, a, addrs, parent, plain, i == len(parents)-1)
		if !errors.Is(ctx.Err(), context.Canceled) { // else the client left, which says nothing about the parent
			p.parents.note(parent, err)
		}
		var failed *parentError
		if err == nil || !errors.As(err, &failed) || !failed.broken || i == len(parents)-1 || ctx.Err() != nil {
			return l, asked, faultOf(err)
		}
	}
	return link{}, a, &dialError{cause: rules.ParentUnreachable} // a route has at least one parent
}

// leaveNameToParent reports whether the parents of a route resolve a's name, and sallyport does not
// look it up. A redirected flow counts as a mismatch unless the DNS filter gave its address for the
// name.
func (p *Proxy) leaveNameToParent(a *rules.Attempt, route *rules.Route) bool {
	name := a.Target()
	if !route.ByName() || name.IsZero() || route.Direct(name, netip.Addr{}) {
		return false
	}
	a.Parent = route.Parents[0]
	if a.Via == rules.ViaTransparent {
		a.Mismatch = !slices.Contains(a.Pinned, name) && !a.Generation.IsSyntheticOf(a.Original.Addr(), name)
	}
	return true
}

// announceParent sets the parent that is tried first, unless the site wants one of the addresses
// reached directly.
func announceParent(a *rules.Attempt, route *rules.Route, addrs []netip.Addr) {
	if !slices.ContainsFunc(addrs, func(addr netip.Addr) bool { return route.Direct(a.Target(), addr) }) {
		a.Parent = route.Parents[0]
	}
}

// through connects to a's destination by one parent.
func (p *Proxy) through(ctx context.Context, d rules.Decision, a rules.Attempt, addrs []netip.Addr, parent *rules.Parent, plain, last bool) (link, rules.Attempt, error) {
	name, port := a.Target(), a.Dest.Port()
	if plain && parent.HTTP() {
		l, err := p.reachParent(ctx, d.Own, a.Generation, parent, last)
		l.absolute = true
		if !name.IsZero() { // the request has the name, and the parent resolves it
			a.Dest = netip.AddrPortFrom(netip.Addr{}, port)
		}
		return l, a, err
	}
	targets := targetsOf(name, port, addrs)
	var err error
	for i, target := range targets {
		a.Dest = netip.AddrPortFrom(target.Addr, port) // also in the record of a failure: it says what the parent was to be asked for
		var l link
		if l, err = p.reachParent(ctx, d.Own, a.Generation, parent, last); err != nil {
			return link{}, a, err
		}
		if err = p.ask(ctx, l, target); err == nil {
			return l, a, nil
		}
		peek.Reset(l.tcp)
		var failed *parentError
		if !errors.As(err, &failed) || !failed.elsewhere || i == len(targets)-1 || ctx.Err() != nil {
			break
		}
	}
	return link{}, a, err
}

// targetsOf returns what a parent is asked for: the name, or the judged addresses. IPv4 comes
// first: a proxy that has no IPv6 is more common than one that has no IPv4.
func targetsOf(name rules.Name, port uint16, addrs []netip.Addr) []rules.Authority {
	if len(addrs) == 0 {
		return []rules.Authority{{Name: name, Port: port}}
	}
	order := slices.Clone(addrs)
	slices.SortStableFunc(order, func(x, y netip.Addr) int { return cmp.Compare(x.BitLen(), y.BitLen()) })
	order = alternate(order)
	var out []rules.Authority
	for _, addr := range order[:min(len(order), mostTargets)] {
		out = append(out, rules.Authority{Addr: addr, Port: port})
	}
	return out
}

// alternate puts the first IPv6 address second, so that a limit does not leave out a family.
func alternate(order []netip.Addr) []netip.Addr {
	if i := slices.IndexFunc(order, netip.Addr.Is6); i > 1 {
		six := order[i]
		copy(order[2:i+1], order[1:i])
		order[1] = six
	}
	return order
}

// reachParent connects to the parent itself. own reports sallyport's own listeners, and g is the
// generation that resolves the parent's name. While there is another parent to try, reachParent
// leaves half of the time for that.
func (p *Proxy) reachParent(ctx context.Context, own func(netip.AddrPort) bool, g *rules.Generation, parent *rules.Parent, last bool) (link, error) {
	if deadline, ok := ctx.Deadline(); ok && !last {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, time.Now().Add(time.Until(deadline)/2))
		defer cancel()
	}
	addrs, err := p.parentAddrs(ctx, g, parent)
	if err != nil {
		return link{}, err
	}
	for _, addr := range addrs {
		if own(netip.AddrPortFrom(addr, parent.At.Port)) {
			return link{}, &parentError{parent: parent, cause: rules.ParentUnreachable, broken: true, err: errOwnParent}
		}
	}
	p.cfg.Found.Remember(parent.At.Name, addrs, time.Now())
	tcp, err := p.race(ctx, addrs, parent.At.Port)
	if err != nil {
		return link{}, notReached(parent, err)
	}
	if at := p.remote(tcp); at.Port() != parent.At.Port || !slices.Contains(addrs, at.Addr()) {
		peek.Reset(tcp)
		return link{}, &parentError{parent: parent, cause: rules.ParentUnreachable, broken: true, err: errOtherSocket}
	}
	l := link{tcp: tcp, parent: parent}
	if parent.Scheme == rules.ParentHTTPS {
		if l.tls, l.asked, err = secure(ctx, tcp, parent); err != nil {
			peek.Reset(tcp)
			return link{}, err
		}
	}
	return l, nil
}

var (
	errOwnParent   = errors.New("the parent's address is sallyport's own listener: a loop")
	errOtherSocket = errors.New("the socket is connected to another address")
)

// parentAddrs returns the addresses of a parent, by our own resolver.
func (p *Proxy) parentAddrs(ctx context.Context, g *rules.Generation, parent *rules.Parent) ([]netip.Addr, error) {
	if parent.At.Addr.IsValid() {
		return []netip.Addr{parent.At.Addr}, nil
	}
	fail := func(cause rules.Cause, err error) error {
		return &parentError{parent: parent, cause: cause, broken: true, unresolved: true, err: err}
	}
	if p.cfg.Lookup == nil {
		return nil, fail(rules.ParentUnreachable, errors.New("no resolver"))
	}
	found, err := p.cfg.Lookup(ctx, g, parent.At.Name)
	if err != nil && timedOut(err) {
		return nil, fail(rules.ParentTimedOut, err)
	}
	var addrs []netip.Addr
	for _, addr := range found {
		if addr.IsValid() {
			addrs = append(addrs, addr.Unmap())
		}
	}
	if err == nil && len(addrs) == 0 {
		err = errors.New("the name has no address")
	}
	if err != nil {
		return nil, fail(rules.ParentUnreachable, err)
	}
	return addrs, nil
}

// ask asks a connected parent for a destination. Afterwards the link carries the bytes of the
// destination, from the first one on.
func (p *Proxy) ask(ctx context.Context, l link, target rules.Authority) error {
	return p.speak(ctx, l, func() error {
		if l.parent.HTTP() {
			return askHTTP(l, target, p.engine.pseudonym())
		}
		return askSOCKS(l, target)
	})
}

// speak lets exchange speak with a parent until ctx ends.
func (p *Proxy) speak(ctx context.Context, l link, exchange func() error) error {
	deadline, _ := ctx.Deadline()
	conn := l.conn()
	conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { l.tcp.SetDeadline(time.Unix(1, 0)) })
	err := exchange()
	if !stop() && err == nil {
		err = &parentError{parent: l.parent, cause: rules.ParentTimedOut, err: ctx.Err()}
	}
	if err == nil {
		conn.SetDeadline(time.Time{})
	}
	return err
}

// notReached returns the fault of a failed connection to a parent.
func notReached(parent *rules.Parent, err error) *parentError {
	e := &parentError{parent: parent, cause: rules.ParentUnreachable, broken: true, err: err}
	if classify(err).cause == rules.DialTimedOut {
		e.cause = rules.ParentTimedOut
	}
	return e
}

// faultOf turns the error of a parent into the dialer's error. Other errors stay as they are.
func faultOf(err error) error {
	var e *parentError
	if errors.As(err, &e) {
		return &dialError{cause: e.cause, err: e}
	}
	return err
}
