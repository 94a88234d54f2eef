// Certificate names: how the names in a client's certificate are written and compared.

package rules

import (
	"net/url"
	"strings"
)

// ParseCertificateName returns a name as certificates are compared: "CN=" and text, "DNS:" and a
// name, or a URI such as a SPIFFE ID. why is what is wrong with it.
func ParseCertificateName(text string) (name, why string) {
	const kinds = `is none of "CN=text", "DNS:name" and a URI like "spiffe://corp.example/es"`
	if cn, ok := strings.CutPrefix(text, "CN="); ok {
		if strings.TrimSpace(cn) != cn || cn == "" || strings.ContainsFunc(cn, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "", "has no common name, or one with control characters or spaces around it"
		}
		return text, ""
	}
	if dns, ok := strings.CutPrefix(text, "DNS:"); ok {
		n, err := ParseIDN(dns)
		if err != nil {
			return "", err.Error()
		}
		return "DNS:" + n.String(), ""
	}
	if u, err := url.Parse(text); err != nil || u.Scheme == "" || u.Host == "" || u.String() != text || strings.Contains(text, " ") || strings.HasPrefix(text, userMark) {
		return "", kinds
	}
	return text, ""
}
