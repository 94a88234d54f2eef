// Lookup: the resolver of the proxy's dialer, with the same cache and
// upstreams.

package dnsfilter

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// The errors of a look-up without an address.
var (
	ErrNoSuchName = errors.New("no such name")
	ErrNoAddress  = errors.New("name has no address")
	ErrUpstream   = errors.New("no upstream gave a usable answer")
)

// An UpstreamError is ErrUpstream with its cause. It has no Timeout method,
// because the look-up itself ended in time.
type UpstreamError struct {
	Cause  error // the error of the last upstream
	Silent bool  // the upstream did not answer in time
}

// Error returns the text of ErrUpstream and of the cause.
func (e *UpstreamError) Error() string { return ErrUpstream.Error() + ": " + e.Cause.Error() }

// Unwrap returns ErrUpstream.
func (e *UpstreamError) Unwrap() error { return ErrUpstream }

// grace is how long a look-up with IPv4 addresses waits for IPv6 addresses,
// because some name servers never answer AAAA questions. A look-up always waits
// for the IPv4 addresses, because most hosts have no IPv6 addresses.
const grace = 500 * time.Millisecond

// Lookup returns the addresses of a name, IPv6 first, unmapped. They come from
// the Hosts, the cache or an upstream of the generation g. A nil g means the
// generation in force. Lookup decides nothing: g must have permitted the name,
// and the caller checks each address with its Decision. The error is
// ErrNoSuchName, ErrNoAddress, ErrUpstream, or the context's. If the resolver demands
// DNSSEC, an answer that is not proven is an ErrUpstream whose Cause is ErrBogus.
func (f *Filter) Lookup(ctx context.Context, g *rules.Generation, name rules.Name) ([]netip.Addr, error) {
	if name.IsZero() {
		return nil, ErrNoSuchName
	}
	if g == nil {
		g = f.cfg.Generation()
	}
	r, now := f.resolverOf(g), f.clock()
	var room [keySize]byte
	wire := appendWireName(room[:0], name)
	var key6, key4 [keySize]byte
	k6, k4 := appendKey(key6[:0], wire, dns.TypeAAAA), appendKey(key4[:0], wire, dns.TypeA)
	six, four := r.find(k6, want{}, now), r.find(k4, want{}, now)
	if six != nil && four != nil {
		return addresses(six, four)
	}
	var wait6, wait4 *inflight
	if six == nil {
		if wait6 = f.join(r, string(k6), name, want{qtype: dns.TypeAAAA}); wait6 == nil {
			six = f.failure(name)
		}
	}
	if four == nil {
		if wait4 = f.join(r, string(k4), name, want{qtype: dns.TypeA}); wait4 == nil {
			four = f.failure(name)
		}
	}
	if err := waitBoth(ctx, wait6, &six, wait4, &four); err != nil {
		return nil, err
	}
	return addresses(six, four)
}

// Unproven returns why DNSSEC does not prove the addresses that Lookup returned just now,
// if the resolver of the generation only records such answers; "": it does prove them, or
// the site does not ask.
func (f *Filter) Unproven(g *rules.Generation, name rules.Name) string {
	if g == nil {
		g = f.cfg.Generation()
	}
	r := f.resolverOf(g)
	if r.root.dnssec != DNSSECLog {
		return ""
	}
	var room, key [keySize]byte
	wire := appendWireName(room[:0], name)
	for _, qtype := range [...]uint16{dns.TypeAAAA, dns.TypeA} {
		e := r.find(appendKey(key[:0], wire, qtype), want{}, f.clock())
		if e != nil && e.bogus && len(e.addrs) > 0 {
			return e.cause.Error()
		}
	}
	return ""
}

// waitBoth waits for both exchanges. Once there is an IPv4 address, it waits
// for IPv6 no longer than grace.
func waitBoth(ctx context.Context, wait6 *inflight, six **entry, wait4 *inflight, four **entry) error {
	var late <-chan time.Time
	for *six == nil || *four == nil {
		if late == nil && *four != nil && len((*four).addrs) > 0 {
			timer := time.NewTimer(grace)
			defer timer.Stop()
			late = timer.C
		}
		var done6, done4 <-chan struct{}
		if *six == nil {
			done6 = wait6.done
		}
		if *four == nil {
			done4 = wait4.done
		}
		select {
		case <-done6:
			*six = wait6.entry
		case <-done4:
			*four = wait4.entry
		case <-late:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// addresses joins the addresses of two answers. One answer may be missing.
func addresses(six, four *entry) ([]netip.Addr, error) {
	var n, gone, failed int
	var cause error
	for _, e := range [...]*entry{six, four} {
		if e == nil || e.failed {
			failed++
			if e != nil && e.cause != nil && !errors.Is(cause, ErrBogus) {
				cause = e.cause
			}
			continue
		}
		n += len(e.addrs)
		if e.rcode == dns.RcodeNameError {
			gone++
		}
	}
	switch {
	case n > 0:
		addrs := make([]netip.Addr, 0, n)
		for _, e := range [...]*entry{six, four} {
			if e != nil {
				addrs = append(addrs, e.addrs...)
			}
		}
		return addrs, nil
	case gone > 0: // NXDOMAIN in one answer is enough: it is about the name, not the type
		return nil, ErrNoSuchName
	case failed > 0 && cause != nil:
		return nil, &UpstreamError{Cause: cause, Silent: silent(cause)}
	case failed > 0:
		return nil, ErrUpstream
	}
	return nil, ErrNoAddress
}

// silent reports whether an exchange failed because no upstream answered.
func silent(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, errTimeout) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}
