// Admin login: a browser shows the token once and then a cookie.

package main

import (
	"crypto/rand"
	"crypto/sha256"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"sallyport/denials"
	"sallyport/rules"
)

// The bounds of logins.
const (
	sessionLife   = 12 * time.Hour
	sessionsMax   = 64 // the oldest ends when one more begins
	triesMax      = 5  // wrong tokens a minute and address
	triesEvery    = time.Minute
	addressesMax  = 1024 // beyond them, strangers share one count
	loginBodyMax  = 4 << 10
	sessionCookie = "sallyport_session"
)

// logins holds the sessions of browsers and the wrong tries of everybody. Of a
// session it holds a digest only. It is safe for concurrent use.
type logins struct {
	secure bool // TLS
	now    func() time.Time

	mu       sync.Mutex
	sessions map[[sha256.Size]byte]time.Time // when it ends
	tries    map[netip.Addr]tries
}

// tries counts the wrong tokens since a time.
type tries struct {
	since time.Time
	n     int
}

func newLogins(secure bool, now func() time.Time) *logins {
	return &logins{secure: secure, now: now, sessions: map[[sha256.Size]byte]time.Time{}, tries: map[netip.Addr]tries{}}
}

// serveLogin shows the form, and takes it. Only a page of ours may send it.
func (a *adminGuard) serveLogin(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		denials.WriteLogin(w, http.StatusOK, "")
		return
	case http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if !a.logins.sameOrigin(r) {
		denials.WriteLogin(w, http.StatusForbidden, "The form did not come from this page.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, loginBodyMax)
	if err := r.ParseForm(); err != nil {
		denials.WriteLogin(w, http.StatusBadRequest, "The form could not be read.")
		return
	}
	if !a.mayTry(r, r.PostForm.Get("token")) {
		w.Header().Set("Retry-After", "60")
		denials.WriteLogin(w, http.StatusTooManyRequests, "Too many wrong tokens: wait a minute.")
		return
	}
	if !a.isToken(r.PostForm.Get("token")) {
		a.logins.failed(r)
		denials.WriteLogin(w, http.StatusUnauthorized, "That is not the token.")
		return
	}
	http.SetCookie(w, a.logins.begin())
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func tooMany(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "60")
	http.Error(w, "too many wrong tokens: wait a minute", http.StatusTooManyRequests)
}

// sameOrigin tells whether a form came from this very origin. Browsers always
// say so with a form; who does not is no browser and needs no form.
func (l *logins) sameOrigin(r *http.Request) bool {
	scheme := "http"
	if l.secure {
		scheme = "https"
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return r.Header.Get("Origin") == scheme+"://"+r.Host && (site == "" || site == "same-origin")
}

// cookieName has a prefix that keeps other hosts and plain HTTP from setting it.
func (l *logins) cookieName() string {
	if l.secure {
		return "__Host-" + sessionCookie
	}
	return sessionCookie
}

// begin makes a session.
func (l *logins) begin() *http.Cookie {
	id := rand.Text()
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.sessions) >= sessionsMax {
		l.endOldest()
	}
	l.sessions[sha256.Sum256([]byte(id))] = now.Add(sessionLife)
	return &http.Cookie{Name: l.cookieName(), Value: id, Path: "/", MaxAge: int(sessionLife / time.Second),
		HttpOnly: true, Secure: l.secure, SameSite: http.SameSiteStrictMode}
}

func (l *logins) endOldest() {
	var oldest [sha256.Size]byte
	var at time.Time
	for id, end := range l.sessions {
		if at.IsZero() || end.Before(at) {
			oldest, at = id, end
		}
	}
	delete(l.sessions, oldest)
}

// valid tells whether a request has the cookie of a session.
func (l *logins) valid(r *http.Request) bool {
	c, err := r.Cookie(l.cookieName())
	if err != nil {
		return false
	}
	id := sha256.Sum256([]byte(c.Value)) // a look-up by digest tells nothing by its time
	l.mu.Lock()
	defer l.mu.Unlock()
	end, ok := l.sessions[id]
	if ok && !l.now().Before(end) {
		delete(l.sessions, id)
		return false
	}
	return ok
}

// mayTry tells whether another token may be tried from there.
func (l *logins) mayTry(r *http.Request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tries[l.from(r)]
	return t.n < triesMax || l.now().Sub(t.since) >= triesEvery
}

// failed counts a wrong token.
func (l *logins) failed(r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, now := l.from(r), l.now()
	t := l.tries[from]
	if t.n == 0 || now.Sub(t.since) >= triesEvery {
		t = tries{since: now}
	}
	t.n++
	l.tries[from] = t
}

// from tells who is asking: an address, or what stands for all that a host may
// use. When too many have failed, those that have not share the zero value. l.mu
// is held.
func (l *logins) from(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a unix socket
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	a = rules.SourceOf(a.Unmap())
	if _, known := l.tries[a]; known || len(l.tries) < addressesMax {
		return a
	}
	for k, t := range l.tries {
		if l.now().Sub(t.since) >= triesEvery {
			delete(l.tries, k)
		}
	}
	if len(l.tries) < addressesMax {
		return a
	}
	return netip.Addr{}
}
