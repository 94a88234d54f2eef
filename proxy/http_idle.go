// HTTP, idle: connections to destinations that wait for another request. A client has its own, and
// each carries requests to one destination only.

package proxy

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"sallyport/proxy/head"
	"sallyport/rules"
)

// Bounds of the connections that wait.
const (
	idleLimit      = 1024             // of all clients; reservedDescriptors of package gateway has room for them
	idlePerClient  = 256              // of one client
	idlePerSession = 2                // of one session, that no other session may use
	idleWait       = time.Minute      // how long a connection waits
	idleAge        = 10 * time.Minute // how old a connection may be that is used again, so that a client follows a change of an address
	idleFresh      = time.Second      // how long a connection may have waited for a request that cannot be repeated
)

// An idleOwner says whose requests a connection may carry: those of one client at one address, with
// one proven identity. The generation is a part of it, because the connection has the addresses,
// the parent and the login of its generation.
type idleOwner struct {
	generation *rules.Generation
	client     *rules.Client
	source     netip.Addr
	identity   string
}

// An idleTable holds the connections that wait, for all clients. No goroutine watches them: the
// table looks at a connection when it gives it out, and closes those that have waited for too long.
type idleTable struct {
	mu    sync.Mutex
	of    map[idleOwner][]*upstream // in the order of their arrival
	held  int
	limit int // of held
	timer *time.Timer
	shut  bool
}

// ownerOf returns who owns the connections for a request.
func (g *grant) ownerOf() idleOwner {
	o := idleOwner{generation: g.a.Generation, client: g.d.Client, source: g.a.Client.Addr()}
	if id := g.a.Identity; id != nil {
		o.identity = strings.Join(append([]string{id.User}, id.Certificate...), "\x00")
	}
	return o
}

// shares reports whether a session's connections may serve other sessions of the client. A tunnel
// and a redirected connection have a destination of their own, and the answer to their question
// depends on it.
func (s *session) shares() bool { return s.from == proxySource{} }

// waiting returns a connection that waits for a request like g, or nil. First come those of the
// session.
func (s *session) waiting(g *grant) *upstream {
	for i := len(s.kept) - 1; i >= 0; i-- {
		if u := s.kept[i]; u.host == g.host {
			s.kept = slices.Delete(s.kept, i, i+1)
			if u.usable(s.p.idleWait(), time.Now()) {
				return u
			}
			u.Close()
		}
	}
	if !s.shares() || g.head.Upgrade() != "" && g.d.Route() != nil { // WebSocket needs a connection to the destination itself
		return nil
	}
	wait := s.p.idleWait()
	if g.head.HasBody() || !idempotent(g.head.Method) {
		wait = min(wait, idleFresh)
	}
	owner := g.ownerOf()
	for {
		u := s.p.idle.take(owner, g.host)
		if u == nil {
			return nil
		}
		if u.usable(wait, time.Now()) {
			return u
		}
		u.Close()
	}
}

// usable reports whether a connection that waited may carry a request.
func (u *upstream) usable(wait time.Duration, now time.Time) bool {
	return now.Sub(u.since) < wait && now.Sub(u.made) < idleAge && u.silent()
}

// keep lets a connection wait for the next request. The answer to g has been read to its end, and
// nothing of it is left.
func (s *session) keep(u *upstream, g *grant) {
	u.since, u.guard = time.Now(), nil
	u.flow.Store(nil)
	switch {
	case s.p.draining.Load(), u.since.Sub(u.made) >= idleAge, g.head.Upgrade() != "" && u.link.parent != nil:
		u.Close()
	case s.shares() && !u.bound:
		if g.a.Generation != s.p.cfg.Generation() {
			u.Close()
			return
		}
		if surplus := s.p.idle.put(g.ownerOf(), u, s.p.idleWait()); surplus != nil {
			surplus.Close()
		}
		if g.a.Generation != s.p.cfg.Generation() { // the generation changed meanwhile, perhaps after Recheck
			s.p.idle.keepOnly(s.p.cfg.Generation())
		}
	default:
		s.kept = append(s.kept, u)
		if len(s.kept) > idlePerSession {
			s.kept[0].Close()
			s.kept = slices.Delete(s.kept, 0, 1)
		}
	}
}

