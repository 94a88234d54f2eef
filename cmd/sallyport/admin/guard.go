// Guard: decides which requests the admin listener answers, by Host and token.

package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A guard checks every admin request. The Host must be localhost or a loopback
// address, so that no web page can reach the listener by DNS rebinding. If there is
// a token, a program must send the token, and a browser must send the cookie of a
// login.
type guard struct {
	next     http.Handler
	anyHost  bool
	hasToken bool
	token    [sha256.Size]byte
	strong   bool // the token is too long to be guessed
	logins   *logins
}

func newGuard(next http.Handler, secure bool, now func() time.Time) *guard {
	return &guard{next: next, logins: newLogins(secure, now)}
}

// ServeHTTP passes a request on, or answers it with an error or the login form.
func (a *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	case r.URL.Path == "/style.css" && r.Method == http.MethodGet: // the login form needs it, and it is not secret
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

func (a *guard) serveBearer(w http.ResponseWriter, r *http.Request) {
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

// mayTry reports whether to check a token. After too many wrong tokens from an
// address it returns false, unless the right token is too long to be guessed.
// Otherwise an application that shares the loopback address could block the health
// check.
func (a *guard) mayTry(r *http.Request, given string) bool {
	return a.logins.mayTry(r) || a.strong && a.isToken(given)
}

// isToken compares in constant time.
func (a *guard) isToken(given string) bool {
	sum := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(sum[:], a.token[:]) == 1
}

// loopbackHost reports whether a Host header field is exactly localhost or a loopback
// address, with or without a port.
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
	literal, bracketed := strings.CutPrefix(name, "[")
	if bracketed {
		if literal, bracketed = strings.CutSuffix(literal, "]"); !bracketed {
			return false
		}
	}
	a, err := netip.ParseAddr(literal)
	return err == nil && a.Zone() == "" && a.Is6() == bracketed && a.Unmap().IsLoopback()
}
