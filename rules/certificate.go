// Certificate names: how the names in a client's certificate are written and compared. Each kind of
// name has its own reader, so that a name of one kind can never stand for a name of another kind.

package rules

import (
	"net/url"
	"strconv"
	"strings"
)

// The marks of the kinds in a configuration. A URI has none.
const (
	commonMark = "CN="
	dnsMark    = "DNS:"
)

// ParseCertificateName reads a name of [[client]] certificate: "CN=" and text, "DNS:" and a name, or a
// URI such as a SPIFFE ID. It returns the name as certificates are compared, or why it is no name.
func ParseCertificateName(text string) (name, why string) {
	if cn, ok := strings.CutPrefix(text, commonMark); ok {
		return CertificateCommonName(cn)
	}
	if dns, ok := strings.CutPrefix(text, dnsMark); ok {
		return CertificateDNSName(dns)
	}
	return CertificateURI(text)
}

// CertificateCommonName returns the common name of a certificate's subject as certificates are
// compared.
func CertificateCommonName(cn string) (name, why string) {
	if strings.TrimSpace(cn) != cn || cn == "" || strings.ContainsFunc(cn, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", "has no common name, or one with control characters or spaces around it"
	}
	return commonMark + cn, ""
}

// CertificateDNSName returns a DNS name of a certificate as certificates are compared.
func CertificateDNSName(dns string) (name, why string) {
	n, err := ParseIDN(dns)
	if err != nil {
		return "", err.Error()
	}
	return dnsMark + n.String(), ""
}

// CertificateURI returns a URI of a certificate as certificates are compared: octet by octet (RFC 5280,
// section 4.2.1.6, wants an absolute URI). A text that is written in another form than Go writes it,
// such as one with an empty fragment, is refused.
func CertificateURI(text string) (name, why string) {
	const kinds = `is none of "CN=text", "DNS:name" and a URI like "spiffe://corp.example/es"`
	if u, err := url.Parse(text); err != nil || u.Scheme == "" || u.Host == "" || u.String() != text || strings.Contains(text, " ") || strings.HasPrefix(text, userMark) {
		return "", kinds
	}
	return text, ""
}

// MeantCertificate returns the names of a certificate, in quotes, that a text probably means: a
// bare name, a name with another mark, or the subject as openssl prints it.
func MeantCertificate(text string) (meant []string) {
	rest := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "subject="))
	add := func(mark, name string) {
		if n, why := ParseCertificateName(mark + strings.TrimSpace(name)); why == "" {
			meant = append(meant, strconv.Quote(n))
		}
	}
	for part := range strings.SplitSeq(rest, ",") {
		for _, m := range [...][2]string{{"cn", "CN="}, {"dns", "DNS:"}, {"dns name", "DNS:"}, {"uri", ""}} {
			if after, ok := cutMark(part, m[0]); ok {
				add(m[1], after)
				return meant
			}
		}
	}
	if strings.ContainsAny(rest, "=:/@, ") {
		return nil
	}
	if strings.Contains(rest, ".") {
		add("DNS:", rest)
	}
	add("CN=", rest)
	return meant
}

// cutMark returns what comes after a mark and "=" or ":", in letters of any case.
func cutMark(text, mark string) (after string, ok bool) {
	text = strings.TrimLeft(text, " ")
	if len(text) < len(mark) || !strings.EqualFold(text[:len(mark)], mark) {
		return "", false
	}
	text = strings.TrimLeft(text[len(mark):], " ")
	if text == "" || text[0] != '=' && text[0] != ':' {
		return "", false
	}
	return text[1:], true
}
