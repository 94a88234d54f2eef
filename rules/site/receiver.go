// Receiver: where a parent or a sink listens, from its url; and the host that a text means where
// only a host may be.

package site

import (
	"fmt"
	"net/netip"
	"strings"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// readReceiver reads the host and the port behind the "://" of a url. what names the kind of the
// receiver, and port is its usual port. Nothing of the url that may be a password is in a problem.
func readReceiver(t *tomldoc.Table, what, scheme, rest string, port int) (rules.Authority, bool) {
	text := scheme + "://" + rest
	path := ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest, path = rest[:i], rest[i:]
	}
	at, err := rules.ParseAuthority(rest, 0)
	host, number := rest, ""
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		host, number = rest[:i], rest[i+1:]
	}
	_, missing := rules.ParseAuthority(rest, 1)
	_, bare := netip.ParseAddr(rest)
	switch {
	case err == nil && (path == "" || path == "/"):
		return at, true
	case err == nil:
		t.Errorf("url", "%q: a %s has no path: write %q", text, what, scheme+"://"+rest)
	case missing == nil:
		t.Errorf("url", "%q: the port is missing, like :%d", text, port)
	case host == "":
		t.Errorf("url", "%q: the host is missing: write a name or an address before :%s", text, number)
	case bare == nil: // fd00::9:601 is an address too
		t.Errorf("url", "%q: write an IPv6 address in brackets, and the port behind it, like %q", text, fmt.Sprintf("%s://[%s]:%s", scheme, strings.TrimSuffix(host, ":"), number))
	default:
		t.Errorf("url", "%q: %v", text, err)
	}
	return rules.Authority{}, false
}

// hostIn returns the host of a URL, or of a host with a port or a path; "" if the text is none of
// these.
func hostIn(text string) string {
	_, rest, ok := strings.Cut(text, "://")
	if !ok {
		rest = text
	}
	rest, _, _ = strings.Cut(rest, "/")
	if at, err := rules.ParseAuthority(rest, 1); err == nil && at.Host() != text {
		return at.Host()
	}
	return ""
}

// alone is the end of a problem about a text that is more than a host; "" if no host is in it.
func alone(text string) string {
	if host := hostIn(text); host != "" {
		return fmt.Sprintf(": write the host alone: %q", host)
	}
	return ""
}
