// Upstream text: how a configuration writes a DNS resolver, and what is wrong with a
// text that is none.

package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ParseUpstream parses one of these texts:
//
//	udp://address[:53]
//	tcp://address[:53]
//	tls://address[:853]?name=NAME
//	https://address[:443]/path?name=NAME
//
// NAME is the name in the server's certificate. spki=sha256/BASE64 pins the server's
// key, beside the name or instead of it; it may occur several times. The host of a
// tls and https text may also be the name, with address=ADDRESS behind the "?".
// sallyport never looks the name up: there is no resolver that could be asked first.
func ParseUpstream(s string) (Upstream, error) {
	scheme, rest, _ := strings.Cut(s, "://")
	switch scheme {
	case "udp", "tcp":
		over := OverUDP
		if scheme == "tcp" {
			over = OverTCP
		}
		if addr, ok := upstreamAddr(rest, over); ok {
			return Upstream{Over: over, Addr: addr}, nil
		}
	case "tls":
		return parseProven(OverTLS, rest)
	case "https":
		return parseProven(OverHTTPS, rest)
	}
	return Upstream{}, &upstreamError{s}
}

// upstreamAddr parses address[:port].
func upstreamAddr(s string, over Transport) (netip.AddrPort, bool) {
	if a, err := netip.ParseAddrPort(s); err == nil && a.Port() != 0 {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), true
	}
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return netip.AddrPortFrom(a.Unmap(), transports[over].port), true
	}
	return netip.AddrPort{}, false
}

// parseProven parses what follows "tls://" or "https://". Its errors do not repeat
// the text, which may have a password or a secret path.
func parseProven(over Transport, rest string) (Upstream, error) {
	if strings.ContainsAny(rest, "{}") {
		return Upstream{}, fmt.Errorf(`%v: leave out the part in braces, like "{?dns}": sallyport asks by POST, which has no such part`, over)
	}
	u := Upstream{Over: over}
	before, query, _ := strings.Cut(rest, "?")
	host, path := before, ""
	if i := strings.IndexByte(before, '/'); i >= 0 {
		host, path = before[:i], before[i:]
	}
	if strings.Contains(host, "@") {
		return Upstream{}, fmt.Errorf("%v: the upstream has a user or a password before %q: sallyport sends neither; leave them out", over, "@")
	}
	if at, name, found := strings.Cut(rest, "#"); found {
		text := fmt.Sprintf("%v: an upstream has no part after %q", over, "#")
		if n, err := ParseIDN(name); err == nil && !strings.ContainsAny(at, "/?@") {
			text += fmt.Sprintf(": write \"%v://%s?name=%v\"", over, at, n)
		}
		return Upstream{}, errors.New(text)
	}
	q, err := parseUpstreamQuery(over, query)
	if err != nil {
		return Upstream{}, err
	}
	u.Name, u.Pins = q.name, q.pins
	if u.Path, err = upstreamPath(over, path); err != nil {
		return Upstream{}, err
	}
	if addr, ok := upstreamAddr(host, over); ok {
		if q.address != "" {
			return Upstream{}, fmt.Errorf("%v: the upstream has two addresses, %s and %s: list the upstream once for each address", over, host, q.address)
		}
		u.Addr = addr
	} else if err := u.named(host, q); err != nil {
		return Upstream{}, err
	}
	if u.Name == "" && u.Pins == "" {
		return Upstream{}, fmt.Errorf("%v: the upstream must prove who it is: add \"?name=NAME\" with the name in its certificate, or \"?spki=sha256/BASE64\" with the hash of its key", over)
	}
	return u, nil
}

