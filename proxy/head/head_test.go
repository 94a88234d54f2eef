// Tests of the request head grammar, written from RFC 9110 and RFC 9112.

package head

import (
	"strings"
	"testing"

	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

const hostLine = "Host: a.example\r\n"

func get(fields string) string { return "GET http://a.example/x HTTP/1.1\r\n" + fields + "\r\n" }

func post(fields string) string {
	return "POST http://a.example/ HTTP/1.1\r\n" + hostLine + fields + "\r\n"
}

func target(t string) string    { return "GET " + t + " HTTP/1.1\r\n" + hostLine + "\r\n" }
func connectTo(t string) string { return "CONNECT " + t + " HTTP/1.1\r\nHost: a.example:443\r\n\r\n" }
func withHost(v string) string  { return get("Host: " + v + "\r\n") }
func version(v string) string   { return "GET http://a.example/ " + v + "\r\n" + hostLine + "\r\n" }

func TestHeadAccepted(t *testing.T) {
	a := rules.Authority{Name: proxytest.Name(t, "a.example"), Port: 80}
	a443 := rules.Authority{Name: proxytest.Name(t, "a.example"), Port: 443}
	a8080 := rules.Authority{Name: proxytest.Name(t, "a.example"), Port: 8080}
	v6, _ := rules.ParseAuthority("[2001:db8::1]:8080", 0)
	cases := []struct {
		name, text string
		want       Head
	}{
		{"absolute-form", get(hostLine),
			Head{Method: "GET", Form: FormAbsolute, Target: a, path: "/x", Host: a, HasHost: true, HTTP11: true}},
		{"upper case, trailing dot, port", "GET HTTP://A.EXAMPLE.:8080/?q=1 HTTP/1.1\r\nhOST:\tA.example:8080 \r\n\r\n",
			Head{Method: "GET", Form: FormAbsolute, Target: a8080, path: "/?q=1", Host: a8080, HasHost: true, HTTP11: true}},
		{"query without path", target("http://a.example?q"),
			Head{Method: "GET", Form: FormAbsolute, Target: a, path: "/?q", Host: a, HasHost: true, HTTP11: true}},
		{"IPv6 literal", "GET http://[2001:db8::1]:8080/ HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n",
			Head{Method: "GET", Form: FormAbsolute, Target: v6, path: "/", Host: v6, HasHost: true, HTTP11: true}},
		{"Host differs, which the policy judges", withHost("b.example"),
			Head{Method: "GET", Form: FormAbsolute, Target: a, path: "/x", Host: rules.Authority{Name: proxytest.Name(t, "b.example"), Port: 80}, HasHost: true, HTTP11: true}},
		{"origin-form", target("//b.example/?a=%zz"),
			Head{Method: "GET", Form: FormOrigin, path: "//b.example/?a=%zz", Host: a, HasHost: true, HTTP11: true}},
		{"HTTP/1.0 without Host", "GET http://a.example/ HTTP/1.0\r\n\r\n",
			Head{Method: "GET", Form: FormAbsolute, Target: a, path: "/", close: true}},
		{"HTTP/1.0 kept alive", "GET http://a.example/ HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
			Head{Method: "GET", Form: FormAbsolute, Target: a, path: "/"}},
		{"close wins", get(hostLine + "Connection: keep-alive, close\r\nConnection: keep-alive\r\n"),
			Head{Method: "GET", Form: FormAbsolute, Target: a, path: "/x", Host: a, HasHost: true, HTTP11: true, close: true, closes: true}},
		{"CONNECT", connectTo("a.example:443"),
			Head{Method: "CONNECT", Form: FormAuthority, Target: a443, Host: a443, HasHost: true, HTTP11: true}},
		{"CONNECT, Host without a port", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n",
			Head{Method: "CONNECT", Form: FormAuthority, Target: a443, Host: a443, HasHost: true, HTTP11: true}},
		{"CONNECT as OpenSSL sends it", "CONNECT a.example:443 HTTP/1.0\r\nProxy-Connection: Keep-Alive\r\n\r\n",
			Head{Method: "CONNECT", Form: FormAuthority, Target: a443, close: true}},
		{"Content-Length", post("Content-Length: 007\r\n"),
			Head{Method: "POST", Form: FormAbsolute, Target: a, path: "/", Host: a, HasHost: true, HTTP11: true, contentLength: 7}},
		{"chunked", post("Transfer-Encoding: CHUNKED\r\nTrailer: X-Sum\r\n"),
			Head{Method: "POST", Form: FormAbsolute, Target: a, path: "/", Host: a, HasHost: true, HTTP11: true, chunked: true}},
		{"Expect, Upgrade, Accept, Via", post("Content-Length: 1\r\nExpect: 100-Continue\r\nUpgrade: websocket\r\nAccept: application/json\r\nVia: 1.1 x\r\n"),
			Head{Method: "POST", Form: FormAbsolute, Target: a, path: "/", Host: a, HasHost: true, HTTP11: true, contentLength: 1,
				Expects: true, hop: hop{websocket: true}, Accept: "application/json", Via: ",1.1 x"}},
		{"WebSocket", get(hostLine + "Connection: keep-alive, Upgrade\r\nUpgrade: h2c, WebSocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
			Head{Method: "GET", Form: FormAbsolute, Target: a, path: "/x", Host: a, HasHost: true, HTTP11: true,
				hop: hop{upgrade: true, websocket: true, keys: 1, key: "dGhlIHNhbXBsZSBub25jZQ=="}}},
		{"TE", get(hostLine + "TE: gzip, Trailers\r\nConnection: te\r\n"),
			Head{Method: "GET", Form: FormAbsolute, Target: a, path: "/x", Host: a, HasHost: true, HTTP11: true, hop: hop{te: true, trailers: true}}},
		{"TRACE", "TRACE http://a.example/ HTTP/1.1\r\n" + hostLine + "Max-Forwards: 007\r\n\r\n",
			Head{Method: "TRACE", Form: FormAbsolute, Target: a, path: "/", Host: a, HasHost: true, HTTP11: true, hop: hop{counted: true, left: 7}}},
		{"asterisk", "OPTIONS * HTTP/1.1\r\n" + hostLine + "\r\n",
			Head{Method: "OPTIONS", Form: FormAsterisk, Server: true, path: "*", Host: a, HasHost: true, HTTP11: true}},
		{"Max-Forwards of another method", get(hostLine + "Max-Forwards: x\r\n"),
			Head{Method: "GET", Form: FormAbsolute, Target: a, path: "/x", Host: a, HasHost: true, HTTP11: true}},
		{"bytes above ASCII in a value", get(hostLine + "X: \xe2\x82\xac\r\n"),
			Head{Method: "GET", Form: FormAbsolute, Target: a, path: "/x", Host: a, HasHost: true, HTTP11: true}},
		{"underscore in an unrelated field", get(hostLine + "X_Y: 1\r\n"),
			Head{Method: "GET", Form: FormAbsolute, Target: a, path: "/x", Host: a, HasHost: true, HTTP11: true}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.want.Len = len(c.text)
			if c.want.contentLength == 0 {
				c.want.contentLength = -1
			}
			got, fault, detail, more := Parse([]byte(c.text + "behind"))
			if fault != 0 || more || got != c.want {
				t.Errorf("fault %v (%s), more %v\n got %+v\nwant %+v", fault, detail, more, got, c.want)
			}
			headBytewise(t, c.text, 0)
		})
	}
	// WinHTTP declares a body of 0 bytes; that is not a body.
	if h, fault, _, _ := Parse([]byte("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nContent-Length: 0\r\n\r\n")); fault != 0 || h.HasBody() {
		t.Error("CONNECT with Content-Length: 0:", fault)
	}
}

func TestHeadRefused(t *testing.T) {
	const bad, badName, long = rules.MalformedRequest, rules.MalformedName, rules.SniffTooLong
	cases := []struct {
		name, text string
		fault      rules.Reason
	}{
		// Lines (RFC 9112, 2.2 and 5.2).
		{"bare LF", "GET http://a.example/ HTTP/1.1\nHost: a.example\n\n", bad},
		{"bare LF after a field", get("Host: a.example\n"), bad},
		{"bare LF as empty line", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\n", bad},
		{"bare CR", get("Host: a.example\rX: y\r\n"), bad},
		{"CR before CRLF", get("Host: a.example\r\r\n"), bad},
		{"obs-fold", get("Host: a.example\r\n b.example\r\n"), bad},
		{"obs-fold in the first field", get(" X: y\r\n" + hostLine), bad},
		{"space before the colon", get("Host : a.example\r\n"), bad},
		{"no colon", get(hostLine + "X\r\n"), bad},
		{"empty field name", get(hostLine + ": x\r\n"), bad},
		{"NUL in a value", get(hostLine + "X: a\x00b\r\n"), bad},
		{"NUL in a name", get(hostLine + "X\x00: b\r\n"), bad},
		{"DEL in a value", get(hostLine + "X: \x7f\r\n"), bad},
		{"escape in a value", get(hostLine + "X: \x1b[31m\r\n"), bad},
		{"vertical tab before a value", post("Transfer-Encoding:\vchunked\r\n"), bad},
		{"empty line first", "\r\n" + get(hostLine), bad},
		// Request line (3).
		{"HTTP/0.9", "GET /\r\n\r\n", bad},
		{"HTTP/2.0", version("HTTP/2.0"), bad},
		{"HTTP/1.2", version("HTTP/1.2"), bad},
		{"HTTP/1.32", version("HTTP/1.32"), bad},
		{"http/1.1", version("http/1.1"), bad},
		{"no version", "GET http://a.example/\r\n" + hostLine + "\r\n", bad},
		{"two spaces", "GET  http://a.example/ HTTP/1.1\r\n" + hostLine + "\r\n", bad},
		{"tab", "GET\thttp://a.example/ HTTP/1.1\r\n" + hostLine + "\r\n", bad},
		{"space after the version", version("HTTP/1.1 "), bad},
		{"no method", " http://a.example/ HTTP/1.1\r\n" + hostLine + "\r\n", bad},
		{"method is no token", "GE(T http://a.example/ HTTP/1.1\r\n" + hostLine + "\r\n", bad},
		{"method of 33", strings.Repeat("M", 33) + " / HTTP/1.1\r\n" + hostLine + "\r\n", bad},
		{"TRACE with a body", "TRACE http://a.example/ HTTP/1.1\r\n" + hostLine + "Content-Length: 1\r\n\r\n", bad},
		{"TRACE with Max-Forwards of -1", "TRACE http://a.example/ HTTP/1.1\r\n" + hostLine + "Max-Forwards: -1\r\n\r\n", bad},
		{"OPTIONS with two Max-Forwards", "OPTIONS http://a.example/ HTTP/1.1\r\n" + hostLine + "Max-Forwards: 1\r\nMAX-FORWARDS: 1\r\n\r\n", bad},
		{"trace", "trace http://a.example/ HTTP/1.1\r\n" + hostLine + "\r\n", bad},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bad},
		{"PRI over HTTP/1.1", "PRI http://a.example/ HTTP/1.1\r\n" + hostLine + "\r\n", bad},
		{"SSH", "SSH-2.0-OpenSSH_10.0\r\n", bad},
		{"TLS", "\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03", bad},
		// Targets (3.2).
		{"asterisk of another method", "GET * HTTP/1.1\r\n" + hostLine + "\r\n", bad},
		{"two asterisks", "OPTIONS ** HTTP/1.1\r\n" + hostLine + "\r\n", bad},
		{"ftp", target("ftp://a.example/"), bad},
		{"file", target("file:///etc/passwd"), bad},
		{"https", target("https://a.example/"), bad},
		{"http:a", target("http:a.example"), bad},
		{"http:/a", target("http:/a.example"), bad},
		{"empty authority", target("http:///x"), bad},
		{"port only", target("http://:80/"), bad},
		{"userinfo", target("http://u:p@a.example/"), bad},
		{"name as user", target("http://a.example@evil.example/"), bad},
		{"fragment", target("http://a.example/#f"), bad},
		{"backslash", target(`http://a.example\@evil.example/`), bad},
		{"percent in the name", target("http://a%2eexample/"), badName},
		{"percent-encoded NUL in the name", target("http://a.example%00.b/"), badName},
		{"broken percent in the path", target("/%zz"), bad},
		{"space in the target", target("http://a.example/a b"), bad},
		{"above ASCII", target("http://b\u00fccher.example/"), bad},
		{"ideographic full stop", target("http://a\u3002example/"), bad},
		{"brackets round a name", target("http://[a.example]/"), bad},
		{"IPv6 zone", target("http://[fe80::1%25lo]/"), bad},
		{"port 0", target("http://a.example:0/"), bad},
		{"port 080", target("http://a.example:080/"), bad},
		{"empty port", target("http://a.example:/"), bad},
		{"two dots", target("http://a.example../"), badName},
		{"octal address", target("http://0177.0.0.1/"), badName},
		{"decimal address", target("http://2130706433/"), badName},
		{"xn-- that decodes to nothing", target("http://xn--.example/"), badName},
		// CONNECT (RFC 9110, 9.3.6).
		{"connect", "connect a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", bad},
		{"CONNECT without port", connectTo("a.example"), bad},
		{"CONNECT with empty port", connectTo("a.example:"), bad},
		{"CONNECT with port 0443", connectTo("a.example:0443"), bad},
		{"CONNECT with port 65536", connectTo("a.example:65536"), bad},
		{"CONNECT with port +443", connectTo("a.example:+443"), bad},
		{"CONNECT with a service name", connectTo("a.example:https"), bad},
		{"CONNECT without host", connectTo(":443"), bad},
		{"CONNECT without target", connectTo(""), bad},
		{"CONNECT to a path", connectTo("/x"), bad},
		{"CONNECT with a path", connectTo("a.example:443/x"), bad},
		{"CONNECT with a path before the port", connectTo("a.example/x:443"), bad},
		{"CONNECT with a query", connectTo("a.example?:443"), bad},
		{"CONNECT with a fragment", connectTo("a.example#:443"), bad},
		{"CONNECT to a URL", connectTo("http://a.example:443"), bad},
		{"CONNECT with userinfo", connectTo("u@a.example:443"), bad},
		{"CONNECT with brackets round a name", connectTo("[a.example]:443"), bad},
		{"CONNECT to an asterisk", connectTo("*:443"), badName},
		{"CONNECT with a NUL", connectTo("a.example\x00:443"), bad},
		{"CONNECT with a label of 64", connectTo(strings.Repeat("a", 64) + ".example:443"), badName},
		{"CONNECT with two trailing dots", connectTo("a.example..:443"), badName},
		{"CONNECT with a list", connectTo("a.example,evil.example:443"), bad},
		{"CONNECT without Host", "CONNECT a.example:443 HTTP/1.1\r\n\r\n", bad},
		{"CONNECT with a body", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nContent-Length: 1\r\n\r\n", bad},
		{"CONNECT chunked", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nTransfer-Encoding: chunked\r\n\r\n", bad},
		// Host (3.2).
		{"no Host", get(""), bad},
		{"two Hosts", get(hostLine + hostLine), bad},
		{"empty Host", withHost(""), bad},
		{"Host with a list", withHost("a.example, b.example"), bad},
		{"Host with a space", withHost("a.example b.example"), bad},
		{"Host with a slash", withHost("a.example/x"), bad},
		{"Host with userinfo", withHost("u@a.example"), bad},
		{"Host with port 65536", withHost("a.example:65536"), bad},
		{"Host that begins with a hyphen", withHost("-a.example"), badName},
		{"Host with percent", withHost("a%2eexample"), badName},
		// Framing (6).
		{"Content-Length and chunked", post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), bad},
		{"chunked and Content-Length", post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), bad},
		{"two Content-Lengths", post("Content-Length: 1\r\nContent-Length: 1\r\n"), bad},
		{"list of Content-Lengths", post("Content-Length: 6, 6\r\n"), bad},
		{"Content-Length +6", post("Content-Length: +6\r\n"), bad},
		{"Content-Length -1", post("Content-Length: -1\r\n"), bad},
		{"Content-Length 0x6", post("Content-Length: 0x6\r\n"), bad},
		{"empty Content-Length", post("Content-Length:\r\n"), bad},
		{"Content-Length of 19 digits", post("Content-Length: 9999999999999999999\r\n"), bad},
		{"Content_Length", post("Content_Length: 6\r\n"), bad},
		{"Transfer-Encoding twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), bad},
		{"xchunked", post("Transfer-Encoding: xchunked\r\n"), bad},
		{"gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n"), bad},
		{"chunked, identity", post("Transfer-Encoding: chunked, identity\r\n"), bad},
		{"quoted chunked", post("Transfer-Encoding: \"chunked\"\r\n"), bad},
		{"identity", post("Transfer-Encoding: identity\r\n"), bad},
		{"Content!Length", post("Content!Length: 6\r\n"), bad},
		{"content~length", post("content~length: 6\r\n"), bad},
		{"Transfer_Encoding", post("Transfer_Encoding: chunked\r\n"), bad},
		{"TRANSFER.ENCODING", post("TRANSFER.ENCODING: chunked\r\n"), bad},
		{"chunked in HTTP/1.0", "POST http://a.example/ HTTP/1.0\r\n" + hostLine + "Transfer-Encoding: chunked\r\n\r\n", bad},
		{"Trailer: Content-Length", post("Transfer-Encoding: chunked\r\nTrailer: X, content-length\r\n"), bad},
		{"Expect of something else", post("Content-Length: 1\r\nExpect: 200-maybe\r\n"), bad},
		{"two Expects", post("Content-Length: 1\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n"), bad},
		// Sizes.
		{"fields over 32 KiB", get(hostLine + "X: " + strings.Repeat("x", maxFields) + "\r\n"), long},
		{"target over 32 KiB", target("/?" + strings.Repeat("x", maxTarget-1)), long},
		{"path over 8000 octets", target("/" + strings.Repeat("x", maxPath)), long},
		{"path over 8000 octets in a URL", target("http://a.example/" + strings.Repeat("x", maxPath) + "?y"), long},
		{"first line that never ends", "GET /" + strings.Repeat("x", 2*maxTarget), long},
		{"201 fields", get(hostLine + strings.Repeat("X: y\r\n", maxHeaders)), long},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h, fault, detail, more := Parse([]byte(c.text))
			if more || fault != c.fault || detail == "" {
				t.Errorf("%+v: fault %v (%s), more %v; want %v", h, fault, detail, more, c.fault)
			}
			if strings.Contains(h.Raw, "p@") {
				t.Errorf("password kept: %q", h.Raw)
			}
			headBytewise(t, c.text, c.fault)
		})
	}
}

