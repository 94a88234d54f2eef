// Login: a browser sends the token once and then a cookie.

package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"sallyport/denials/page"
	"sallyport/rules"
)

// The limits of logins.
const (
	sessionLife   = 12 * time.Hour
	sessionsMax   = 64 // a new session ends the oldest
	triesMax      = 5  // wrong tokens per minute and address
	triesEvery    = time.Minute
	addressesMax  = 1024 // further addresses share one count
	loginBodyMax  = 4 << 10
	sessionCookie = "sallyport_session"
)

// logins holds the sessions of browsers, each as a digest, and the wrong tokens by
// address. It is safe for concurrent use.
type logins struct {
	secure bool // the listener uses TLS
	now    func() time.Time

	mu       sync.Mutex
	sessions map[[sha256.Size]byte]time.Time // when each session ends
	tries    map[netip.Addr]tries
}

// tries counts wrong tokens since a time.
type tries struct {
	since time.Time
	n     int
}

func newLogins(secure bool, now func() time.Time) *logins {
	return &logins{secure: secure, now: now, sessions: map[[sha256.Size]byte]time.Time{}, tries: map[netip.Addr]tries{}}
}

// serveLogin shows the login form and accepts it. Only a page of this origin may send it.
func (a *guard) serveLogin(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		page.WriteLogin(w, http.StatusOK, "")
		return
	case http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if !a.logins.sameOrigin(r) {
		page.WriteLogin(w, http.StatusForbidden, "The form did not come from this page.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, loginBodyMax)
	if err := r.ParseForm(); err != nil {
		page.WriteLogin(w, http.StatusBadRequest, "The form could not be read.")
		return
	}
	if !a.mayTry(r, r.PostForm.Get("token")) {
		w.Header().Set("Retry-After", "60")
		page.WriteLogin(w, http.StatusTooManyRequests, "Too many wrong tokens: wait a minute.")
		return
	}
	if !a.isToken(r.PostForm.Get("token")) {
		a.logins.failed(r)
		page.WriteLogin(w, http.StatusUnauthorized, "That is not the token.")
		return
	}
	http.SetCookie(w, a.logins.begin())
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func tooMany(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "60")
	http.Error(w, "too many wrong tokens: wait a minute", http.StatusTooManyRequests)
}

// sameOrigin reports whether a form came from a page of this origin. Browsers
// always send the origin with a form. A client that sends no origin is not a
// browser and needs no form.
func (l *logins) sameOrigin(r *http.Request) bool {
	scheme := "http"
	if l.secure {
		scheme = "https"
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return r.Header.Get("Origin") == scheme+"://"+r.Host && (site == "" || site == "same-origin")
}

// cookieName returns the cookie's name. With TLS its prefix keeps other hosts and plain HTTP
// from setting it.
func (l *logins) cookieName() string {
	if l.secure {
		return "__Host-" + sessionCookie
	}
	return sessionCookie
}

// begin starts a session and returns its cookie.
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

// valid reports whether a request has the cookie of a session.
func (l *logins) valid(r *http.Request) bool {
	c, err := r.Cookie(l.cookieName())
	if err != nil {
		return false
	}
	id := sha256.Sum256([]byte(c.Value)) // the time of a look-up by digest reveals nothing
	l.mu.Lock()
	defer l.mu.Unlock()
	end, ok := l.sessions[id]
	if ok && !l.now().Before(end) {
		delete(l.sessions, id)
		return false
	}
	return ok
}

// mayTry reports whether the address of a request may try another token.
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

// from returns the key for counting the wrong tokens of a request: its address, or
// a prefix for all addresses that one host may use. If too many addresses have
// wrong tokens, all others share the zero value. The caller holds l.mu.
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
