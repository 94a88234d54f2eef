// Logins: checks passwords, at a bounded cost. A hash is slow by design, so few are computed at
// once, a source that fails must wait, and a password that was right is remembered for a while.

package proof

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"sallyport/rules"
)

// Bounds of Logins.
const (
	remembered  = 5 * time.Minute // how long a password that was right is not checked again
	maxKnown    = 4096            // passwords that are remembered
	failures    = 10              // wrong passwords from one source within window
	window      = time.Minute
	maxSources  = 16384 // sources whose failures are remembered
	defaultCost = 10
)

// A Result is the answer to a login.
type Result uint8

// The results. The zero value refuses.
const (
	Wrong  Result = iota
	Proven        // the password is the user's
	Paused        // too many wrong passwords came from this source
	Busy          // too many passwords are being checked
)

// Logins checks passwords for all clients. New makes one.
type Logins struct {
	now   func() time.Time
	key   [32]byte // of the keyed hash of what is remembered: a memory dump has no password
	queue queue    // of the checks

	checks [4]atomic.Uint64 // by Result
	cached atomic.Uint64

	mu      sync.Mutex
	known   map[[32]byte]time.Time      // until when a password is remembered
	running map[[32]byte]*check         // equal logins are checked once
	failed  map[netip.Addr]failureCount // by rules.SourceOf
	dummies map[int][]byte              // by cost: hashes that no password has
}

type check struct {
	done   chan struct{}
	source netip.Addr
	result Result
}

type failureCount struct {
	n     int
	until time.Time
}

// New returns a Logins without memory.
func New(now func() time.Time) *Logins {
	l := &Logins{now: now, queue: queue{places: max(1, runtime.GOMAXPROCS(0)/2)},
		known: map[[32]byte]time.Time{}, running: map[[32]byte]*check{}, failed: map[netip.Addr]failureCount{}, dummies: map[int][]byte{}}
	rand.Read(l.key[:])
	return l
}

// Counts returns how many logins had each Result, and how many of the proven ones were remembered.
func (l *Logins) Counts() (wrong, proven, paused, busy, cached uint64) {
	return l.checks[Wrong].Load(), l.checks[Proven].Load(), l.checks[Paused].Load(), l.checks[Busy].Load(), l.cached.Load()
}

// Prove reports whether a password is the user's in this book. An unknown user costs as much time
// as a wrong password. from is the client's address.
func (l *Logins) Prove(ctx context.Context, b *Book, from netip.Addr, user, password string) Result {
	r := l.check(ctx, b, rules.SourceOf(from), user, password)
	l.checks[r].Add(1)
	return r
}

func (l *Logins) check(ctx context.Context, b *Book, source netip.Addr, user, password string) Result {
	hash, exists := b.Passwords[user]
	key := l.keyOf(user, password, hash)
	for began := l.now(); ; {
		l.mu.Lock()
		if until, ok := l.known[key]; ok && l.now().Before(until) {
			l.mu.Unlock()
			l.cached.Add(1)
			return Proven
		}
		same := l.running[key]
		if same == nil && l.charge(source) {
			break // with the lock
		}
		wait := same
		if same == nil {
			wait = l.underWay(source)
		}
		l.mu.Unlock()
		if wait == nil {
			return Paused
		}
		select {
		case <-wait.done:
		case <-ctx.Done():
			return Busy
		}
		if same != nil {
			return same.result
		}
		if l.now().Sub(began) > waitAtMost {
			return Busy
		}
	}
	c := &check{done: make(chan struct{}), source: source, result: Busy}
	l.running[key] = c
	failed := l.failed[source].n // with the checks under way, this one too
	l.mu.Unlock()
	defer l.finish(c, key, source)
	if !l.queue.enter(ctx, failed) {
		return c.result
	}
	defer l.queue.leave()
	c.result = compare(l.hashFor(b, hash, exists), password, exists)
	return c.result
}

// finish hands the result to equal logins, and remembers it.
func (l *Logins) finish(c *check, key [32]byte, source netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, key)
	if c.result != Wrong {
		l.refund(source)
	}
	if c.result == Proven {
		l.remember(key)
	}
	close(c.done)
}

// compare compares a password with a hash.
func compare(hash []byte, password string, exists bool) Result {
	if err := bcrypt.CompareHashAndPassword(hash, []byte(password)); err != nil || !exists {
		return Wrong
	}
	return Proven
}

// keyOf returns what stands for one login in memory. It includes the hash, so a changed password is
// checked again.
func (l *Logins) keyOf(user, password string, hash rules.Hash) (key [32]byte) {
	m := hmac.New(sha256.New, l.key[:])
	for _, part := range []string{user, password, string(hash)} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		m.Write(n[:])
		m.Write([]byte(part))
	}
	m.Sum(key[:0])
	return key
}

// charge counts one failure in advance. It returns false if the source has failed too often.
func (l *Logins) charge(source netip.Addr) bool {
	now := l.now()
	f := l.failed[source]
	if !now.Before(f.until) {
		f = failureCount{until: now.Add(window)}
	}
	if f.n >= failures {
		return false
	}
	f.n++
	if _, there := l.failed[source]; !there && len(l.failed) >= maxSources {
		l.forget(now)
	}
	l.failed[source] = f
	return true
}

// underWay returns a check of the source that has no result yet, or nil. While there is one, the
// source may have failed less often than charge has counted.
func (l *Logins) underWay(source netip.Addr) *check {
	for _, c := range l.running {
		if c.source == source {
			return c
		}
	}
	return nil
}

// refund undoes charge.
func (l *Logins) refund(source netip.Addr) {
	if f, ok := l.failed[source]; ok && f.n > 1 {
		f.n--
		l.failed[source] = f
	} else if ok {
		delete(l.failed, source)
	}
}

// forget makes room among the sources: it removes those whose time is over, and else a quarter of
// them, so that it is seldom called.
func (l *Logins) forget(now time.Time) {
	for source, f := range l.failed {
		if !now.Before(f.until) {
			delete(l.failed, source)
		}
	}
	for source := range l.failed {
		if len(l.failed) <= maxSources/4*3 {
			return
		}
		delete(l.failed, source)
	}
}

// remember keeps a login.
func (l *Logins) remember(key [32]byte) {
	now := l.now()
	for k, until := range l.known {
		if len(l.known) < maxKnown && now.Before(until) {
			break
		}
		delete(l.known, k)
	}
	l.known[key] = now.Add(remembered)
}

// hashFor returns the hash to compare with: for an unknown user one of the same cost as the others.
func (l *Logins) hashFor(b *Book, hash rules.Hash, exists bool) []byte {
	if exists {
		return []byte(hash)
	}
	cost := defaultCost
	for _, other := range b.Passwords {
		if c, err := bcrypt.Cost([]byte(other)); err == nil {
			cost = c
			break
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dummies[cost] == nil {
		l.dummies[cost] = dummy(cost)
	}
	return l.dummies[cost]
}

// dummy returns a hash of random text, without computing it: any 31 octets in bcrypt's base64 do.
func dummy(cost int) []byte {
	const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := []byte{'$', '2', 'a', '$', byte('0' + cost/10), byte('0' + cost%10), '$'}
	random := make([]byte, 53)
	rand.Read(random)
	for _, r := range random {
		b = append(b, alphabet[r%64])
	}
	return b
}
