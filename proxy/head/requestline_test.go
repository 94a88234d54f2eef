// Request line tests: every line that some server reads as a request is found, and other
// protocols are not held up for long.

package head

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestLineScan(t *testing.T) {
	for _, c := range []struct {
		first string
		like  Likeness
		wait  Patience // if like is Perhaps
	}{
		{"GET / HTTP/1.1\r\n", Alike, None},
		{"get / http/1.1\n", Alike, None},
		{"GET\v/\vHTTP/1.1\r\n", Alike, None},
		{"GET\f/\fHTTP/1.1\r\n", Alike, None},
		{"GET\x1c/\x1cHTTP/1.1\r\n", Alike, None},
		{"GET /\x01 HTTP/1.1\r\n", Alike, None},
		{"GET /\x00 HTTP/1.1\r\n", Alike, None},
		{"GET /\x7f\xff HTTP/1.1\r\n", Alike, None},
		{"GET / \x01HTTP/1.1\r\n", Alike, None},
		{"GET\x85/\xa0HTTP/1.1\r\n", Alike, None},
		{"\x01GET / HTTP/1.1\r\n", Alike, None},
		{"\x01\r\n\r\nGET / HTTP/1.1\r\n", Alike, None},
		{" \t\v\r\n\n GET / HTTP/1.1\r\n", Alike, None},
		{"\x00\x00GET / HTTP/1.1\r\n", Alike, None},
		{"(GET) / HTTP/1.1\r\n", Alike, None},
		{"GET / HTTP/", Alike, None}, // whatever the rest of the line is
		{"GET HTTP/", Alike, None},
		{"7 x xHTTP/", Alike, None},
		{"PRI * HTTP/2.0\r\n", Alike, None},
		{"GET /a b c HTTP/1.1 \r\n", Alike, None},
		{"POST http://evil.example/ b c HTTP/1.1\r\n", Alike, None},
		{"GET http://evil.example/\r\n", Alike, None}, // HTTP/0.9
		{"\r\n get\t /\n", Alike, None},
		{"GET  gopher://evil.example\n", Alike, None},
		{"GET a b c://d\n", Alike, None},
		{"POST /\r\n", Alike, None}, // llhttp reads fields after such a line
		{"DELETE /x \n", Alike, None},
		{"OPTIONS *\r\n", Alike, None},
		{"QUERY *x\r\n", Alike, None},
		{"connect 1.2.3.4:443\r\n", Alike, None},
		{"POST / RTSP/1.0\r\n", Alike, None},
		{"DESCRIBE rtsp://evil.example/ RTSP/1.0\r\n", Alike, None},
		{"GET_PARAMETER /x RTSP/1.0\r\n", Alike, None},
		{"SOURCE /x ICE/1.0\r\n", Alike, None},
		{"POST /x FOO\r\n", Alike, None}, // thttpd, Apache before 2.4.25
		{"PUT /x a b c\r\n", Alike, None},
		{"PLAY * a b c\r\n", Alike, None},
		{"CONNECT evil.example:443 a b\r\n", Alike, None},
		{"PROXY ", Alike, None},
		{proxyHeader2, Alike, None},

		{"", Perhaps, Brief},
		{"\r\n", Perhaps, Brief},
		{" \v\f\x1f", Perhaps, Brief},
		{"\r\n\r\n\x00", Perhaps, Brief},
		{"G", Perhaps, Brief},
		{"VERSION-CONTROL", Perhaps, Brief},
		{"GET ", Perhaps, Brief},
		{"GET ke", Perhaps, Brief},
		{"GET key ", Perhaps, None},
		{"GET /", Perhaps, Long},
		{"GET /\x01", Perhaps, Long},
		{"GET http:", Perhaps, Brief},
		{"GET http://evil.example/", Perhaps, Long},
		{"get /key ", Perhaps, Long},
		{"get /key htt", Perhaps, Long},
		{"get /key x", Perhaps, None},
		{"MKCOL /", Perhaps, Brief}, // without its end the line is no request, because no field follows
		{"MKCOL / HT", Perhaps, Brief},
		{"OPTIONS *", Perhaps, Brief},
		{"OPTIONS *x", Perhaps, None},
		{"CONNECT 1.2.3.4:443", Perhaps, Brief},
		{strings.Repeat("M", maxMethod+1), Perhaps, None},
		{"GET\v", Perhaps, Brief},
		{"\vGET\v\x00", Perhaps, Brief},
		{"0032git-upload-pack /p.git\x00host=a.example\x00", Perhaps, None},
		{`{"method":"hello"}`, Perhaps, None},
		{"\x00\x01\x02", Perhaps, None},
		{"83 <34>1", Perhaps, None},
		{"GET /a b c HTTP/1.1", Perhaps, None},

		{"GET key\r\n", Unlike, None}, // a request to a cache
		{"GETEX /\r\n", Unlike, None},
		{"DELETE key\r\n", Unlike, None},
		{"LOGIN /x\r\n", Unlike, None}, // no server has this method
		{strings.Repeat("M", 40) + " /x\r\n", Unlike, None},
		{"EHLO client\r\n", Unlike, None},
		{"SSH-2.0-x\r\n", Unlike, None},
		{"SSH-2.0\x00", Unlike, None},
		{"\x00\x00\x00\x08\x04\xd2\x16\x2f", Unlike, None}, // PostgreSQL, SSLRequest
		{"\x00\x00\x00\x30\x00\x03\x00\x00user\x00me\x00", Unlike, None},
		{"83 <34>1 2026-11-30T06:00:00Z h", Unlike, None},
		{"say /x HTTPS a b\n", Unlike, None},
		{`<34>1 2026-11-30T06:00:00Z host nginx - - - "GET / HTTP/1.1" 200` + "\n", Unlike, None},
		{`83 <34>1 2026-11-30T06:00:00Z host nginx - - - "GET / HTTP/1.1" 200`, Unlike, None},
		{`{"time":"6:00","request":"GET / HTTP/1.1"}` + "\n", Unlike, None},
		{"put nginx.requests 1356998400 42 proto=HTTP/1.1\n", Unlike, None},
	} {
		s := Line{Like: Perhaps}
		if got := s.Feed([]byte(c.first)); got != c.like {
			t.Errorf("%q: %d, want %d", c.first, got, c.like)
		} else if got == Perhaps && s.Patience() != c.wait {
			t.Errorf("%q: held by patience %d, want %d", c.first, s.Patience(), c.wait)
		}
	}
}

