// Head: the one strict grammar of HTTP/1 request heads (RFC 9110, RFC 9112).
// What it accepts, net/http and every sane server read in the same way.

package head

import (
	"bytes"
	"net/http"
	"strings"

	"sallyport/rules"
)

// Limits of a request head.
const (
	maxTarget  = 32 << 10 // with the query: where signed URLs have their signatures
	maxPath    = 8000     // without it; RFC 9112, section 3, asks for as much of a request line at least
	maxFields  = 32 << 10 // all fields, with the empty line
	maxMethod  = 32
	maxHeaders = 200

	MaxRequestLine = maxMethod + len(" ") + maxTarget + len(" HTTP/1.1\r\n")
	MaxHead        = MaxRequestLine + maxFields
)

// form tells how a request names its target (RFC 9112, section 3.2).
type form uint8

// The forms that are accepted. The asterisk-form is refused.
const (
	formNone      form = iota
	formAuthority      // CONNECT host:port
	FormAbsolute       // GET http://host/path
	FormOrigin         // GET /path
)

// A Head is a well-formed request head.
type Head struct {
	Method  string
	Form    form
	Target  rules.Authority // of CONNECT and absolute-form
	path    string          // path and query of the other forms, never empty
	Server  bool            // OPTIONS of an absolute URI without a path: about the server, not a resource
	Host    rules.Authority
	HasHost bool
	HTTP11  bool

	contentLength int64 // -1: not given
	chunked       bool
	close         bool // the client wants this connection closed after the answer
	closes        bool // by saying so
	upgrade       bool // there is an Upgrade field
	Expects       bool // Expect: 100-continue
	Accept        string
	Via           string // all Via fields

	Len   int    // bytes of the head
	Raw   string // the text that a fault is about, as recordable returns it
	quiet bool   // the target may hold a secret: no text is kept
}

// HasBody tells whether bytes of a body follow the head.
func (h *Head) HasBody() bool { return h.chunked || h.contentLength > 0 }

// WantsJSON tells in which form the client wants to be told errors.
func (h *Head) WantsJSON() bool { return strings.Contains(strings.ToLower(h.Accept), "json") }

// Covers tells whether net/http read the very request of this head.
func (h *Head) Covers(r *http.Request) bool {
	length := max(h.contentLength, 0)
	if h.chunked {
		length = -1
	}
	return r.Method == h.Method && r.ProtoAtLeast(1, 1) == h.HTTP11 &&
		r.ContentLength == length && (len(r.TransferEncoding) > 0) == h.chunked
}

// A headFault is why a head is refused.
type headFault struct {
	reason rules.Reason
	detail string
}

func malformed(detail string) *headFault { return &headFault{rules.MalformedRequest, detail} }

// Details of the faults that are answered with 414.
const (
	TargetTooLong = "request target longer than 32 KiB"
	PathTooLong   = "path of the request target longer than 8000 octets"
)

// longTarget is answered with 414, longFields with 431.
func longTarget() *headFault {
	return &headFault{rules.SniffTooLong, TargetTooLong}
}

func longFields() *headFault {
	return &headFault{rules.SniffTooLong, "header fields longer than 32 KiB"}
}

// Parse reads a request head from the bytes that a client sent so far.
// more: they are a good beginning, bring a longer prefix. A fault is final; h
// then holds what was read before it, good for the form of the answer only.
// Neither: the first h.n bytes are a whole head.
func Parse(b []byte) (h Head, fault rules.Reason, detail string, more bool) {
	h.contentLength = -1
	b = b[:min(len(b), MaxHead)]
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if f := beginning(b); f != nil {
			return h, f.reason, f.detail, false
		}
		return h, rules.ReasonNone, "", true
	}
	h.Len = end + 4
	if f := h.parse(string(b[:end])); f != nil {
		return h, f.reason, f.detail, false
	}
	return h, rules.ReasonNone, "", false
}

