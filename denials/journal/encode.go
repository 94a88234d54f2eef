// Encode: writes a record as one line of JSON by hand, into a reused buffer.

package journal

import (
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxLine bounds a written line, its newline included.
const MaxLine = 16 << 10

// Caps of values in octets as written, escapes included. Together with the
// names and numbers of all fields they stay below MaxLine.
const (
	capRaw    = 4096
	capHint   = 2048
	capDetail = 1024
	capSource = 1024
	capText   = 512  // names from the configuration
	capHost   = 264  // a name, or an address, and a port
	capWord   = 64   // a value of a closed set, or an address and a port
	capNames  = 1536 // a list of names
	capAddrs  = 1024 // a list of addresses
	capList   = 16   // elements of a list, except own and omitted
	capOwn    = 4096 // the addresses of a host
)

// TimeLayout is the form of a record's time: UTC with microseconds.
const TimeLayout = "2006-01-02T15:04:05.000000Z"

// Append appends r as one line of JSON with its newline, in the documented
// order of the fields. Fields that do not apply are absent.
func (r *Record) Append(b []byte) []byte {
	l := line{b: append(b, `{"schema":`...), cut: r.Truncated}
	l.b = strconv.AppendInt(l.b, int64(r.Schema), 10)
	l.b = append(l.b, `,"time":"`...)
	l.b = r.Time.UTC().Truncate(time.Microsecond).AppendFormat(l.b, TimeLayout)
	l.b = append(l.b, '"')
	l.number("seq", r.Seq)
	l.text("boot", r.Boot, capWord)
	l.text("event", r.Event, capWord)
	if r.Event == EventStart {
		l.list("own", r.Own, capOwn)
	}
	l.text("verdict", r.Verdict, capWord)
	l.text("mode", r.Mode, capWord)
	l.text("via", r.Via, capWord)
	l.text("client", r.Client, capWord)
	l.number("client_port", uint64(r.ClientPort))
	l.flag("source_proven", r.SourceProven)
	l.text("client_name", r.ClientName, capText)
	l.text("identity", r.Identity, capText)
	l.text("profile", r.Profile, capText)
	l.text("host", r.Host, capHost)
	l.text("host_raw", r.HostRaw, capRaw)
	l.text("authority", r.Authority, capHost)
	l.text("dest", r.Dest, capWord)
	l.number("port", uint64(r.Port))
	l.text("proto", r.Proto, capWord)
	l.text("qtype", r.QType, capWord)
	l.text("http_host", r.HTTPHost, capHost)
	l.flag("host_ignored", r.HostIgnored)
	l.text("sni", r.SNI, capHost)
	l.text("shown", r.Shown, capWord)
	l.text("original_dst", r.OriginalDst, capWord)
	l.flag("by_address", r.ByAddress)
	l.list("pinned", r.Pinned, capNames)
	l.flag("mismatch", r.Mismatch)
	l.list("resolved", r.Resolved, capAddrs)
	l.text("dialed", r.Dialed, capWord)
	l.text("parent", r.Parent, capWord)
	l.text("dialed_by", r.DialedBy, capWord)
	l.flag("ech", r.ECH)
	l.flag("provisional", r.Provisional)
	l.text("fault", r.Fault, capWord)
	l.text("reason", r.Reason, capWord)
	l.text("detail", r.Detail, capDetail)
	l.text("rule", r.Rule, capText)
	l.text("source", r.Source, capSource)
	l.text("nearest", r.Nearest, capText)
	l.text("hint", r.Hint, capHint)
	l.text("known", r.Known, capText)
	l.number("count", r.Count)
	l.fields("omitted", r.Omitted)
	if r.Event == EventClose {
		l.b = strconv.AppendUint(append(l.b, `,"bytes_in":`...), r.BytesIn, 10)
		l.b = strconv.AppendUint(append(l.b, `,"bytes_out":`...), r.BytesOut, 10)
		l.b = strconv.AppendInt(append(l.b, `,"duration_ms":`...), r.DurationMS, 10)
	}
	l.number("flow", r.Flow)
	l.flag("truncated", l.cut)
	return append(l.b, '}', '\n')
}

// A line is a record under construction.
type line struct {
	b   []byte
	cut bool // a value was longer than its cap
}

func (l *line) key(k string) {
	l.b = append(l.b, ',', '"')
	l.b = append(l.b, k...)
	l.b = append(l.b, '"', ':')
}

func (l *line) number(k string, n uint64) {
	if n != 0 {
		l.key(k)
		l.b = strconv.AppendUint(l.b, n, 10)
	}
}

func (l *line) flag(k string, v bool) {
	if v {
		l.key(k)
		l.b = append(l.b, "true"...)
	}
}

func (l *line) text(k, v string, limit int) {
	if v != "" {
		l.key(k)
		l.quote(v, limit)
	}
}

// list writes as many elements as fit: at most capList of them, in at most
// limit octets.
func (l *line) list(k string, vs []string, limit int) {
	if len(vs) == 0 {
		return
	}
	mark := len(l.b)
	l.key(k)
	l.b = append(l.b, '[')
	end := len(l.b) + limit
	for i, v := range vs {
		before := len(l.b)
		if i > 0 {
			l.b = append(l.b, ',')
		}
		was := l.cut
		l.cut = false
		l.quote(v, capHost)
		if l.cut || len(l.b) > end || i >= capList && k != "omitted" && k != "own" {
			l.b, l.cut = l.b[:before], true
			break
		}
		l.cut = was
	}
	if l.b[len(l.b)-1] == '[' { // not even one element fits
		l.b = l.b[:mark]
		return
	}
	l.b = append(l.b, ']')
}

// fields writes the names of a set of fields.
func (l *line) fields(k string, set Omitted) {
	if set == 0 {
		return
	}
	l.key(k)
	l.b = append(l.b, '[')
	for i, text := range omittedTexts {
		if set&(1<<i) != 0 {
			l.b = append(l.b, '"')
			l.b = append(append(l.b, text...), '"', ',')
		}
	}
	l.b[len(l.b)-1] = ']'
}

func b2i(v bool) int {
	if v {
		return 1
	}
	return 0
}

// quote writes v as a JSON string with at most limit octets between the quotes.
// It escapes every character that a terminal or a viewer might obey or hide:
// controls, line and paragraph separators, bidirectional and other format
// characters, and unassigned code points. It writes a byte that is not UTF-8 as the text \x and
// two digits.
func (l *line) quote(v string, limit int) {
	l.b = append(l.b, '"')
	end := len(l.b) + limit
	for i := 0; i < len(v); {
		mark := len(l.b)
		n := 1
		if c := v[i]; c < utf8.RuneSelf {
			l.ascii(c)
		} else {
			n = l.rune(v[i:])
		}
		if len(l.b) > end {
			l.b, l.cut = l.b[:mark], true
			break
		}
		i += n
	}
	l.b = append(l.b, '"')
}

const hexDigits = "0123456789abcdef"

func (l *line) ascii(c byte) {
	switch {
	case c == '"' || c == '\\':
		l.b = append(l.b, '\\', c)
	case c >= ' ' && c < 0x7f:
		l.b = append(l.b, c)
	case c == '\n':
		l.b = append(l.b, '\\', 'n')
	case c == '\r':
		l.b = append(l.b, '\\', 'r')
	case c == '\t':
		l.b = append(l.b, '\\', 't')
	default:
		l.unicode(rune(c))
	}
}

// rune writes the first character of v and returns its length.
func (l *line) rune(v string) int {
	r, n := utf8.DecodeRuneInString(v)
	switch {
	case r == utf8.RuneError && n == 1:
		l.b = append(l.b, '\\', '\\', 'x', hexDigits[v[0]>>4], hexDigits[v[0]&15])
	case unicode.IsPrint(r):
		l.b = append(l.b, v[:n]...)
	case r > 0xffff:
		r -= 0x10000
		l.unicode(0xd800 + r>>10)
		l.unicode(0xdc00 + r&0x3ff)
	default:
		l.unicode(r)
	}
	return n
}

func (l *line) unicode(r rune) {
	l.b = append(l.b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