// named sets the name and the address of an upstream whose host is a name.
func (u *Upstream) named(host string, q upstreamQuery) error {
	name, port := host, transports[u.Over].port
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		n, err := strconv.ParseUint(host[i+1:], 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("%v: %q is not the port of an upstream: it is a number from 1 to 65535", u.Over, host[i+1:])
		}
		name, port = host[:i], uint16(n)
	}
	n, err := ParseIDN(name)
	if err != nil {
		return fmt.Errorf("%v: %q is neither an address nor a name: %w", u.Over, name, err)
	}
	if u.Name != "" && u.Name != n.String() {
		return fmt.Errorf("%v: the upstream has two names, %q and %q: write the address in place of the first one", u.Over, n, u.Name)
	}
	if q.address == "" {
		return fmt.Errorf("%v: %q is a name, and no resolver could be asked for its address before this one: write \"%v://ADDRESS%s?name=%v\"", u.Over, name, u.Over, shownPath(u.Path), n)
	}
	a, err := netip.ParseAddr(strings.Trim(q.address, "[]"))
	if err != nil {
		return fmt.Errorf("%v: address=%q is not an address; the port stands behind the name", u.Over, q.address)
	}
	u.Name, u.Addr = n.String(), netip.AddrPortFrom(a.Unmap(), port)
	return nil
}

// upstreamQuery is what an upstream's text has behind the "?".
type upstreamQuery struct {
	name, address string
	pins          Pins
}

// parseUpstreamQuery parses what follows the "?". A "+" is a "+", because base64 has
// it.
func parseUpstreamQuery(over Transport, query string) (q upstreamQuery, err error) {
	for part := range strings.SplitSeq(query, "&") {
		key, coded, _ := strings.Cut(part, "=")
		value, err := url.PathUnescape(coded)
		switch {
		case part == "":
		case err != nil || value == "":
			return q, fmt.Errorf("%v: %q has no value that can be read", over, key)
		case key == "name" && q.name != "" || key == "address" && q.address != "":
			return q, fmt.Errorf("%v: %s occurs twice: list the upstream once for each %s", over, key, key)
		case key == "name":
			if q.name, err = certificateName(value); err != nil {
				return q, fmt.Errorf("%v: name=%q: %w", over, value, err)
			}
		case key == "address":
			q.address = value
		case key == "spki":
			pin, ok := parsePin(value)
			if !ok {
				return q, fmt.Errorf("%v: spki=%q is not \"sha256/\" and the 44 characters of a hash in base64; docs/dns.md has the command that prints it", over, value)
			}
			q.pins += pin
		default:
			return q, fmt.Errorf("%v: an upstream has no %q: name, spki and address exist", over, key)
		}
	}
	return q, nil
}

// certificateName parses a name or an address that a certificate can have.
func certificateName(s string) (string, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return a.Unmap().String(), nil
	}
	n, err := ParseIDN(s)
	return n.String(), err
}

// upstreamPath checks the path of an upstream.
func upstreamPath(over Transport, path string) (string, error) {
	bad := strings.IndexFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`|", r) })
	_, err := url.PathUnescape(path)
	switch {
	case over == OverTLS && path != "" && path != "/":
		return "", errors.New(`tls: an upstream of DNS over TLS has no path: leave it out, or write "https://" if it is one of DNS over HTTPS`)
	case over == OverTLS:
		return "", nil
	case path == "" || path == "/":
		return "", fmt.Errorf("https: the upstream has no path: add the one that its operator gives; most have %q", usualPath)
	case bad >= 0 || err != nil:
		return "", errors.New("https: the path has a character that a URL must not have: write it as % and two hexadecimal digits")
	}
	return path, nil
}

const upstreamForms = `"system", "udp://address[:port]", "tcp://address[:port]", "tls://address[:port]?name=NAME" or "https://address[:port]/path?name=NAME"`

type upstreamError struct{ text string }

// Error names the accepted forms, and the form that was probably meant.
func (e *upstreamError) Error() string {
	text := strconv.Quote(e.text) + " is not " + upstreamForms
	if guess := "udp://" + e.text; !strings.Contains(e.text, "://") {
		if _, err := ParseUpstream(guess); err == nil {
			text += ": did you mean " + strconv.Quote(guess) + "?"
		}
	}
	return text
}
