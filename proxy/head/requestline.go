// Request line: detects, byte by byte, whether a client's first line is an HTTP/1 request for
// some server, and how long the rest of it is worth waiting for.

package head

import "bytes"

// A Line follows a client's first line until it is a request line, or cannot become a
// request line. Its zero value is ready. In doubt it reports a request: the strict grammar
// of Parse judges afterwards.
//
// A request is every text that some server in use reads as a request, after any number of
// empty lines, blanks and control bytes:
//
//   - a token, a word, and a third word with "HTTP/" in it, whatever follows (Apache takes the
//     rest of the line as the version); or a token and a word that begins with "HTTP/";
//   - a method of letters, a path or URL, any words, and a last word that begins with "HTTP/"
//     (nginx before 1.21.1 allowed blanks in a path);
//   - three words of which the first has any visible bytes and the third is exactly a version
//     (Twisted, wsgiref);
//   - GET and a path or URL, the line of HTTP/0.9;
//   - one of the methods that servers list, a target, and the end of the line, with anything in
//     between: llhttp (Node.js, aiohttp, httptools) reads fields after a line without a
//     version, and after RTSP/1.0 and ICE/1.0; thttpd, GoAhead and Apache before 2.4.25 do so
//     after any third word.
//
// Both versions of the PROXY header, by which load balancers name their clients, count as a
// request: a server reads a name after it.
type Line struct {
	Like Likeness // final once it is not Perhaps
	n    int      // bytes so far
	sig  int      // bytes that match proxyHeader2 from the first one on

	word           int  // the number of the current or last word; 0: before the first
	inside         bool // inside the word, not after it
	length         int  // bytes of the word, without leading control bytes
	leadingControl bool // a control byte before the first word
	token          bool // the first word is a token (RFC 9110, section 5.6.2)
	letters        bool // the first word has only letters, hyphens and underscores
	method         [maxMethod]byte
	size           int // bytes of the first word; method holds as many as fit

	form  targetForm
	url   int  // how much of "://" the last bytes are; 3: it was found
	http  int  // how much of "http/" the last bytes are, in any case
	begun bool // the bytes that http counts are the beginning of the word
	named bool // the last complete word, or this one, begins with "HTTP/"
	clean bool // after "HTTP/" there are only digits and dots
}

// A targetForm is the form of the second word as a request target (RFC 9112, section 3.2).
type targetForm uint8

const (
	formUnknown targetForm = iota // no byte yet
	formPath                      // begins with a slash
	formStar                      // is an asterisk
	formStars                     // begins with an asterisk, which llhttp accepts
	formScheme                    // letters that may become a URL
	formURL                       // has "://"
	formHost                      // anything, for CONNECT
	formWrong                     // no target
)

// maxLine is how far a first line is followed. The longest line that a known server accepts is
// that of Go's net/http: 1 MiB and 4 KiB.
const maxLine = 1<<20 + 4<<10

// Feed follows the next bytes.
func (s *Line) Feed(b []byte) Likeness {
	if s.n == 0 && len(b) > 0 {
		s.Like = Perhaps
	}
	for _, c := range b {
		if s.Like != Perhaps {
			break
		}
		s.Like = s.next(c)
		if s.n++; s.n > maxLine && s.Like == Perhaps {
			s.Like = Unlike
		}
	}
	return s.Like
}

// LooksHTTP returns what Feed returns for b as the first bytes of a line.
func LooksHTTP(b []byte) Likeness {
	s := Line{Like: Perhaps}
	return s.Feed(b)
}

// next follows one byte.
func (s *Line) next(c byte) Likeness {
	if s.sig == s.n && s.sig < len(proxyHeader2) && c == proxyHeader2[s.sig] {
		if s.sig++; s.sig == len(proxyHeader2) {
			return Alike
		}
	}
	switch {
	case s.word == 0 && skippable(rune(c)):
		s.leadingControl = s.leadingControl || !blank(c)
		return Perhaps
	case c == '\n':
		if s.word > 1 && s.targeted() && s.listed() {
			return Alike
		}
		return s.AtEnd()
	case s.word > 0 && blank(c):
		return s.behindWord()
	case !s.inside:
		s.beginWord()
		if !s.mayGoOn() {
			return Unlike
		}
	}
	if s.length == 0 && skippable(rune(c)) { // servers that skip blanks also skip these bytes
		if s.word == 2 && !s.letters {
			s.form = formWrong
		}
		return Perhaps
	}
	s.length++
	s.find(c)
	switch s.word {
	case 1:
		return s.inMethod(c)
	case 2:
		s.inTarget(c)
	}
	if s.http == len("http/") && s.token && (s.word == 3 || s.word == 2 && s.named) {
		return Alike
	}
	return Perhaps
}

func (s *Line) beginWord() {
	s.word++
	s.inside, s.length, s.http, s.begun, s.named, s.clean = true, 0, 0, true, false, false
}

