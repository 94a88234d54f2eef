// Authority: the only parser of host:port texts.

package rules

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// ErrAddressZone is the error for an IPv6 address with a zone. A zone names a network
// interface of the client and has no meaning here.
var ErrAddressZone = errors.New("address has a zone")

// An Authority is the host and the port of a CONNECT, an absolute-form request, a
// SOCKS5 request or a Host header. Either Name or Addr is set.
type Authority struct {
	Name Name
	Addr netip.Addr // unmapped
	Port uint16
}

// String returns host:port, with brackets around an IPv6 address.
func (a Authority) String() string {
	if a.Addr.IsValid() {
		return netip.AddrPortFrom(a.Addr, a.Port).String()
	}
	return a.Name.String() + ":" + strconv.Itoa(int(a.Port))
}

// AddrPort returns the address and the port; the address is zero if there is a name.
func (a Authority) AddrPort() netip.AddrPort { return netip.AddrPortFrom(a.Addr, a.Port) }

// Host returns the name or the address as text.
func (a Authority) Host() string {
	if a.Addr.IsValid() {
		return a.Addr.String()
	}
	return a.Name.String()
}

// ParseAuthority parses "host:port" strictly. Without a port it uses defaultPort; if
// that is 0, the port is required. It refuses userinfo, percent-encoding and brackets
// around a name. An IPv6 address needs brackets and has no zone.
func ParseAuthority(raw string, defaultPort uint16) (Authority, error) {
	host, port := raw, ""
	if strings.HasPrefix(raw, "[") {
		end := strings.IndexByte(raw, ']')
		if end < 0 {
			return Authority{}, ErrNameByte
		}
		host, port = raw[1:end], raw[end+1:]
		addr, err := netip.ParseAddr(host)
		if err != nil || !addr.Is6() {
			return Authority{}, ErrNameByte
		}
		if addr.Zone() != "" {
			return Authority{}, ErrAddressZone
		}
		p, err := portAfter(port, defaultPort)
		if err != nil {
			return Authority{}, err
		}
		return Authority{Addr: addr.Unmap(), Port: p}, nil
	}
	if i := strings.IndexByte(raw, ':'); i >= 0 {
		host, port = raw[:i], raw[i:]
	}
	p, err := portAfter(port, defaultPort)
	if err != nil {
		return Authority{}, err
	}
	a, err := ParseHost(host)
	a.Port = p
	return a, err
}

func portAfter(s string, defaultPort uint16) (uint16, error) {
	if s == "" && defaultPort != 0 {
		return defaultPort, nil
	}
	if !strings.HasPrefix(s, ":") {
		return 0, errors.New("authority has no port")
	}
	return ParsePort(s[1:])
}

// ParseHost parses a name, or an address without brackets, as in a SOCKS5 request or an
// argument of explain. The Port of the result is 0.
func ParseHost(raw string) (Authority, error) {
	if len(raw) > 0 && (raw[len(raw)-1] >= '0' && raw[len(raw)-1] <= '9' || strings.IndexByte(raw, ':') >= 0) {
		if addr, err := netip.ParseAddr(raw); err == nil {
			if addr.Zone() != "" {
				return Authority{}, ErrAddressZone
			}
			return Authority{Addr: addr.Unmap()}, nil
		}
	}
	n, err := ParseName(raw)
	return Authority{Name: n}, err
}
