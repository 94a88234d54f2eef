// Admin guard: who may ask the admin listener, and under which name.

package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// adminGuard stands in front of every admin request: the Host must be this
// host's own name for itself, so that no web page can reach it by DNS
// rebinding, and where there is a token, a machine must show it, and a browser
// the cookie of a login.
type adminGuard struct {
	next     http.Handler
	anyHost  bool
	hasToken bool
	token    [sha256.Size]byte
	strong   bool // the token cannot be found by trying
	logins   *logins
}

func newAdminGuard(next http.Handler, secure bool, now func() time.Time) *adminGuard {
	return &adminGuard{next: next, logins: newLogins(secure, now)}
}

func (a *adminGuard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if !a.anyHost && !loopbackHost(r.Host) {
		http.Error(w, "this listener answers to localhost and loopback addresses only", http.StatusForbidden)
		return
	}
	switch {
	case !a.hasToken:
		a.next.ServeHTTP(w, r)
	case r.URL.Path == "/login":
		a.serveLogin(w, r)
	case r.URL.Path == "/style.css" && r.Method == http.MethodGet: // the form needs it, and it says nothing
		a.next.ServeHTTP(w, r)
	case r.Header.Get("Authorization") != "":
		a.serveBearer(w, r)
	case a.logins.valid(r):
		a.next.ServeHTTP(w, r)
	case r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html"):
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	default:
		needToken(w)
	}
}

func (a *adminGuard) serveBearer(w http.ResponseWriter, r *http.Request) {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !a.mayTry(r, given) {
		tooMany(w)
		return
	}
	if !ok || !a.isToken(given) {
		a.logins.failed(r)
		needToken(w)
		return
	}
	a.next.ServeHTTP(w, r)
}

func needToken(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	http.Error(w, "a bearer token is required: Authorization: Bearer TOKEN", http.StatusUnauthorized)
}

// mayTry tells whether a token is looked at. After too many wrong ones from an
// address none is, unless the token is too long to be found that way: on a
// loopback that is shared with the application, that could keep the health check
// out otherwise.
func (a *adminGuard) mayTry(r *http.Request, given string) bool {
	return a.logins.mayTry(r) || a.strong && a.isToken(given)
}

// isToken takes the same time whatever was given.
func (a *adminGuard) isToken(given string) bool {
	sum := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(sum[:], a.token[:]) == 1
}

// loopbackHost tells whether a Host header names this host as itself: localhost
// or a loopback address, alone or with a port, and nothing that looks like it.
func loopbackHost(host string) bool {
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name = host[:i]
		port := host[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || len(port) > 5 {
			return false
		}
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	inner, bracketed := strings.CutPrefix(name, "[")
	if bracketed {
		if inner, bracketed = strings.CutSuffix(inner, "]"); !bracketed {
			return false
		}
	}
	a, err := netip.ParseAddr(inner)
	return err == nil && a.Zone() == "" && a.Is6() == bracketed && a.Unmap().IsLoopback()
}
