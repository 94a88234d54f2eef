// Parent, hidden login: a proxy can repeat a request in its error page, with our login in it (Squid
// before 7.2: CVE-2025-62168). The client gets asterisks instead.

package proxy

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"strings"

	"sallyport/rules"
)

// leastHidden is the length from which a part of a login is hidden. A shorter part could be a word
// of the page.
const leastHidden = 6

// loginParts returns the texts that would show a login. Pages escape signs in many ways, but no
// letters and digits.
func loginParts(l rules.Login) [][]byte {
	if l == (rules.Login{}) {
		return nil
	}
	plain := l.User + ":" + l.Password
	parts := [][]byte{[]byte(plain)}
	if len(l.Password) >= leastHidden {
		parts = append(parts, []byte(l.Password))
	}
	for _, part := range strings.FieldsFunc(base64.StdEncoding.EncodeToString([]byte(plain)), func(r rune) bool { return strings.ContainsRune("+/=", r) }) {
		if len(part) >= leastHidden {
			parts = append(parts, []byte(part))
		}
	}
	return parts
}

// hideLogin hides our login in a parent's answer to a request in absolute-form. A success is the
// destination's answer, so its body is not read, except for TRACE, which repeats the request. Every
// length stays the same.
func (g *grant) hideLogin(resp *http.Response) {
	parts := g.hidden()
	if len(parts) == 0 || resp.StatusCode < 300 && g.head.Method != http.MethodTrace {
		return
	}
	resp.Body = &hiding{ReadCloser: resp.Body, parts: parts}
}

// hidden returns the texts that the answer must not have.
func (g *grant) hidden() [][]byte {
	if g.up == nil || !g.up.link.absolute {
		return nil
	}
	return loginParts(g.up.link.parent.Login)
}

// hideFields hides texts in fields.
func hideFields(h http.Header, parts [][]byte) {
	if len(parts) == 0 {
		return
	}
	for _, values := range h {
		for i, v := range values {
			b := []byte(v)
			hide(b, parts)
			values[i] = string(b)
		}
	}
}

// hide overwrites texts in b.
func hide(b []byte, parts [][]byte) {
	for _, part := range parts {
		for from := 0; ; {
			i := bytes.Index(b[from:], part)
			if i < 0 {
				break
			}
			from += i + len(part)
			copy(b[from-len(part):from], bytes.Repeat([]byte("*"), len(part)))
		}
	}
}

// A hiding is a body without some texts. It keeps bytes back only while they can be the beginning
// of such a text.
type hiding struct {
	io.ReadCloser
	parts [][]byte
	held  []byte
	err   error
}

// Read reads the body.
func (h *hiding) Read(p []byte) (int, error) {
	for {
		if n := min(len(p), h.ready()); n > 0 || len(p) == 0 {
			copy(p, h.held[:n])
			h.held = h.held[n:]
			return n, nil
		}
		if h.err != nil {
			return 0, h.err
		}
		more := make([]byte, max(len(p), 512))
		var n int
		n, h.err = h.ReadCloser.Read(more)
		h.held = append(h.held, more[:n]...)
		hide(h.held, h.parts)
	}
}

// ready returns how many bytes can be passed on.
func (h *hiding) ready() int {
	if h.err != nil {
		return len(h.held)
	}
	kept := 0
	for _, part := range h.parts {
		for n := min(len(part)-1, len(h.held)); n > kept; n-- {
			if bytes.HasSuffix(h.held, part[:n]) {
				kept = n
			}
		}
	}
	return len(h.held) - kept
}
