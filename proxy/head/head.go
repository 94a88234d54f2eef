// Head: the strict grammar of HTTP/1 request heads and their limits on size (RFC 9110,
// RFC 9112).

package head

import (
	"bytes"
	"net/http"
	"strings"

	"sallyport/rules"
)

// Limits of a request head.
const (
	maxTarget  = 32 << 10 // octets of the target with its query; signed URLs have their signatures in the query
	maxPath    = 8000     // without the query; RFC 9112, section 3, recommends 8000 octets for a request line
	maxFields  = 32 << 10 // all fields, with the empty line
	maxMethod  = 32
	maxHeaders = 200

	MaxRequestLine = maxMethod + len(" ") + maxTarget + len(" HTTP/1.1\r\n")
	MaxHead        = MaxRequestLine + maxFields
)

// A Form is how a request names its target (RFC 9112, section 3.2).
type Form uint8

// The accepted forms.
const (
	FormNone      Form = iota
	FormAuthority      // CONNECT host:port
	FormAbsolute       // GET http://host/path
	FormOrigin         // GET /path
	FormAsterisk       // OPTIONS *
)

// A Head is a well-formed request head.
type Head struct {
	Method  string          // a token of at most 32 bytes
	Form    Form            // how the target is written
	Target  rules.Authority // of CONNECT and absolute-form
	path    string          // path and query of the other forms, never empty
	Server  bool            // OPTIONS of an absolute URI without a path, or of an asterisk: about the server
	Host    rules.Authority // the Host field
	HasHost bool            // there is a Host field
	HTTP11  bool            // HTTP/1.1, not 1.0

	contentLength  int64 // -1: not given
	chunked        bool
	close          bool   // the connection closes after the answer
	closes         bool   // a Connection field says close
	Expects        bool   // Expect: 100-continue
	Accept         string // the first Accept field
	Via            string // all Via fields
	hop            hop    // what it asks of this proxy
	Authorization  string // the last Proxy-Authorization field; it is a secret
	Authorizations int    // how many there are

	Len   int    // bytes of the head
	Raw   string // the text that the fault is about, from Recordable
	quiet bool   // the target may contain a secret: no text is recorded
}

// HasBody reports whether bytes of a body follow the head.
func (h *Head) HasBody() bool { return h.chunked || h.contentLength > 0 }

// WantsJSON reports whether the client wants errors as JSON.
func (h *Head) WantsJSON() bool { return strings.Contains(strings.ToLower(h.Accept), "json") }

// Covers reports whether r, which net/http read, is the same request.
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

// Details of the faults with status 414.
const (
	TargetTooLong = "request target longer than 32 KiB"
	PathTooLong   = "path of the request target longer than 8000 octets"
)

// longTarget is a fault with status 414, longFields a fault with status 431.
func longTarget() *headFault {
	return &headFault{rules.SniffTooLong, TargetTooLong}
}

func longFields() *headFault {
	return &headFault{rules.SniffTooLong, "header fields longer than 32 KiB"}
}

// Parse reads a request head from the bytes that a client sent so far. If more is set, they are a
// valid beginning: call Parse again with a longer prefix. A fault is final; h then has the part
// before the fault, which may be used only for the form of the answer. Otherwise the first h.Len
// bytes are a complete head.
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

// beginning judges an incomplete head without reading each byte again and again. It refuses at
// once a wrong first line, and an end of the head that only a lenient parser accepts. The rest
// is judged when the head is complete.
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

// tokenEnd returns where the leading token of b ends. It looks only at as many bytes as a
// method may have.
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
	// The fields are read in any case: Accept sets the form of a refusal.
	if ff := h.parseFields(fields); f == nil {
		f = ff
	}
	if f == nil {
		f = h.agree()
	}
	return f
}

// onlyText refuses bytes that must not be in a head: control bytes except tabs, and line ends
// other than CRLF.
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
	h.Method = strings.Clone(method) // a copy: s is much larger
	switch {
	case len(target) > maxTarget:
		return longTarget()
	case method == "CONNECT":
		return h.connectTarget(target)
	case strings.EqualFold(method, "CONNECT"), method == "PRI", method != http.MethodTrace && strings.EqualFold(method, http.MethodTrace):
		return malformed("method is refused")
	}
	return h.requestTarget(target)
}

// agree judges the parts of a head that must fit together.
func (h *Head) agree() *headFault {
	switch {
	case !h.HasHost && h.HTTP11:
		return malformed("no Host")
	case h.chunked && !h.HTTP11:
		return malformed("Transfer-Encoding in HTTP/1.0")
	case h.chunked && h.contentLength >= 0:
		return malformed("both Content-Length and Transfer-Encoding")
	case h.Form == FormAuthority && h.HasBody():
		return malformed("CONNECT with a body")
	case h.Method == http.MethodTrace && h.HasBody(): // RFC 9110, section 9.3.8
		return malformed("TRACE with a body")
	}
	return nil
}

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !IsTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// IsTokenByte reports whether c may be in a token.
func IsTokenByte(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return c > ' ' && c < 0x7f && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
