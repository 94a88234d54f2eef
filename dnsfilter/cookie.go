// Cookie: interoperable DNS cookies (RFC 7873 and RFC 9018). A client that
// returns a server cookie has received the cookie at its address.

package dnsfilter

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/dchest/siphash"
)

// The COOKIE option (RFC 7873, section 4).
const (
	clientCookieSize = 8
	minFullCookie    = 16 // client and server cookie together
	maxFullCookie    = 40
)

// Our server cookie (RFC 9018, section 4): version, three reserved octets, the
// time, a hash.
const (
	serverCookieSize = 16
	cookieVersion    = 1
	cookieHashAt     = 8
	cookieOptionSize = 4 + clientCookieSize + serverCookieSize

	// RFC 9018, section 4.3.
	cookieLife   = time.Hour
	cookieFuture = 5 * time.Minute
	cookieFresh  = 30 * time.Minute // an older cookie is replaced
	// secretLife is how long a secret is used to make cookies: one day. RFC
	// 7873, section 7.1, permits 36 days. For one more day, the secret is used
	// to check those cookies.
	secretLife = 24 * time.Hour
)

type serverCookie [serverCookieSize]byte

// validCookieSize reports whether a COOKIE option may have n bytes. Any other
// length is a FORMERR (RFC 7873, section 5.2.2).
func validCookieSize(n int) bool {
	return n == clientCookieSize || n >= minFullCookie && n <= maxFullCookie
}

// cookies makes and checks server cookies. Its secrets are random and never
// leave the process.
type cookies struct{ secrets atomic.Pointer[cookieSecrets] }

type cookieSecrets struct {
	now, before cookieSecret
	made        time.Time
}

// cookieSecret is a key of SipHash-2-4.
type cookieSecret struct{ k0, k1 uint64 }

func newCookies(now time.Time) *cookies {
	c := &cookies{}
	c.secrets.Store(&cookieSecrets{now: newCookieSecret(), before: newCookieSecret(), made: now})
	return c
}

func newCookieSecret() cookieSecret {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return secretOf(b)
}

func secretOf(b [16]byte) cookieSecret {
	return cookieSecret{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])}
}

// current returns the secrets in use at now. It makes a new secret if the
// current one is too old.
func (c *cookies) current(now time.Time) *cookieSecrets {
	s := c.secrets.Load()
	if age := now.Sub(s.made); age >= 0 && age < secretLife {
		return s
	}
	c.secrets.CompareAndSwap(s, &cookieSecrets{now: newCookieSecret(), before: s.now, made: now})
	return c.secrets.Load()
}

// check reports whether the option of a client at from has a valid server
// cookie for that address. It also returns the cookie for the reply: the same
// cookie while it is fresh. The option must have a valid length.
func (c *cookies) check(option []byte, from netip.Addr, now time.Time) (send serverCookie, proven bool) {
	s := c.current(now)
	client := option[:clientCookieSize]
	if len(option) == clientCookieSize+serverCookieSize && option[clientCookieSize] == cookieVersion {
		got := serverCookie(option[clientCookieSize:])
		age := got.age(now)
		inTime := age <= cookieLife && age >= -cookieFuture
		byNow := inTime && got.hash() == s.now.hash(client, &got, from)
		proven = byNow || inTime && got.hash() == s.before.hash(client, &got, from)
		if byNow && age <= cookieFresh {
			return got, true
		}
	}
	return s.now.cookie(client, from, now), proven
}

// cookie makes a server cookie.
func (s cookieSecret) cookie(client []byte, from netip.Addr, now time.Time) (c serverCookie) {
	c[0] = cookieVersion
	binary.BigEndian.PutUint32(c[4:], uint32(now.Unix()))
	binary.LittleEndian.PutUint64(c[cookieHashAt:], s.hash(client, &c, from))
	return c
}

// hash returns SipHash-2-4 of the client cookie, the first part of the server
// cookie, and the client's address (RFC 9018, section 4.4).
func (s cookieSecret) hash(client []byte, c *serverCookie, from netip.Addr) uint64 {
	var in [clientCookieSize + cookieHashAt + 16]byte
	n := copy(in[:], client)
	n += copy(in[n:], c[:cookieHashAt])
	if from.Is4() {
		a := from.As4()
		n += copy(in[n:], a[:])
	} else {
		a := from.As16()
		n += copy(in[n:], a[:])
	}
	return siphash.Hash(s.k0, s.k1, in[:n])
}

func (c *serverCookie) hash() uint64 { return binary.LittleEndian.Uint64(c[cookieHashAt:]) }

// age returns the time since the cookie was made, in the serial arithmetic of
// RFC 1982.
func (c *serverCookie) age(now time.Time) time.Duration {
	return time.Duration(int32(uint32(now.Unix())-binary.BigEndian.Uint32(c[4:]))) * time.Second
}
