// Login: what a client proves by a password, in HTTP (RFC 7617) and SOCKS5 (RFC 1929).

package proxy

import (
	"slices"

	"github.com/things-go/go-socks5/statute"

	"sallyport/proxy/head"
	"sallyport/proxy/proof"
	"sallyport/rules"
)

// Details of a login that failed. They are the same for a wrong password and for an unknown user,
// because the client reads them.
const (
	wrongLogin  = "the user or the password is wrong"
	pausedLogin = "too many wrong passwords came from this address: logins are refused for up to a minute"
	busyLogin   = "too many passwords are being checked at once"
	noLogin     = "the client offers no password (SOCKS5 method 2)"
)

// basic adds to the question who has logged in by a Proxy-Authorization field. If no client of the
// configuration at this address has users, the field means nothing.
func (p *Proxy) basic(c *client, a *rules.Attempt, h *head.Head) {
	if h.Authorizations == 0 || a.Fault != rules.ReasonNone || !p.cfg.Gate.Preview(*a).TakesLogin() {
		return
	}
	if h.Authorizations > 1 {
		a.Fault, a.Detail = rules.MalformedRequest, "two Proxy-Authorization fields"
		return
	}
	user, password, fault := proof.ParseBasic(h.Authorization)
	if fault != "" {
		a.Fault, a.Detail = rules.Unauthenticated, fault
		return
	}
	p.login(c, a, user, password)
}

// login checks a password, and adds the user or the fault to the question.
func (p *Proxy) login(c *client, a *rules.Attempt, user, password string) {
	book := proof.Of(a.Generation)
	switch p.logins.Prove(p.base, book, c.addr.Addr(), user, password) {
	case proof.Proven:
		p.clients.proven(c)
		with := rules.Identity{User: user}
		if a.Identity != nil {
			with.Certificate = a.Identity.Certificate
		}
		a.Identity = &with
	case proof.Paused:
		a.Fault, a.Detail = rules.Limit, pausedLogin
	case proof.Busy:
		a.Fault, a.Detail = rules.Limit, busyLogin
	default:
		a.Fault, a.Detail = rules.Unauthenticated, wrongLogin
		if _, known := book.Passwords[user]; known { // anything else may be a password in the wrong place
			p.log.Warn("wrong password", "user", user, "client", c.addr.String(), "via", a.Via.String())
		}
	}
}

// Logins returns how many passwords were right or wrong, or not checked.
func (p *Proxy) Logins() (wrong, proven, paused, busy, cached uint64) { return p.logins.Counts() }

// PausedSources returns how many sources may not log in now, after too many wrong passwords.
func (p *Proxy) PausedSources() int { return p.logins.PausedSources() }

// The version of a login in SOCKS5, and the replies to it (RFC 1929, section 2).
const (
	loginVersion = 1
	loginRight   = 0
	loginWrong   = 1
)

// negotiate chooses the method of a complete greeting, and lets the client log in if its address
// has users. The library then sees a client that offers no authentication.
func (s *socksConn) negotiate(methods []byte) *socksFault {
	a := s.p.attempt(s.c, rules.ViaSOCKS5)
	d := s.p.cfg.Gate.Preview(a)
	if d.TakesLogin() && slices.Contains(methods, statute.MethodUserPassAuth) {
		return s.logIn(&a)
	}
	noMethod := []byte{statute.VersionSocks5, statute.MethodNoAcceptable}
	switch {
	case !slices.Contains(methods, statute.MethodNoAuth):
		return &socksFault{reason: rules.MalformedRequest, detail: "no acceptable SOCKS5 method: only \"no authentication\" is accepted", reply: noMethod}
	case d.AsksLogin():
		return &socksFault{reason: rules.Unauthenticated, detail: noLogin, reply: noMethod}
	}
	return nil
}

// logIn asks for a user and a password, and checks them.
func (s *socksConn) logIn(a *rules.Attempt) *socksFault {
	s.c.TCP.Write([]byte{statute.VersionSocks5, statute.MethodUserPassAuth})
	for {
		user, password, n, f := parseLogin(s.c.Bytes)
		if f != nil {
			return f
		}
		if n > 0 {
			s.c.Discard(n)
			if fault := proof.CheckLogin(user, password); fault != "" {
				a.Fault, a.Detail = rules.Unauthenticated, fault
			} else {
				s.p.login(s.c, a, user, password)
			}
			if a.Fault != rules.ReasonNone {
				return &socksFault{reason: a.Fault, detail: a.Detail, reply: []byte{loginVersion, loginWrong}}
			}
			s.identity, s.chosen = a.Identity, true
			s.c.TCP.Write([]byte{loginVersion, loginRight})
			return nil
		}
		if err := s.c.Fill(maxLogin); err != nil {
			s.unfinished(err)
			return s.fault
		}
	}
}

// maxLogin is the length of the longest login.
const maxLogin = 3 + 255 + 255

// parseLogin reads a login. n is 0 if more bytes are needed.
func parseLogin(b []byte) (user, password string, n int, f *socksFault) {
	if len(b) > 0 && b[0] != loginVersion {
		return "", "", 0, &socksFault{reason: rules.MalformedRequest, detail: "SOCKS5 login of another version than 1"}
	}
	if len(b) < 2 {
		return "", "", 0, nil
	}
	at := 2 + int(b[1])
	if len(b) <= at || len(b) < at+1+int(b[at]) {
		return "", "", 0, nil
	}
	n = at + 1 + int(b[at])
	return string(b[2:at]), string(b[at+1 : n]), n, nil
}
