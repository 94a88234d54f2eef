// Addresses of a configuration: how listeners and prefixes are read, and
// what is wrong with them.

package site

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// checkTwice reports an address that two listeners need, even if one of the two
// listeners is on every address. Port 0 never conflicts. Within one key, the wildcard
// listener serves the other addresses of that port.
func (c *Config) checkTwice(t *tomldoc.Table) {
	l := c.Listen
	admin, _ := netip.ParseAddrPort(l.Admin)
	taken := map[netip.AddrPort]string{}
	keys := []struct {
		name  string
		addrs []netip.AddrPort
	}{{"http", l.HTTP}, {"https", l.HTTPS}, {"socks5", l.SOCKS5}, {"dns", l.DNS}, {"transparent", l.Transparent}, {"tproxy", l.TPROXY}, {"admin", []netip.AddrPort{admin}}}
	for _, key := range keys {
		for _, a := range key.addrs {
			if other := taken[a]; other != "" {
				t.Doc.Errorf(t.LineOf(key.name, a.String()), "%s: %v is already used by %s: every listener needs an address of its own", key.name, a, other)
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
					t.Doc.Errorf(t.LineOf(key.name, a.String()), "%s: %v cannot be bound: %v of %s already covers every address with that port; choose another port", key.name, a, w, other)
				}
			}
		}
	}
}

func addrPorts(t *tomldoc.Table, key string) []netip.AddrPort {
	var out []netip.AddrPort
	for _, s := range t.Strs(key) {
		a, err := netip.ParseAddrPort(s)
		if err != nil {
			if port, ok := nameAndPort(s); ok {
				t.Doc.Errorf(t.LineOf(key, s), "%s: %q is a name; give the address, like \"127.0.0.1:%d\"", key, s, port)
			} else {
				t.Doc.Errorf(t.LineOf(key, s), "%s: %q is not address:port, like \"127.0.0.1:3128\" or \"[::1]:3128\"", key, s)
			}
			continue
		}
		out = append(out, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
	return out
}

// nameAndPort reports whether s is a name with a port, where an address is required.
func nameAndPort(s string) (uint16, bool) {
	a, err := rules.ParseAuthority(s, 0)
	return a.Port, err == nil && !a.Name.IsZero() && a.Port != 0
}

// prefixes reads a list of addresses and prefixes.
func prefixes(t *tomldoc.Table, key string) []netip.Prefix { return prefixesOf(t, key, t.Strs(key)) }

// prefixesOf parses the texts of a key's list as addresses and prefixes.
func prefixesOf(t *tomldoc.Table, key string, list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		d, err := rules.ParseDestination(s)
		if bits := (*rules.HostBitsError)(nil); errors.As(err, &bits) {
			t.Doc.Errorf(t.LineOf(key, s), "%s: %v", key, err)
			continue
		}
		if err != nil || !d.Prefix.IsValid() {
			t.Doc.Errorf(t.LineOf(key, s), "%s: %q is not an address or a prefix like \"10.0.0.0/8\"", key, s)
			continue
		}
		a := d.Prefix.Addr()
		if bits := UsualLength(a); bits > 0 && !strings.Contains(s, "/") {
			t.Doc.Warnf(t.LineOf(key, s), "%s: %q is a single address, but looks like a network: write \"%v/%d\" (or the right prefix length) for the network, or \"%v/%d\" for this address alone",
				key, s, a, bits, a, d.Prefix.Bits())
		}
		out = append(out, d.Prefix)
	}
	return out
}

// UsualLength returns the usual prefix length of a network with this address. It is 0
// if the address looks like the address of a host.
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
