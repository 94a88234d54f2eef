// Attempt: restores the recorded attempt from a record.

package journal

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"sallyport/rules"
)

// The reasons why a record does not hold the whole attempt. The attempt that is
// returned with the error has the recorded part.
var (
	ErrNoAttempt = errors.New("the record is not about an attempt")
	ErrSchema1   = errors.New("schema 1: only the destination is known")
	ErrContent   = errors.New("schema 1: a value that the decision depended on was not recorded")
	ErrFolded    = errors.New("the record counts attempts that differ")
	ErrCut       = errors.New("the record is incomplete: evidence that the decision does not depend on was cut")
	ErrValue     = errors.New("the record has a value that cannot be read")
)

// Attempt returns the recorded attempt with every field except Generation,
// which belongs to the process that decided. If the record counts several attempts,
// the Flow is 0, and so is the port of Client if it differed among them. For an
// EventClose record the Detail of the attempt is empty, because the record's detail
// describes how the flow ended.
//
// The error describes the missing part. After ErrCut only Raw, Detail, Resolved,
// Parent or SourceProven can be missing. The policy does not read these, so it can be
// asked about the attempt again. After ErrSchema1 the content of the flow is
// missing, so the policy can be asked about the destination only. After any
// other error, a value that the decision needs is missing.
func (r *Record) Attempt() (rules.Attempt, error) {
	if r.Event != EventDecision && r.Event != EventClose {
		return rules.Attempt{}, ErrNoAttempt
	}
	if r.Schema < 2 {
		return r.schema1()
	}
	p := parser{}
	a := p.attempt(r)
	if r.Event == EventClose {
		a.Detail = ""
	}
	missing := r.Omitted
	if r.Truncated && len(r.Pinned) > 0 {
		missing |= omitPinned
	}
	if !a.Target().IsZero() {
		missing &^= omitPinned | omitOriginal // used only for flows to an address
	}
	switch {
	case p.err != nil:
		return a, p.err
	case missing&^omitEvidence != 0:
		return a, fmt.Errorf("%w: %s differ or did not fit", ErrFolded, strings.Join(missing.Fields(), ", "))
	case r.Truncated || r.Omitted != 0:
		return a, ErrCut
	}
	return a, nil
}

// A parser reads the values of a record and keeps the first error.
type parser struct{ err error }

func (p *parser) attempt(r *Record) rules.Attempt {
	a := rules.Attempt{
		Flow: r.Flow, Client: netip.AddrPortFrom(p.addr("client", r.Client), r.ClientPort), SourceProven: r.SourceProven,
		Via: known(p, "via", r.Via, rules.ParseVia), Proto: known(p, "proto", r.Proto, rules.ParseProto),
		Shown: known(p, "shown", r.Shown, rules.ParseShown), Fault: known(p, "fault", r.Fault, parseFault),
		ECH: r.ECH, Provisional: r.Provisional, ByAddress: r.ByAddress, HostIgnored: r.HostIgnored, Mismatch: r.Mismatch, QType: known(p, "qtype", r.QType, ParseType),
		SNI: p.name("sni", r.SNI), Original: known(p, "original_dst", r.OriginalDst, parseAddrPort), Detail: rawOctets(r.Detail),
	}
	if a.Fault == rules.DNSBogus {
		a.Fault, a.Unproven = rules.ReasonNone, true
	}
	a.Identity = known(p, "identity", r.Identity, rules.ParseIdentity)
	a.Authority = p.name("authority", r.Authority)
	dest := p.addr("dest", r.Dest)
	if host, err := netip.ParseAddr(r.Host); err == nil {
		dest = host
	} else if !redirected(a.Via, a.ByAddress) {
		a.Authority = p.name("host", r.Host)
	}
	a.Dest = netip.AddrPortFrom(dest, r.Port)
	a.Host, a.HostAddr, a.HostPort = p.httpHost(r.HTTPHost)
	if r.HostRaw != "" {
		a.Raw = []byte(rawOctets(r.HostRaw))
	}
	if r.Parent != "" {
		a.Parent = &rules.Parent{Name: r.Parent}
	}
	for _, text := range r.Resolved {
		a.Resolved = append(a.Resolved, p.addr("resolved", text))
	}
	for _, text := range r.Pinned {
		a.Pinned = append(a.Pinned, p.name("pinned", text))
	}
	return a
}

func (p *parser) fail(field string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s", ErrValue, field)
	}
}

// known parses a value of a closed set.
func known[T any](p *parser, field, text string, parse func(string) (T, bool)) T {
	v, ok := parse(text)
	if !ok {
		p.fail(field)
	}
	return v
}

func (p *parser) addr(field, text string) netip.Addr {
	if text == "" {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		p.fail(field)
	}
	return addr
}

func (p *parser) name(field, text string) rules.Name {
	if text == "" {
		return rules.Name{}
	}
	name, err := rules.ParseName(text)
	if err != nil {
		p.fail(field)
	}
	return name
}

// httpHost is the inverse of httpHostText.
func (p *parser) httpHost(text string) (name rules.Name, addr netip.Addr, port uint16) {
	if text == "" {
		return
	}
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return name, ap.Addr(), ap.Port()
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return name, addr, 0
	}
	host, digits, has := strings.Cut(text, ":")
	if has {
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil {
			p.fail("http_host")
		}
		port = uint16(n)
	}
	return p.name("http_host", host), addr, port
}

func parseFault(text string) (rules.Reason, bool) {
	if text == "" {
		return rules.ReasonNone, true
	}
	r, err := rules.ParseReason(text)
	return r, err == nil
}

func parseAddrPort(text string) (netip.AddrPort, bool) {
	if text == "" {
		return netip.AddrPort{}, true
	}
	ap, err := netip.ParseAddrPort(text)
	return ap, err == nil
}
