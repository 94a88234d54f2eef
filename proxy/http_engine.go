// HTTP engine: net/http and goproxy behind the guard. They move requests and responses; the
// decision is made before they see a byte.

package proxy

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/elazarl/goproxy"

	"sallyport/proxy/head"
	"sallyport/rules"
)

// An engine is shared by all connections of a Proxy. Its zero value is ready.
type engine struct {
	once   sync.Once
	server *http.Server
	proxy  *goproxy.ProxyHttpServer
	name   string // our pseudonym in Via, different in each process
}

type (
	sessionKey struct{} // context: *session
	grantKey   struct{} // context: *grant
)

// pseudonym returns our name in Via (RFC 9110, section 7.6.3).
func (e *engine) pseudonym() string {
	e.once.Do(e.build)
	return e.name
}

func (e *engine) build() {
	e.name = "sallyport-" + strings.ToLower(rand.Text()[:12])
	discard := log.New(io.Discard, "", 0) // the journal records what matters, without URLs
	e.server = &http.Server{
		Handler:                      http.HandlerFunc(e.handle),
		MaxHeaderBytes:               2 * head.MaxHead, // the guard is stricter
		BaseContext:                  sessionContext,
		ConnState:                    stateChanged,
		ErrorLog:                     discard,
		DisableGeneralOptionsHandler: true,
	}
	e.proxy = goproxy.NewProxyHttpServer()
	e.proxy.Tr = &http.Transport{DialContext: noDial} // never used; net/http's default one would obey the environment
	e.proxy.ConnectDial = noConnect
	e.proxy.Logger = discard
	e.proxy.KeepAcceptEncoding = true
	e.proxy.NonproxyHandler = http.HandlerFunc(notGranted)
	e.proxy.OnRequest().DoFunc(useGrant)
	e.proxy.OnRequest().HandleConnect(goproxy.FuncHttpsHandler(rejectConnect))
}

// serve lets net/http serve a session whose first head is judged, and returns when the last
// response is written.
func (e *engine) serve(s *session) {
	e.once.Do(e.build)
	e.server.Serve(&oneConn{s: s}) // returns at once: oneConn has no second connection
	<-s.guard.Ended
	s.guard.Retire()
}

// oneConn is a listener with one connection.
type oneConn struct {
	s    *session
	done bool
}

// Accept returns the connection, then io.EOF.
func (l *oneConn) Accept() (net.Conn, error) {
	if l.done {
		return nil, io.EOF
	}
	l.done = true
	return l.s.guard, nil
}

// Close does nothing: the connection goes on.
func (l *oneConn) Close() error { return nil }

// Addr returns the local address of the connection.
func (l *oneConn) Addr() net.Addr { return l.s.c.TCP.LocalAddr() }

func sessionContext(l net.Listener) context.Context {
	s := l.(*oneConn).s
	return context.WithValue(s.ctx, sessionKey{}, s)
}

// stateChanged tells the guard that a response is written.
func stateChanged(c net.Conn, state http.ConnState) {
	if g, ok := c.(*head.Guard); ok && state == http.StateIdle {
		g.MarkAnswered()
	}
}

// handle serves one granted request.
func (e *engine) handle(w http.ResponseWriter, r *http.Request) {
	s := r.Context().Value(sessionKey{}).(*session)
	defer s.contain()
	defer s.leave()
	g := s.granted
	s.granted = nil
	if g == nil || !g.head.Covers(r) {
		s.unmatched(w, g)
		return
	}
	g.began = time.Now()
	defer g.end()
	defer s.guard.LimitRest()
	g.out = &answer{ResponseWriter: w, p: s.p}
	defer g.out.finish()
	if g.head.HasBody() { // the response may begin while the body still arrives
		http.NewResponseController(w).EnableFullDuplex()
	}
	if hops, counted := g.head.MaxForwards(); counted && hops == 0 {
		g.answerHere(r)
		return
	}
	g.rewrite(r, e.name)
	r = r.WithContext(context.WithValue(r.Context(), grantKey{}, g))
	if g.head.Upgrade() != "" && g.upgrade(r) {
		return
	}
	e.proxy.ServeHTTP(g.out, r)
	if g.cut.Load() {
		g.out.Flush()
		panic(http.ErrAbortHandler) // else the client would take a cut response for a complete one
	}
}

// contain hands a panic to the goroutine that serves the connection.
func (s *session) contain() {
	v := recover()
	if v == nil {
		return
	}
	if v != http.ErrAbortHandler {
		s.guard.Panicked = fmt.Errorf("%v\n%s", v, debug.Stack())
	}
	panic(http.ErrAbortHandler)
}

// unmatched denies a request that net/http read differently than the guard did.
func (s *session) unmatched(w http.ResponseWriter, g *grant) {
	a := s.p.attempt(s.c, rules.ViaHTTP)
	if g != nil {
		a = g.a
	}
	a.Provisional, a.Fault, a.Detail = false, rules.MalformedRequest, "the request can be read in two ways"
	d := s.p.cfg.Gate.Decide(a)
	w.Header().Set("Connection", "close")
	w.Header().Set("X-Sallyport-Reason", d.Why().String())
	w.WriteHeader(statusOf(a, d))
}

// useGrant is goproxy's one request handler: it binds a request to its grant.
func useGrant(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	g, ok := r.Context().Value(grantKey{}).(*grant)
	if !ok {
		return r, goproxy.NewResponse(r, goproxy.ContentTypeText, http.StatusForbidden, "")
	}
	ctx.RoundTripper = goproxy.RoundTripperFunc(g.roundTrip)
	return r, nil
}

// rejectConnect is goproxy's one CONNECT handler. The guard never hands on a CONNECT; without a
// handler goproxy would permit it.
func rejectConnect(host string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
	return goproxy.RejectConnect, host
}

func notGranted(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }

func noDial(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }

func noConnect(string, string) (net.Conn, error) { return nil, net.ErrClosed }