// headBytewise gives Parse a head byte by byte. The verdict must be that of the whole head; a
// fault may come earlier.
func headBytewise(t *testing.T, text string, want rules.Reason) {
	t.Helper()
	for n := range len(text) + 1 {
		if _, fault, _, more := Parse([]byte(text[:n])); !more {
			if (fault != 0) != (want != 0) || fault == 0 && n != len(text) {
				t.Errorf("after %d of %d bytes: %v, want %v", n, len(text), fault, want)
			}
			return
		}
	}
	t.Errorf("still incomplete after all bytes")
}

func TestHeadLimits(t *testing.T) {
	line := strings.Repeat("M", maxMethod) + " /" + strings.Repeat("x", maxPath-1) + "?" + strings.Repeat("y", maxTarget-maxPath-1) + " HTTP/1.1\r\n"
	fields := hostLine + "X: " + strings.Repeat("x", maxFields-len(hostLine+"X: \r\n\r\n")) + "\r\n\r\n"
	if _, fault, _, more := Parse([]byte(line + fields)); len(line+fields) != MaxHead || fault != 0 || more {
		t.Errorf("head of %d bytes: %v %v", len(line+fields), fault, more)
	}
	for _, c := range []struct{ text, detail string }{
		{strings.Replace(line, "?", "?y", 1) + fields, TargetTooLong}, {strings.Replace(line, "?", "?y", 1), TargetTooLong},
		{strings.Replace(line, "?y", "x?", 1) + fields, PathTooLong},
		{line[:len(line)-len("\r\n")] + "xxx", TargetTooLong}, {"GET / HTTP/1.1\r\nX" + fields, longFields().detail},
		{"GET / HTTP/1.1\r\nX" + fields[:len(fields)-1], longFields().detail},
	} {
		if _, fault, detail, more := Parse([]byte(c.text)); fault != rules.SniffTooLong || detail != c.detail || more {
			t.Errorf("%d bytes: %v (%s), more %v; want %s", len(c.text), fault, detail, more, c.detail)
		}
	}
	if _, fault, _, more := Parse([]byte(get(hostLine + strings.Repeat("X: y\r\n", maxHeaders-1)))); fault != 0 || more {
		t.Errorf("200 fields: %v %v", fault, more)
	}
}
