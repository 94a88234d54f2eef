// Upstream: the text of one DNS resolver.

package rules

import (
	"net/netip"
	"strconv"
	"strings"
)

// ParseUpstream parses "udp://address[:port]" or "tcp://address[:port]". The default
// port is 53.
func ParseUpstream(s string) (Proto, netip.AddrPort, error) {
	proto, rest := UDP, ""
	switch scheme, r, _ := strings.Cut(s, "://"); scheme {
	case "udp":
		rest = r
	case "tcp":
		proto, rest = TCP, r
	}
	if a, err := netip.ParseAddrPort(rest); err == nil && a.Port() != 0 {
		return proto, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
	}
	if a, err := netip.ParseAddr(strings.Trim(rest, "[]")); err == nil {
		return proto, netip.AddrPortFrom(a.Unmap(), 53), nil
	}
	return ProtoUnknown, netip.AddrPort{}, &upstreamError{s}
}

type upstreamError struct{ text string }

// Error names the accepted forms, and the form that was probably meant.
func (e *upstreamError) Error() string {
	text := strconv.Quote(e.text) + ` is not "system", "udp://address[:port]" or "tcp://address[:port]"`
	if guess := "udp://" + e.text; !strings.Contains(e.text, "://") {
		if _, _, err := ParseUpstream(guess); err == nil {
			text += ": did you mean " + strconv.Quote(guess) + "?"
		}
	}
	return text
}
