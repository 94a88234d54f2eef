// Upstream: one DNS resolver, whom it must prove to be, and the text for logs and pages.

package rules

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
)

// A Transport is how an upstream is asked. Its zero value is none.
type Transport uint8

// The transports.
const (
	OverUDP   Transport = iota + 1 // by datagram, and by TCP if the answer is truncated
	OverTCP                        // always by TCP
	OverTLS                        // DNS over TLS (RFC 7858)
	OverHTTPS                      // DNS over HTTPS (RFC 8484)
)

// transports has the scheme and the default port of each transport.
var transports = [...]struct {
	scheme string
	port   uint16
}{OverUDP: {"udp", 53}, OverTCP: {"tcp", 53}, OverTLS: {"tls", 853}, OverHTTPS: {"https", 443}}

// String returns the scheme of the transport's upstreams.
func (t Transport) String() string {
	if int(t) < len(transports) {
		return transports[t].scheme
	}
	return ""
}

// Proven reports whether the upstream proves with a key who it is, before it is
// asked anything. No host on the way can read or change its answers.
func (t Transport) Proven() bool { return t == OverTLS || t == OverHTTPS }

// An Upstream is a DNS resolver. Two upstreams with the same text are equal.
type Upstream struct {
	Over Transport
	Addr netip.AddrPort

	// The fields below are for upstreams that prove who they are. If an
	// upstream has both a name and pins, both must hold.
	Name string // the name or the address that its certificate must have; "": the pins alone identify it
	Pins Pins   // its public key must be one of these; "": any key with a valid certificate
	Path string // of its URL, for DNS over HTTPS
}

// usualPath is the path of most resolvers. Another path can be the secret of one
// customer, so that no log, page or metric shows it.
const usualPath = "/dns-query"

// shownPath returns a path as texts for people have it.
func shownPath(path string) string {
	if path == "" || path == usualPath {
		return path
	}
	return "/…"
}

// String returns the upstream as a configuration has it, with its port. It hides a
// path that is not the usual one.
func (u Upstream) String() string {
	s := u.Over.String() + "://" + u.Addr.String() + shownPath(u.Path)
	sep := "?"
	if u.Name != "" {
		s += sep + "name=" + u.Name
		sep = "&"
	}
	for _, pin := range u.Pins.Texts() {
		s += sep + "spki=" + pin
		sep = "&"
	}
	return s
}

// Ports returns the protocol and the port that a firewall must permit.
func (u Upstream) Ports() string {
	port := strconv.Itoa(int(u.Addr.Port()))
	if u.Over == OverUDP {
		return "UDP and TCP " + port
	}
	return "TCP " + port
}

// Pins are SHA-256 hashes of public keys, one after another (RFC 7469, section 2.4).
type Pins string

const pinSize = 32

// Has reports whether the hash is one of the pins.
func (p Pins) Has(hash [pinSize]byte) bool {
	for ; len(p) >= pinSize; p = p[pinSize:] {
		if string(p[:pinSize]) == string(hash[:]) {
			return true
		}
	}
	return false
}

// Texts returns each pin as a configuration has it.
func (p Pins) Texts() (texts []string) {
	for ; len(p) >= pinSize; p = p[pinSize:] {
		texts = append(texts, PinText([pinSize]byte([]byte(p[:pinSize]))))
	}
	return texts
}

// PinText returns the text of the hash of a public key.
func PinText(hash [pinSize]byte) string {
	return pinPrefix + base64.StdEncoding.EncodeToString(hash[:])
}

const pinPrefix = "sha256/"

// parsePin parses the text of one pin.
func parsePin(text string) (Pins, bool) {
	code, ok := strings.CutPrefix(text, pinPrefix)
	hash, err := base64.StdEncoding.Strict().DecodeString(code)
	return Pins(hash), ok && err == nil && len(hash) == pinSize
}