// forget closes the connections that only this session may use.
func (s *session) forget() {
	for _, u := range s.kept {
		u.Close()
	}
	s.kept = nil
}

// idleWait returns how long a connection waits.
func (p *Proxy) idleWait() time.Duration { return min(p.limits.Idle, idleWait, head.MaxKeepAlive) }

// put adds a connection, and returns the one to close: if a client has too many, the one that waits
// longest.
func (t *idleTable) put(o idleOwner, u *upstream, wait time.Duration) (surplus *upstream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.of[o]
	full := t.held >= t.limit
	switch {
	case t.shut, full && len(own) == 0:
		return u
	case full, len(own) >= idlePerClient:
		surplus = own[0]
		own = slices.Delete(own, 0, 1)
		t.held--
	}
	if t.of == nil {
		t.of = make(map[idleOwner][]*upstream)
	}
	t.of[o] = append(own, u)
	if t.held++; t.timer == nil {
		t.timer = time.AfterFunc(wait, func() { t.sweep(wait) })
	}
	return surplus
}

// take removes and returns the connection to host that has waited for the shortest time, or nil.
func (t *idleTable) take(o idleOwner, host string) *upstream {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.of[o]
	for i := len(own) - 1; i >= 0; i-- {
		if u := own[i]; u.host == host {
			t.set(o, slices.Delete(own, i, i+1))
			t.held--
			return u
		}
	}
	return nil
}

// set replaces the connections of an owner. mu must be held.
func (t *idleTable) set(o idleOwner, own []*upstream) {
	if len(own) == 0 {
		delete(t.of, o)
		return
	}
	t.of[o] = own
}

// sweep closes what has waited for too long. It runs as long as something waits.
func (t *idleTable) sweep(wait time.Duration) {
	now := time.Now()
	t.closeIf(func(_ idleOwner, u *upstream) bool { return now.Sub(u.since) >= wait })
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer = nil; t.held > 0 && !t.shut {
		t.timer = time.AfterFunc(wait/4, func() { t.sweep(wait) })
	}
}

// keepOnly closes the connections of all generations but g.
func (t *idleTable) keepOnly(g *rules.Generation) {
	t.closeIf(func(o idleOwner, _ *upstream) bool { return o.generation != g })
}

// close closes all connections, and refuses every one that comes later.
func (t *idleTable) close() {
	t.mu.Lock()
	t.shut = true
	if t.timer != nil {
		t.timer.Stop()
	}
	t.mu.Unlock()
	t.closeIf(func(idleOwner, *upstream) bool { return true })
}

// closeIf closes the connections for which over returns true.
func (t *idleTable) closeIf(over func(idleOwner, *upstream) bool) {
	var out []*upstream
	defer func() {
		for _, u := range out {
			u.Close()
		}
	}()
	t.mu.Lock()
	defer t.mu.Unlock()
	for o, own := range t.of {
		before := len(own)
		t.set(o, slices.DeleteFunc(own, func(u *upstream) bool {
			gone := over(o, u)
			if gone {
				out = append(out, u)
			}
			return gone
		}))
		t.held -= before - len(t.of[o])
	}
}

// binds reports whether a request may log in to its destination in a way that counts for the whole
// connection, as NTLM and Negotiate do. Such a connection never carries requests of another session.
func binds(h http.Header) bool {
	for _, value := range h["Authorization"] {
		scheme, _, _ := strings.Cut(strings.TrimLeft(value, " \t"), " ")
		switch strings.ToLower(scheme) {
		case "basic", "bearer", "digest":
		default:
			return true
		}
	}
	return false
}
