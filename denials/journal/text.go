// Text: addresses and DNS types as text.

package journal

import (
	"net/netip"
	"strconv"
	"strings"
)

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func addrPortText(a netip.AddrPort) string {
	if !a.Addr().IsValid() {
		return ""
	}
	return a.String()
}

// typeTexts are the mnemonics of common DNS types (IANA, DNS Parameters).
var typeTexts = [...]struct {
	number uint16
	text   string
}{
	{1, "A"}, {2, "NS"}, {5, "CNAME"}, {6, "SOA"}, {10, "NULL"}, {12, "PTR"}, {13, "HINFO"}, {15, "MX"}, {16, "TXT"}, {28, "AAAA"}, {33, "SRV"},
	{35, "NAPTR"}, {39, "DNAME"}, {43, "DS"}, {46, "RRSIG"}, {47, "NSEC"}, {48, "DNSKEY"}, {52, "TLSA"}, {64, "SVCB"}, {65, "HTTPS"},
	{251, "IXFR"}, {252, "AXFR"}, {255, "ANY"}, {257, "CAA"},
}

// TypeText returns a DNS type as text: the mnemonic of a common type, otherwise
// TYPE and the number (RFC 3597, section 5).
func TypeText(t uint16) string {
	for _, known := range typeTexts {
		if known.number == t {
			return known.text
		}
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// ParseType is the inverse of TypeText. For "" it returns 0, which is not the
// type of any question.
func ParseType(text string) (uint16, bool) {
	if text == "" {
		return 0, true
	}
	for _, known := range typeTexts {
		if known.text == text {
			return known.number, true
		}
	}
	digits, ok := strings.CutPrefix(text, "TYPE")
	n, err := strconv.ParseUint(digits, 10, 16)
	return uint16(n), ok && err == nil
}
