// Head, targets: the destination in a request line or a Host field.

package head

import (
	"errors"
	"net/http"
	"strings"

	"sallyport/rules"
)

// The default port of http.
const portHTTP = 80

// connectTarget reads the authority-form: host and port, nothing else.
func (h *Head) connectTarget(target string) *headFault {
	h.Form = FormAuthority
	h.quiet = strings.Contains(target, "@")
	var f *headFault
	h.Target, f = h.authority(target, 0, "CONNECT target")
	return f
}

// requestTarget reads the absolute-form of scheme http, the origin-form and the asterisk-form.
func (h *Head) requestTarget(target string) *headFault {
	h.quiet = strings.Contains(target, "@")
	for i := 0; i < len(target); i++ {
		if c := target[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return malformed("forbidden byte in the request target")
		}
	}
	if strings.HasPrefix(target, "/") {
		h.Form = FormOrigin
		return h.setPath(target)
	}
	if target == "*" && h.Method == http.MethodOptions {
		h.Form, h.Server, h.path = FormAsterisk, true, target
		return nil
	}
	const scheme = "http://"
	if len(target) < len(scheme) || !strings.EqualFold(target[:len(scheme)], scheme) {
		return malformed("request target is neither a path nor an http:// URL")
	}
	h.Form = FormAbsolute
	authority, path := target[len(scheme):], "/"
	if i := strings.IndexAny(authority, "/?"); i >= 0 {
		authority, path = authority[:i], authority[i:]
	} else {
		h.Server = h.Method == http.MethodOptions
	}
	if path[0] == '?' {
		path = "/" + path
	}
	var f *headFault
	if h.Target, f = h.authority(authority, portHTTP, "request target"); f != nil {
		return f
	}
	return h.setPath(path)
}

// setPath checks and keeps path and query. Percent signs in the path must encode bytes:
// net/http answers by itself if they do not.
func (h *Head) setPath(target string) *headFault {
	path, _, _ := strings.Cut(target, "?")
	if len(path) > maxPath {
		return &headFault{rules.SniffTooLong, PathTooLong}
	}
	for i := strings.IndexByte(path, '%'); i >= 0; {
		if i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2]) {
			return malformed("broken percent-encoding in the path")
		}
		next := strings.IndexByte(path[i+3:], '%')
		if next < 0 {
			break
		}
		i += 3 + next
	}
	h.path = target
	return nil
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// authority reads host:port. If only the bytes of the name are wrong, the fault is a
// MalformedName, otherwise a MalformedRequest.
func (h *Head) authority(text string, defaultPort uint16, what string) (rules.Authority, *headFault) {
	// This is a copy: a part of the head would keep all of it in memory as long as the name lives.
	a, err := rules.ParseAuthority(strings.Clone(text), defaultPort)
	if err == nil {
		return a, nil
	}
	if h.Raw = Recordable(text); h.quiet {
		h.Raw = ""
	}
	if nameFault(err) && !strings.ContainsAny(text, "[]@/?#\\, \t") {
		return rules.Authority{}, &headFault{rules.MalformedName, what + ": " + err.Error()}
	}
	if strings.Contains(text, "@") {
		return rules.Authority{}, malformed(what + " has userinfo")
	}
	if !nameFault(err) && !errors.Is(err, rules.ErrAddressZone) {
		return rules.Authority{}, malformed(what + " has no valid port")
	}
	return rules.Authority{}, malformed(what + " is not host and port")
}

// Recordable returns the part of an unreadable host that the journal may keep. It returns "" if
// text has an @, because a lenient reader may take the text before it for a password. Recordable
// removes paths, queries and parameters.
func Recordable(text string) string {
	if strings.Contains(text, "@") {
		return ""
	}
	if i := strings.IndexAny(text, "/?#;"); i >= 0 {
		text = text[:i]
	}
	return text
}

// nameFault reports whether err is about the bytes of a name that is present.
func nameFault(err error) bool {
	switch err {
	case rules.ErrNameLong, rules.ErrLabelEmpty, rules.ErrLabelLong, rules.ErrNameByte,
		rules.ErrNameHyphen, rules.ErrNameNumeric, rules.ErrNameIDN:
		return true
	}
	return false
}
