// Denial page: the body and status of every refusal that HTTP clients see.

package proxy

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"sallyport/proxy/head"
	"sallyport/rules"
)

// errorBody is the JSON of a refusal.
type errorBody struct {
	Error  string `json:"error"` // "denied", or "upstream" where a permitted destination failed
	Reason string `json:"reason"`
	Hint   string `json:"hint,omitempty"`
	Source string `json:"source,omitempty"` // the document of the rule that the hint names
	Host   string `json:"host,omitempty"`
	Port   uint16 `json:"port,omitempty"`
}

// statusOf returns the HTTP status of a denial.
func statusOf(a rules.Attempt, d rules.Decision) int {
	switch d.Why() {
	case rules.MalformedRequest, rules.MalformedName:
		return http.StatusBadRequest
	case rules.SniffTimeout:
		return http.StatusRequestTimeout
	case rules.SniffTooLong:
		if a.Detail == head.TargetTooLong || a.Detail == head.PathTooLong {
			return http.StatusRequestURITooLong
		}
		return http.StatusRequestHeaderFieldsTooLarge
	case rules.Unauthenticated:
		if d.AsksLogin() {
			return http.StatusProxyAuthRequired
		}
	case rules.Limit, rules.JournalUnavailable, rules.Draining:
		return http.StatusServiceUnavailable
	}
	return http.StatusForbidden
}

// writeError writes the complete answer to a denied request, with reason and hint. The caller
// must close the connection: bytes after a refused CONNECT are not a request (RFC 9931).
func writeError(w io.Writer, status int, a rules.Attempt, d rules.Decision, acceptJSON bool) error {
	body := errorBody{Error: "denied", Reason: d.Why().String(), Hint: rules.Hint(a, d)}
	body.Host, body.Port = wanted(a)
	if d.Nearest != nil && d.Nearest.Document != nil { // the reason of a site's rule is not for clients
		body.Source = d.Nearest.Source()
	}
	return writePage(w, status, body, acceptJSON)
}

// writeFailure writes the complete answer to a permitted request whose destination could not be
// reached: 502 or 504.
func writeFailure(w io.Writer, e *dialError, a rules.Attempt, acceptJSON bool) error {
	body := errorBody{Error: "upstream", Reason: e.cause.DialFault(), Hint: e.help()}
	body.Host, body.Port = wanted(a)
	return writePage(w, e.status(), body, acceptJSON)
}

// wanted returns the destination of an attempt as text, and its port.
func wanted(a rules.Attempt) (string, uint16) {
	if name := a.Target(); !name.IsZero() {
		return name.String(), a.Dest.Port()
	}
	if a.Dest.Addr().IsValid() {
		return a.Dest.Addr().String(), a.Dest.Port()
	}
	return "", a.Dest.Port()
}

// writePage writes one response in one write. The response contains text of the client only if
// that text was parsed.
func writePage(w io.Writer, status int, body errorBody, acceptJSON bool) error {
	var text []byte
	kind := "text/plain; charset=utf-8"
	if acceptJSON {
		kind = "application/json"
		text, _ = json.Marshal(body) // strings and a number: cannot fail
		text = append(text, '\n')
	} else {
		text = body.plain()
	}
	var b bytes.Buffer
	b.Grow(256 + len(text))
	b.WriteString("HTTP/1.1 " + strconv.Itoa(status) + " " + http.StatusText(status) + "\r\n")
	// Clients show the header fields of a refused CONNECT, and seldom its body.
	if status == http.StatusProxyAuthRequired {
		b.WriteString(`Proxy-Authenticate: Basic realm="sallyport", charset="UTF-8"` + "\r\n")
	}
	b.WriteString(body.kind() + ": " + body.Reason + "\r\n")
	if body.Hint != "" {
		b.WriteString("X-Sallyport-Hint: " + headerText(body.Hint) + "\r\n")
	}
	b.WriteString("Content-Type: " + kind + "\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nContent-Length: ")
	b.WriteString(strconv.Itoa(len(text)))
	b.WriteString("\r\nConnection: close\r\n\r\n")
	b.Write(text)
	_, err := w.Write(b.Bytes())
	return err
}

// kind returns the name of the header field that has the reason or the fault.
func (e *errorBody) kind() string {
	if e.Error == "denied" {
		return "X-Sallyport-Reason"
	}
	return "X-Sallyport-Fault"
}

// headerText makes s fit for a header field: only visible ASCII and spaces stay, and a question
// mark replaces every other character.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// plain returns the body as plain text, for people.
func (e *errorBody) plain() []byte {
	var b bytes.Buffer
	b.WriteString("sallyport: ")
	if e.Error == "denied" {
		b.WriteString("denied: " + e.Reason)
	} else {
		b.WriteString("the destination could not be reached: " + e.Reason)
	}
	if e.Host != "" {
		b.WriteString("\ndestination: " + e.Host)
		if e.Port != 0 {
			b.WriteString(" port " + strconv.Itoa(int(e.Port)))
		}
	}
	if e.Hint != "" {
		b.WriteString("\n" + e.Hint)
	}
	if e.Source != "" {
		b.WriteString("\nsource: " + e.Source)
	}
	b.WriteString("\n")
	return b.Bytes()
}

// wantsJSON reports whether a request head asks for JSON.
func wantsJSON(head []byte) bool {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if ok && bytes.EqualFold(name, []byte("accept")) {
			return bytes.Contains(bytes.ToLower(value), []byte("json"))
		}
	}
	return false
}
