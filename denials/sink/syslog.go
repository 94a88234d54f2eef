// Syslog: a record as a message of RFC 5424.

package sink

import (
	"strconv"
	"unicode"
	"unicode/utf8"

	"sallyport/denials/journal"
)

// The severities of the records (RFC 5424, table 2).
const (
	severityError   = 3
	severityWarning = 4
	severityNotice  = 5
	severityInfo    = 6
)

// element is the name of our structured data. 32473 is the number for names that no
// registered enterprise owns (RFC 5612).
const element = "sallyport@32473"

// A syslog writes messages.
type syslog struct {
	facility      int
	host, version string // the host is printable ASCII
}

// append appends the message of a record: its header, its structured data, and body as its MSG.
// body is ASCII without control characters, so it needs no byte order mark (RFC 5424, 6.4).
func (s syslog) append(b []byte, r *journal.Record, body []byte) []byte {
	b = append(b, '<')
	b = strconv.AppendInt(b, int64(s.facility*8+severityOf(r)), 10)
	b = append(b, ">1 "...)
	b = r.Time.UTC().AppendFormat(b, journal.TimeLayout)
	for _, f := range []struct {
		text string
		most int
	}{{s.host, 255}, {"sallyport", 48}, {r.Boot, 128}, {r.Event, 32}} {
		b = append(b, ' ')
		b = append(b, printable(f.text, f.most)...)
	}
	b = append(b, " [origin software=\"sallyport\""...)
	b = parameter(b, "swVersion", s.version, 32)
	b = append(b, "]["+element...)
	b = parameter(b, "id", r.ID(), 128)
	b = parameter(b, "verdict", r.Verdict, 64)
	b = parameter(b, "reason", r.Reason, 64)
	b = parameter(b, "client", r.Client, 64)
	b = parameter(b, "client_name", r.ClientName, 512)
	b = parameter(b, "host", r.Host, 264)
	if r.Port != 0 {
		b = parameter(b, "port", strconv.Itoa(int(r.Port)), 8)
	}
	b = parameter(b, "rule", r.Rule, 512)
	if r.Count > 1 {
		b = parameter(b, "count", strconv.FormatUint(r.Count, 10), 20)
	}
	b = append(b, "] "...)
	return append(b, body...)
}

// severityOf returns the severity of a record.
func severityOf(r *journal.Record) int {
	switch {
	case r.Event == journal.EventReload && len(r.Detail) >= len(refused) && r.Detail[:len(refused)] == refused:
		return severityError
	case r.Event == journal.EventStart, r.Event == journal.EventStop, r.Event == journal.EventReload, r.Verdict == journal.VerdictWouldDeny:
		return severityNotice
	case r.Denied():
		return severityWarning
	}
	return severityInfo
}

// refused begins the detail of a reload that did not take effect.
const refused = "refused"

// parameter appends one SD-PARAM, if the value is not empty. The three characters with a meaning
// are escaped (RFC 5424, 6.3.3); a control character becomes a question mark.
func parameter(b []byte, name, value string, most int) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, ' '), name...), `="`...)
	for i, r := range value {
		if i >= most {
			break
		}
		switch {
		case r == '"' || r == '\\' || r == ']':
			b = append(b, '\\', byte(r))
		case r == utf8.RuneError || !unicode.IsGraphic(r):
			b = append(b, '?')
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// printable returns a field of the header: printable ASCII without spaces, "-" if it is empty.
func printable(s string, most int) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s) && i < most; i++ {
		if c := s[i]; c > ' ' && c < 0x7f {
			b = append(b, c)
		} else {
			b = append(b, '?')
		}
	}
	if len(b) == 0 {
		return "-"
	}
	return string(b)
}

// asciiJSON appends a line of JSON. Each character beyond printable ASCII is escaped, so that the
// value stays the same. White space outside of a text becomes a space.
func asciiJSON(b, line []byte) []byte {
	for i := 0; i < len(line); {
		c := line[i]
		if c < utf8.RuneSelf {
			switch {
			case c == 0x7f:
				b = append(b, `\u007f`...)
			case c < ' ':
				b = append(b, ' ')
			default:
				b = append(b, c)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(line[i:])
		i += size
		if r > 0xffff {
			r -= 0x10000
			b = escaped(b, 0xd800+r>>10)
			r = 0xdc00 + r&0x3ff
		}
		b = escaped(b, r)
	}
	return b
}

// escaped appends one UTF-16 unit as JSON writes it.
func escaped(b []byte, unit rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[unit>>12&15], hex[unit>>8&15], hex[unit>>4&15], hex[unit&15])
}
