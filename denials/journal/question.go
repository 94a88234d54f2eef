// Question: what a record says of the attempt that it is about, field by
// field, so that Attempt gives back exactly what was asked.

package journal

import (
	"net/netip"
	"strconv"
	"unicode/utf8"

	"sallyport/rules"
)

// A Question is the part of a Record that schema 2 brought: what else the front
// end asked the policy. Record.Attempt puts it together again.
type Question struct {
	ClientPort   uint16   // of the source; absent where Count is above 1 and it was not always the same
	SourceProven bool     // a handshake proves the client's address: it is not forged
	Authority    string   // the authority's name, of a redirected flow; else it is Host
	Dest         string   // the address that was judged, where Host is a name
	QType        string   // DNS: the type asked for, as in RFC 3597
	HTTPHost     string   // the Host header: name or address, and the port after defaults
	HostIgnored  bool     // HTTPHost was another than the request's target, which it gave way to
	Shown        string   // what the first bytes were: tls, http, opaque, silent; "": not read
	ByAddress    bool     // a redirected flow that was judged by its address
	Pinned       []string // the names that the client was told OriginalDst's address for
	Provisional  bool     // the flow had not shown everything yet; a denial is final all the same
	Fault        string   // a reason: what could not be read, or was refused before any rule
	Omitted      Omitted  // fields that apply and are not here: they were not the same in all attempts that Count counts, or found no room
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
	omitOther // a field that this version does not know

	omitEvidence = omitRaw | omitResolved | omitDetail | OmitProven                                                            // the policy does not look at them
	omitHinted   = OmitClient | omitVia | omitProto | omitPort | OmitAuthority | omitDest | omitQType | omitHTTPHost | omitSNI // hints name them
)

var omittedTexts = [...]string{"client", "via", "proto", "port", "authority", "dest", "qtype", "http_host", "sni", "shown", "by_address",
	"original_dst", "mismatch", "pinned", "ech", "provisional", "fault", "host_raw", "resolved", "detail", "source_proven", "dialed", "rule", "nearest", "host_ignored", "other"}

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

// omittedOf returns the set that holds the field text.
func omittedOf(text string) Omitted {
	for i, t := range omittedTexts {
		if t == text {
			return 1 << i
		}
	}
	return omitOther
}

// question fills in everything that the attempt says.
func (r *Record) question(a *rules.Attempt) {
	r.Via, r.Proto = a.Via.String(), a.Proto.String()
	r.Client, r.ClientPort = addrText(a.Client.Addr()), a.Client.Port()
	r.SourceProven = a.SourceProven
	r.Host, r.HostRaw, r.Port = host(a), rawText(string(a.Raw)), a.Dest.Port()
	if redirected(a.Via, a.ByAddress) { // else the authority is Host
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
	r.Provisional, r.Fault = a.Provisional, a.Fault.String()
	r.Flow = a.Flow
}

// host returns what the attempt was to reach: the name it is judged by, else
// the address. What else the client wrote beside an address is no destination.
func host(a *rules.Attempt) string {
	switch {
	case !a.Target().IsZero():
		return a.Target().String()
	case a.Dest.Addr().IsValid():
		return addrText(a.Dest.Addr())
	}
	return a.Authority.String()
}

// redirected tells whether an attempt may have a name to reach that is not its
// authority.
func redirected(via rules.Via, byAddress bool) bool { return byAddress || via == rules.ViaTransparent }

// httpHostText spells the Host header's host and its port, if they are known.
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

// rawText makes any octets a text that rawOctets turns back: what is no UTF-8
// becomes \x and two digits, and so does a backslash that begins the like.
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

// mustEscape reports whether the octet that s begins with is not UTF-8, or would
// be read as the spelling of an octet.
func mustEscape(s string) bool {
	if s[0] >= utf8.RuneSelf {
		return true // a whole character has more octets
	}
	_, ok := spelled(s)
	return ok
}

// spelled returns the octet that \x and two lower-case digits stand for.
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