// behindWord handles the blank after a word, and further blanks.
func (s *Line) behindWord() Likeness {
	s.inside = false
	if s.url < len("://") {
		s.url = 0
	}
	if s.word == 1 && s.size == s.n && string(s.method[:min(s.size, len(s.method))]) == "PROXY" {
		return Alike
	}
	return Perhaps
}

// mayGoOn is called where another word begins. It reports whether the line may still be a request.
func (s *Line) mayGoOn() bool {
	return s.word < 4 || s.letters && s.pathOrURL() || s.is("GET") || s.targeted() && s.listed()
}

func (s *Line) pathOrURL() bool { return s.form == formPath || s.url == len("://") }

// is reports whether the first word is the method, ignoring case as lenient servers do.
func (s *Line) is(method string) bool {
	return s.size == len(method) && bytes.EqualFold(s.method[:s.size], []byte(method))
}

// find follows the texts that may be anywhere in a word.
func (s *Line) find(c byte) {
	const scheme, version = "://", "http/"
	if s.url < len(scheme) && s.word > 1 {
		switch {
		case c == scheme[s.url]:
			s.url++
		case c == ':':
			s.url = 1
		default:
			s.url = 0
		}
	}
	s.clean = s.clean && (c >= '0' && c <= '9' || c == '.')
	switch {
	case s.http < len(version) && c|0x20 == version[s.http]|0x20 && (c|0x20 != '/' || c == '/'):
		if s.http++; s.http == len(version) && s.begun {
			s.named, s.clean = true, true
		}
		return
	case s.http == len(version) && s.word == 3:
		return // one blank is enough
	case c|0x20 == 'h':
		s.http = 1
	default:
		s.http = 0
	}
	s.begun = false
}

// inMethod follows one byte of the first word. A method has no control bytes and no bytes beyond
// ASCII.
func (s *Line) inMethod(c byte) Likeness {
	if c <= ' ' || c >= 0x7f {
		return Unlike
	}
	if s.length == 1 {
		s.token, s.letters = true, true
	}
	s.token = s.token && IsTokenByte(c)
	s.letters = s.letters && (c|0x20 >= 'a' && c|0x20 <= 'z' || c == '-' || c == '_')
	if s.size < len(s.method) {
		s.method[s.size] = c
	}
	s.size++
	return Perhaps
}

// inTarget follows the second word.
func (s *Line) inTarget(c byte) {
	letter := c|0x20 >= 'a' && c|0x20 <= 'z'
	switch {
	case s.form == formWrong, s.form == formStars:
	case (c < ' ' || c == 0x7f) && !s.letters:
		s.form = formWrong
	case s.form == formScheme && s.url == len("://"):
		s.form = formURL
	case s.form == formScheme && (letter || c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.' || s.url > 0):
	case s.form == formScheme:
		s.form = formWrong
	case s.form == formStar:
		s.form = formStars
	case s.length > 1:
	case s.is("CONNECT"):
		s.form = formHost
	case c == '/':
		s.form = formPath
	case c == '*':
		s.form = formStar
	case letter:
		s.form = formScheme
	default:
		s.form = formWrong
	}
}

// AtEnd returns the verdict at the end of the line. Some servers take the end of the stream for
// the end of the line.
func (s *Line) AtEnd() Likeness {
	switch {
	case s.word == 0:
	case s.is("GET") && s.word > 1 && s.pathOrURL(),
		s.word > 3 && s.named && s.letters && s.pathOrURL(),
		s.word == 3 && s.named && s.clean:
		return Alike
	}
	return Unlike
}

// A Patience says how long the received bytes are held while the proxy waits for the client's
// next bytes.
type Patience uint8

const (
	None  Patience = iota // do not wait: pass them on and follow the rest
	Brief                 // wait as long as a client needs to send a request in pieces
	Long                  // wait until the deadline, because only a request begins like this
)

// Patience returns how much the line resembles a request line of RFC 9112, section 3: method,
// target and version, separated by blanks of any kind. Lines that only a lenient server reads
// as a request are followed and not held.
func (s *Line) Patience() Patience {
	switch {
	case s.Like == Perhaps && s.sig == s.n:
		return Brief
	case s.Like != Perhaps, s.leadingControl, s.word > 0 && !s.token, s.size > maxMethod:
	case s.word < 2:
		return Brief
	case s.form == formWrong, s.form == formStars, s.form == formScheme && !s.inside, s.word == 3 && !s.begun, s.word > 3:
	case (s.form == formPath || s.form == formURL) && s.known():
		return Long
	default:
		return Brief
	}
	return None
}

// blanks are the bytes that separate words for some server: those of RFC 9112, section 3, and
// Unicode's separators below 0x20.
const blanks = " \t\r\n\v\f\x1c\x1d\x1e\x1f"

// blank reports whether c is a blank for some server. It includes the two separators of Latin-1,
// by which Python's http.server splits a line.
func blank(c byte) bool {
	return bytes.IndexByte([]byte(blanks), c) >= 0 || c == 0x85 || c == 0xa0
}

// skippable reports whether r is a blank or another control byte of ASCII.
func skippable(r rune) bool { return r <= ' ' || r == 0x7f }
