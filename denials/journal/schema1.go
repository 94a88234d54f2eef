// Schema 1: the attempts of journals that were written before schema 2.

package journal

import (
	"net/netip"
	"strings"

	"sallyport/rules"
)

// schema1 returns the attempt from a record of schema 1: the client and the
// destination. The content of the flow was not recorded, so the attempt is
// Provisional, and the error is ErrSchema1. The error is ErrContent if only the
// content caused the denial, and ErrFolded if there is no destination.
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
		a.Fault = reason // without a fault, the policy never denies for these reasons
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

// schema1Type returns the type of a DNS question from the start of the detail:
// "type TXT". A folded record may lack it. Its reason then shows whether the
// type is looked up, like A, or is not, like ANY.
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
