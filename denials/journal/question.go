// Question: the values of a record that Attempt needs to restore the exact
// question.

package journal

import (
	"net/netip"
	"strconv"
	"unicode/utf8"

	"sallyport/rules"
)

// A Question is the part of a Record that schema 2 added: further values of the
// attempt. Record.Attempt combines both parts.
type Question struct {
	ClientPort   uint16   // port of the source; absent if the counted attempts had different ports
	Identity     string   // what the client has proven beside its address: the user, the name of its certificate
	SourceProven bool     // a handshake proves the client's address: it is not forged
	Authority    string   // the authority's name, for a redirected flow; for other flows it is Host
	Dest         string   // the address that was judged, if Host is a name
	QType        string   // DNS: the type asked for, as in RFC 3597
	HTTPHost     string   // the Host header: name or address, and the port, which may be the default one
	HostIgnored  bool     // HTTPHost differed from the request's target, and the target was used
	Shown        string   // the sniff result: tls, http, opaque, silent; "": not read
	ByAddress    bool     // a redirected flow that was judged by its address
	Parent       string   // the name of the parent that carries the flow; "": none
	DialedBy     string   // how the parent was asked: "address" or "name"
	Pinned       []string // the names for which the client was told the address in OriginalDst
	Provisional  bool     // the flow had not shown everything yet; a denial is final in any case
	Fault        string   // a reason: the input was unreadable, or refused before any rule
	Omitted      Omitted  // fields that apply but are absent: they differed among the counted attempts, or did not fit
}

// Omitted is a set of a record's fields.
type Omitted uint32

// The fields that can be left out of a record.
const (
	OmitClient Omitted = 1 << iota
	omitVia
	omitProto
	omitPort
	OmitAuthority
	omitDest
	omitQType
	omitHTTPHost
	omitSNI
	omitShown
	omitByAddress
	omitOriginal
	omitMismatch
	omitPinned
	omitECH
	omitProvisional
	omitFault
	omitRaw
	omitResolved
	omitDetail
	OmitProven
	omitDialed
	omitRule
	omitNearest
	omitHostIgnored
	omitParent
	omitIdentity
	omitOther // this version does not know the field

	omitEvidence = omitRaw | omitResolved | omitDetail | OmitProven | omitParent                                               // the policy does not read them
	omitHinted   = OmitClient | omitVia | omitProto | omitPort | OmitAuthority | omitDest | omitQType | omitHTTPHost | omitSNI // hints name them
)

var omittedTexts = [...]string{"client", "via", "proto", "port", "authority", "dest", "qtype", "http_host", "sni", "shown", "by_address",
	"original_dst", "mismatch", "pinned", "ech", "provisional", "fault", "host_raw", "resolved", "detail", "source_proven", "dialed", "rule", "nearest", "host_ignored", "parent", "identity", "other"}

// Fields returns the names of the fields.
func (o Omitted) Fields() []string {
	var out []string
	for i, text := range omittedTexts {
		if o&(1<<i) != 0 {
			out = append(out, text)
		}
	}
	return out
}

// omittedOf returns the set of one field, given its name.
func omittedOf(text string) Omitted {
	for i, t := range omittedTexts {
		if t == text {
			return 1 << i
		}
	}
	return omitOther
}