// A line without an end is followed as far as any server would read it.
func TestLineScanEnds(t *testing.T) {
	s := Line{Like: Perhaps}
	if got := s.Feed([]byte("GET /" + strings.Repeat("a", 1<<20-5))); got != Perhaps {
		t.Errorf("1 MiB: %d", got)
	}
	if got := s.Feed(make([]byte, maxLine)); got != Unlike {
		t.Errorf("beyond maxLine: %d", got)
	}
}

// methods are those of llhttp 9: METHODS_HTTP, METHODS_RTSP, METHODS_ICE.
const methods = "delete|get|head|post|put|connect|options|trace|copy|lock|mkcol|move|propfind|proppatch|search|unlock|" +
	"bind|rebind|unbind|acl|report|mkactivity|checkout|merge|m-search|notify|subscribe|unsubscribe|patch|purge|mkcalendar|" +
	"link|unlink|query|pri|source|describe|announce|setup|play|pause|teardown|get_parameter|set_parameter|redirect|record|flush"

// requestLines is the slow twin of Line: complete lines, as regular expressions.
var requestLines = []*regexp.Regexp{
	expand("^TOKEN+B+N+B+N*http/"),
	expand("^TOKEN+B+C*http/"),
	expand("^[!-~]+B+N+B+C*http/[0-9.]*B*$"),
	expand("^[a-z_-]+B+(C*/|N*://|.*B+N*://).*B+C*http/N*B*$"),
	expand("^get(B+C*/|B.*://)"),
}

// requestLinesEnded are for lines whose end has come.
var requestLinesEnded = []*regexp.Regexp{
	expand("^(" + methods + ")B+C*([/*]|B*N*://|.*B+N*://)"),
	expand("^connectB+C*N"),
}

// expand makes an expression of abbreviations: a blank (B), anything else (N), a byte that is
// skipped at the beginning of a word (C), a byte of a token (TOKEN).
func expand(s string) *regexp.Regexp {
	return regexp.MustCompile("(?is)" + strings.NewReplacer("TOKEN", "[!#$%&'*+\\-.^_|~0-9a-z`]",
		"B", `[ \t\r\n\v\f\x1c-\x1f\x85\xa0]`, "N", `[^ \t\r\n\v\f\x1c-\x1f\x85\xa0]`, "C", `[\x00-\x08\x0e-\x1b\x7f]`).Replace(s))
}

// latin returns one rune for each byte, as package regexp reads UTF-8.
func latin(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// twin reports whether b, followed by its end, is a request.
func twin(b []byte) bool {
	if bytes.HasPrefix(b, []byte(proxyHeader2)) || bytes.HasPrefix(b, []byte("PROXY")) && len(b) > 5 && blank(b[5]) && b[5] != '\n' {
		return true
	}
	line, _, ended := strings.Cut(latin(bytes.TrimLeftFunc(b, skippable)), "\n")
	is := func(re *regexp.Regexp) bool { return re.MatchString(line) }
	return slices.ContainsFunc(requestLines, is) || ended && slices.ContainsFunc(requestLinesEnded, is)
}

// FuzzLineScan compares Line with its twin, however the bytes are cut, and with the strict
// grammar: a head that Parse accepts is a request.
func FuzzLineScan(f *testing.F) {
	for _, s := range []string{"GET / HTTP/1.1\r\n", "\x01\r\nPOST\v/\x1chttp/1", "GET /a b HTTP/1.1", "(x) y HTTP/1.1\n", "get a ://", "PROXY x",
		proxyHeader2, "a http/", "83 <34>1 2026", "GET\x85/\xa0HTTP/1.1", "A * \x01Http/1.0 \n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "M HTTP/1.1 x y\n", "POST /\r\n", "PLAY *x y\n", "connect x\n"} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		whole, pieces := Line{Like: Perhaps}, Line{Like: Perhaps}
		like := whole.Feed(b)
		for _, piece := range split(b, int(cut)+1) {
			pieces.Feed(piece)
		}
		if pieces != whole {
			t.Fatalf("%q in pieces: %+v, whole: %+v", b, pieces, whole)
		}
		if like == Perhaps {
			like = whole.AtEnd()
		}
		if (like == Alike) != twin(b) {
			t.Errorf("%q: %d, its twin says %v", b, like, twin(b))
		}
		if _, fault, _, more := Parse(b); fault == 0 && !more && like != Alike {
			t.Errorf("%q is a head", b)
		}
	})
}
