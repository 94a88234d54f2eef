// Proof: demands that a validating resolver says that DNSSEC proves an answer.
//
// The filter does not check signatures itself. It asks a resolver that does, and believes
// its bit AD (RFC 4035, section 3.2.3; RFC 6840, section 5.8): the site chose the resolver,
// and no host on the way can set the bit, because the resolver proves who it is or is on
// this host.

package dnsfilter

import (
	"context"
	"errors"
	"fmt"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// DNSSEC is what the filter does with an answer that DNSSEC does not prove.
type DNSSEC uint8

// The ways to treat such an answer.
const (
	DNSSECOff     DNSSEC = iota // it does not ask
	DNSSECLog                   // the Gate records it, and lets it through
	DNSSECRequire               // the Gate denies it
)

// ParseDNSSEC parses "off", "log" or "require".
func ParseDNSSEC(s string) (DNSSEC, error) {
	switch s {
	case "off":
		return DNSSECOff, nil
	case "log":
		return DNSSECLog, nil
	case "require":
		return DNSSECRequire, nil
	}
	return DNSSECRequire, fmt.Errorf(`dns: dnssec is %q, not "off", "log" or "require"`, s)
}

// ErrBogus means that DNSSEC does not prove an answer.
var ErrBogus = errors.New("DNSSEC does not prove the answer")

// A bogusError is an ErrBogus with the reason as its text.
type bogusError string

// Error returns the reason.
func (e bogusError) Error() string { return string(e) }

// Is makes each bogusError an ErrBogus.
func (e bogusError) Is(target error) bool { return target == ErrBogus }

const (
	errUnproven  bogusError = "the zone is not signed, or the resolver does not validate"
	errUnchecked bogusError = "the resolver answers only without its check, so the signatures are wrong"
)

// demand makes the answers of a set subject to DNSSEC.
func (s *upstreamSet) demand(d DNSSEC) {
	s.dnssec = d
	for _, u := range s.servers {
		u.confirms = d != DNSSECOff
	}
}

// checkDNSSEC returns an error if the word of an upstream would prove nothing.
func (c *ResolverConfig) checkDNSSEC() error {
	for _, u := range c.Upstreams {
		if c.DNSSEC != DNSSECOff && !u.Over.Proven() && !u.Addr.Addr().IsLoopback() {
			return fmt.Errorf("dns: upstream %s cannot confirm answers: a host on the way could forge them", u)
		}
	}
	return nil
}

// wants is query.wants, but it never asks for unchecked answers if answers must be proven.
func (r *Resolver) wants(q *query) want {
	w := q.wants()
	w.cd = w.cd && r.root.dnssec == DNSSECOff
	return w
}

// checked marks an answer that the resolver does not confirm. It takes the answer and the
// error of validate. A server failure means that the signatures are wrong if it has an
// extended error about DNSSEC (RFC 8914). Many resolvers send none: then it means that if
// the resolver does answer the same question without its check (RFC 4035, section 3.2.2).
func (f *Filter) checked(ctx context.Context, u *server, name rules.Name, w want, m *dns.Msg, a *answer, err error) (*answer, error) {
	if err == nil && !m.AuthenticatedData {
		a.bogus = errUnproven
	}
	if !errors.Is(err, errRCode) || m.Rcode != dns.RcodeServerFailure {
		return a, err
	}
	if code, text := dnssecError(m); code != 0 {
		return nil, bogusError("the resolver reports " + text)
	}
	unchecked := want{qtype: w.qtype, cd: true}
	if m, failed := f.ask(ctx, u, name.String()+".", unchecked, false); failed == nil {
		if _, failed := validate(m, name, w.qtype); failed == nil {
			return nil, errUnchecked
		}
	}
	return a, err
}

// dnssecError returns the extended error about DNSSEC in a message; 0: there is none.
func dnssecError(m *dns.Msg) (code uint16, text string) {
	o := m.IsEdns0()
	if o == nil {
		return 0, ""
	}
	for _, option := range o.Option {
		e, ok := option.(*dns.EDNS0_EDE)
		if ok && e.InfoCode >= dns.ExtendedErrorCodeDNSBogus && e.InfoCode <= dns.ExtendedErrorCodeNSECMissing {
			return e.InfoCode, dns.ExtendedErrorCodeToString[e.InfoCode]
		}
	}
	return 0, ""
}