// question sets all values of the attempt.
func (r *Record) question(a *rules.Attempt, client *rules.Client) {
	r.Via, r.Proto = a.Via.String(), a.Proto.String()
	r.Client, r.ClientPort = addrText(a.Client.Addr()), a.Client.Port()
	r.SourceProven, r.Identity = a.SourceProven, a.Identity.Of(client)
	r.Host, r.HostRaw, r.Port = host(a), rawText(string(a.Raw)), a.Dest.Port()
	if redirected(a.Via, a.ByAddress) { // in all other cases the authority is Host
		r.Authority = a.Authority.String()
	}
	if !a.Target().IsZero() {
		r.Dest = addrText(a.Dest.Addr())
	}
	if a.QType != 0 {
		r.QType = TypeText(a.QType)
	}
	r.HTTPHost, r.SNI = httpHostText(a), a.SNI.String()
	r.HostIgnored, r.Shown, r.ByAddress = a.HostIgnored, a.Shown.String(), a.ByAddress
	r.OriginalDst, r.Mismatch, r.ECH = addrPortText(a.Original), a.Mismatch, a.ECH
	for _, addr := range a.Resolved {
		r.Resolved = append(r.Resolved, addrText(addr))
	}
	for _, name := range a.Pinned {
		r.Pinned = append(r.Pinned, name.String())
	}
	if a.Parent != nil {
		r.Parent, r.DialedBy = a.Parent.Name, a.DialedBy()
	}
	r.Provisional, r.Fault = a.Provisional, a.Fault.String()
	if a.Unproven && a.Fault == rules.ReasonNone {
		r.Fault = rules.DNSBogus.String()
	}
	r.Flow = a.Flow
}

// host returns the destination: the name, or the address if there is no name.
// If there is an address, no other text from the client is the destination.
func host(a *rules.Attempt) string {
	switch {
	case !a.Target().IsZero():
		return a.Target().String()
	case a.Dest.Addr().IsValid():
		return addrText(a.Dest.Addr())
	}
	return a.Authority.String()
}

// redirected reports whether the name of an attempt can differ from its
// authority.
func redirected(via rules.Via, byAddress bool) bool { return byAddress || via == rules.ViaTransparent }

// httpHostText returns the Host header's host and port as text, if they are
// known.
func httpHostText(a *rules.Attempt) string {
	text := a.Host.String()
	switch {
	case a.HostPort == 0 && text != "":
		return text
	case a.HostPort == 0:
		return addrText(a.HostAddr)
	case a.HostAddr.IsValid():
		return netip.AddrPortFrom(a.HostAddr, a.HostPort).String()
	}
	return text + ":" + strconv.Itoa(int(a.HostPort))
}

// rawText turns any octets into a text that rawOctets can turn back: an octet
// that is not UTF-8 becomes \x and two digits, and a backslash that could be
// read as the start of such a text becomes \x and two digits, too.
func rawText(raw string) string {
	first := firstToEscape(raw)
	if first == len(raw) {
		return raw
	}
	b := append(make([]byte, 0, len(raw)+32), raw[:first]...)
	for i := first; i < len(raw); {
		_, n := utf8.DecodeRuneInString(raw[i:])
		if n == 1 && mustEscape(raw[i:]) {
			b = append(b, '\\', 'x', hexDigits[raw[i]>>4], hexDigits[raw[i]&15])
		} else {
			b = append(b, raw[i:i+n]...)
		}
		i += n
	}
	return string(b)
}

// firstToEscape returns the index of the first octet that must be escaped, or
// len(s).
func firstToEscape(s string) int {
	for i := 0; i < len(s); {
		_, n := utf8.DecodeRuneInString(s[i:])
		if n == 1 && mustEscape(s[i:]) {
			return i
		}
		i += n
	}
	return len(s)
}

// mustEscape reports whether the first octet of s is not UTF-8, or begins a text
// that rawOctets would decode as an octet.
func mustEscape(s string) bool {
	if s[0] >= utf8.RuneSelf {
		return true // a whole character has more octets
	}
	_, ok := spelled(s)
	return ok
}

// spelled returns the octet of the text \x and two lower-case digits.
func spelled(s string) (byte, bool) {
	if len(s) < 4 || s[0] != '\\' || s[1] != 'x' {
		return 0, false
	}
	hi, ok := hexDigit(s[2])
	lo, ok2 := hexDigit(s[3])
	return hi<<4 | lo, ok && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// rawOctets is the inverse of rawText.
func rawOctets(text string) string {
	first := firstToEscape(text)
	if first == len(text) {
		return text
	}
	b := append(make([]byte, 0, len(text)), text[:first]...)
	for i := first; i < len(text); i++ {
		if c, ok := spelled(text[i:]); ok {
			b = append(b, c)
			i += 3
		} else {
			b = append(b, text[i])
		}
	}
	return string(b)
}
