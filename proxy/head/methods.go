// Methods: the methods that servers accept.

package head

import "strings"

// known reports whether the method is in RFC 9110, section 9, or RFC 5789.
func (s *Line) known() bool {
	for _, m := range [...]string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"} {
		if s.is(m) {
			return true
		}
	}
	return false
}

// targeted reports whether the second word is a request target, or a later word is a URL.
func (s *Line) targeted() bool {
	return s.pathOrURL() || s.form == formStar || s.form == formStars || s.form == formHost
}

// listed reports whether llhttp knows the method: METHODS_HTTP, METHODS_RTSP and METHODS_ICE.
func (s *Line) listed() bool {
	switch strings.ToUpper(string(s.method[:min(s.size, len(s.method))])) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
		"COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH", "SEARCH", "UNLOCK", "BIND", "REBIND", "UNBIND", "ACL",
		"REPORT", "MKACTIVITY", "CHECKOUT", "MERGE", "M-SEARCH", "NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE", "PURGE",
		"MKCALENDAR", "LINK", "UNLINK", "QUERY", "PRI", "SOURCE",
		"DESCRIBE", "ANNOUNCE", "SETUP", "PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER", "SET_PARAMETER", "REDIRECT", "RECORD", "FLUSH":
		return s.size <= len(s.method)
	}
	return false
}
