// Addresses of a configuration: listeners, prefixes and upstream resolvers, and
// what is wrong with them.

package rules

import (
	"bytes"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// checkTwice reports an address that two listeners would need, also where one of
// them is on every address. Port 0 is another one each time. Within one key an
// address beside the wildcard is served by that.
func (c *Config) checkTwice(t *table) {
	l := c.Listen
	admin, _ := netip.ParseAddrPort(l.Admin)
	taken := map[netip.AddrPort]string{}
	keys := []struct {
		name  string
		addrs []netip.AddrPort
	}{{"http", l.HTTP}, {"socks5", l.SOCKS5}, {"dns", l.DNS}, {"transparent", l.Transparent}, {"admin", []netip.AddrPort{admin}}}
	for _, key := range keys {
		for _, a := range key.addrs {
			if other := taken[a]; other != "" {
				t.doc.add(t.lineOf(key.name, a.String()), "%s: %v belongs to %s already: one listener, one address", key.name, a, other)
			} else if a.Port() != 0 {
				taken[a] = key.name
			}
		}
	}
	all := l.Streams()
	for _, key := range keys {
		for _, a := range key.addrs {
			for _, w := range all {
				if other := taken[w]; Spans(w, a, all) && other != key.name {
					t.doc.add(t.lineOf(key.name, a.String()), "%s: %v cannot be bound beside %v of %s, which is every address with that port: choose another port", key.name, a, w, other)
				}
			}
		}
	}
}

func (t *table) addrPorts(key string) []netip.AddrPort {
	var out []netip.AddrPort
	for _, s := range t.strs(key) {
		a, err := netip.ParseAddrPort(s)
		if err != nil {
			if port, ok := nameAndPort(s); ok {
				t.doc.add(t.lineOf(key, s), "%s: %q is a name; give the address, like \"127.0.0.1:%d\"", key, s, port)
			} else {
				t.doc.add(t.lineOf(key, s), "%s: %q is not address:port, like \"127.0.0.1:3128\" or \"[::1]:3128\"", key, s)
			}
			continue
		}
		out = append(out, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
	return out
}

// nameAndPort tells whether s is a name where an address is due.
func nameAndPort(s string) (uint16, bool) {
	a, err := ParseAuthority(s, 0)
	return a.Port, err == nil && !a.Name.IsZero() && a.Port != 0
}

// prefixes reads addresses and prefixes.
func (t *table) prefixes(key string) []netip.Prefix { return t.prefixesOf(key, t.strs(key)) }

// prefixesOf reads the strings that are prefixes of a key's list.
func (t *table) prefixesOf(key string, list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		d, err := parseDestination(s)
		if bits := (*hostBits)(nil); errors.As(err, &bits) {
			t.doc.add(t.lineOf(key, s), "%s: %v", key, err)
			continue
		}
		if err != nil || !d.Prefix.IsValid() {
			t.doc.add(t.lineOf(key, s), "%s: %q is not an address or a prefix like \"10.0.0.0/8\"", key, s)
			continue
		}
		a := d.Prefix.Addr()
		if bits := UsualLength(a); bits > 0 && !strings.Contains(s, "/") {
			t.doc.warn(t.lineOf(key, s), "%s: %q is one address, and ends like that of a network: write \"%v/%d\", or whatever its prefix length is; \"%v/%d\" is this address alone",
				key, s, a, bits, a, d.Prefix.Bits())
		}
		out = append(out, d.Prefix)
	}
	return out
}

// UsualLength is how long the prefix of a network with this address is usually;
// 0: it looks like the address of a host.
func UsualLength(a netip.Addr) int {
	b := a.AsSlice()
	host := len(b) - len(bytes.TrimRight(b, "\x00"))
	switch {
	case a.IsUnspecified():
		return 0
	case a.Is4() && host > 0:
		return 32 - 8*host
	case a.Is6() && host >= 8:
		return 64
	}
	return 0
}

func (t *table) upstreams(key string) []string {
	list := t.strs(key)
	for _, s := range list {
		if _, _, err := ParseUpstream(s); err != nil && s != "system" {
			t.doc.add(t.lineOf(key, s), "%s: %v", key, err)
		}
	}
	return list
}

// ParseUpstream reads "udp://address[:port]" or "tcp://address[:port]"; the
// default port is 53.
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

func (e *upstreamError) Error() string {
	text := strconv.Quote(e.text) + ` is not "system", "udp://address[:port]" or "tcp://address[:port]"`
	if guess := "udp://" + e.text; !strings.Contains(e.text, "://") {
		if _, _, err := ParseUpstream(guess); err == nil {
			text += ": did you mean " + strconv.Quote(guess) + "?"
		}
	}
	return text
}