// beginning judges what may become a head, without looking at each byte again
// and again: a wrong first line or a lenient parser's end of the head is
// refused at once, the rest when the end is there.
func beginning(b []byte) *headFault {
	if sp := tokenEnd(b); sp < len(b) && (sp == 0 || b[sp] != ' ') || sp > maxMethod {
		return malformed("does not begin with a method")
	}
	if lf := bytes.IndexByte(b, '\n'); lf >= 0 {
		line, crlf := bytes.CutSuffix(b[:lf], []byte("\r"))
		switch {
		case lf >= MaxRequestLine:
			return longTarget()
		case !crlf:
			return malformed("bare LF")
		}
		if !bytes.HasSuffix(line, []byte(" HTTP/1.1")) && !bytes.HasSuffix(line, []byte(" HTTP/1.0")) {
			return malformed("not HTTP/1.0 or HTTP/1.1")
		}
		if bytes.Contains(b, []byte("\n\n")) || bytes.Contains(b, []byte("\n\r\n")) {
			return malformed("bare LF")
		}
		if len(b)-lf-1 >= maxFields {
			return longFields()
		}
		return nil
	}
	if len(b) > MaxRequestLine {
		return longTarget()
	}
	return nil
}

// tokenEnd returns where the leading token of b ends; it looks at no more than
// a method may be long.
func tokenEnd(b []byte) int {
	n := min(len(b), maxMethod+1)
	for i := range n {
		if !IsTokenByte(b[i]) {
			return i
		}
	}
	return n
}

// parse reads a head without its empty line.
func (h *Head) parse(s string) *headFault {
	if f := onlyText(s); f != nil {
		return f
	}
	line, fields, _ := strings.Cut(s, "\r\n")
	f := h.requestLine(line)
	if f == nil && len(fields)+len("\r\n\r\n") > maxFields {
		f = longFields()
	}
	// The fields are read in any case: Accept decides how a refusal is told.
	if ff := h.parseFields(fields); f == nil {
		f = ff
	}
	if f == nil {
		f = h.agree()
	}
	return f
}

// onlyText refuses bytes that have no place in a head: controls but tabs, and
// line ends other than CRLF.
func onlyText(s string) *headFault {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= ' ' && c != 0x7f || c == '\t':
		case c == '\r':
			if i+1 == len(s) || s[i+1] != '\n' {
				return malformed("bare CR")
			}
			i++
		case c == '\n':
			return malformed("bare LF")
		default:
			return malformed("control byte in the head")
		}
	}
	return nil
}

// requestLine reads method SP target SP version.
func (h *Head) requestLine(line string) *headFault {
	method, rest, _ := strings.Cut(line, " ")
	target, version, ok := strings.Cut(rest, " ")
	if !ok || !isToken(method) || len(method) > maxMethod {
		return malformed("broken request line")
	}
	switch version {
	case "HTTP/1.1":
		h.HTTP11 = true
	case "HTTP/1.0":
	default:
		return malformed("not HTTP/1.0 or HTTP/1.1")
	}
	h.Method = strings.Clone(method) // not a part of s, which is larger
	switch {
	case len(target) > maxTarget:
		return longTarget()
	case method == "CONNECT":
		return h.connectTarget(target)
	case strings.EqualFold(method, "CONNECT"), strings.EqualFold(method, "TRACE"), method == "PRI":
		return malformed("method is refused")
	}
	return h.requestTarget(target)
}

// agree judges what several parts of a head say together.
func (h *Head) agree() *headFault {
	switch {
	case !h.HasHost && h.HTTP11:
		return malformed("no Host")
	case h.chunked && !h.HTTP11:
		return malformed("Transfer-Encoding in HTTP/1.0")
	case h.chunked && h.contentLength >= 0:
		return malformed("both Content-Length and Transfer-Encoding")
	case h.Form == formAuthority && h.HasBody():
		return malformed("CONNECT with a body")
	}
	return nil
}

// isToken tells whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !IsTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func IsTokenByte(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return c > ' ' && c < 0x7f && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
