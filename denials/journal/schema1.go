// Schema 1: the attempts of journals that were written before schema 2.

package journal

import (
	"net/netip"
	"strings"

	"sallyport/rules"
)

// schema1 returns what a record of schema 1 says of its attempt: who wanted
// which destination. What the flow showed was not recorded, so the attempt is
// Provisional, and the error is ErrSchema1. Where only what the flow showed
// decided it is ErrContent, and without a destination ErrFolded.
func (r *Record) schema1() (rules.Attempt, error) {
	reason, _ := rules.ParseReason(r.Reason)
	p := parser{}
	a := rules.Attempt{
		Flow: r.Flow, Client: rules.ClientAddr(netip.AddrPortFrom(p.addr("client", r.Client), 0)), Provisional: true,
		Via: known(&p, "via", r.Via, rules.ParseVia), Proto: known(&p, "proto", r.Proto, rules.ParseProto),
		Original: known(&p, "original_dst", r.OriginalDst, parseAddrPort), Dest: netip.AddrPortFrom(netip.Addr{}, r.Port),
	}
	if a.Via == rules.ViaDNS {
		a.QType = schema1Type(r.Detail, reason)
	}
	host, err := rules.ParseHost(r.Host)
	switch {
	case err == nil:
		a.Authority, a.Dest = host.Name, netip.AddrPortFrom(host.Addr, r.Port)
		a.ByAddress = a.Via == rules.ViaTransparent && host.Addr.IsValid()
	case reason != rules.MalformedRequest && reason != rules.MalformedName && r.HostRaw == "":
		return a, ErrFolded
	}
	switch reason {
	case rules.MalformedRequest, rules.MalformedName, rules.NotTLS, rules.NotHTTP, rules.SniffTimeout, rules.SniffTooLong, rules.QUIC,
		rules.Limit, rules.JournalUnavailable, rules.Draining:
		a.Fault = reason // it is never denied for these without a fault
	case rules.SNIMissing, rules.ECHPresent, rules.SNIMismatch, rules.HostMismatch, rules.DestinationMismatch:
		return a, ErrContent
	case rules.PrivateAddress:
		if len(r.Resolved) == 0 {
			return a, ErrContent
		}
		a.Dest = netip.AddrPortFrom(p.addr("resolved", r.Resolved[0]), r.Port)
	}
	if p.err != nil {
		return a, p.err
	}
	return a, ErrSchema1
}

// schema1Type returns the type of a DNS question, which the detail began with:
// "type TXT". A folded record may lack it; its reason tells whether the type is
// one that is looked up, like A, or one that is not, like ANY.
func schema1Type(detail string, reason rules.Reason) uint16 {
	text, _, _ := strings.Cut(detail, ";")
	if n, ok := ParseType(strings.TrimPrefix(text, "type ")); ok && text != "" {
		return n
	}
	if reason == rules.TypeNotAllowed {
		return 255
	}
	return 1
}
