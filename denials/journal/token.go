// Token: reads the scalars of flat JSON without a general parser.

package journal

import (
	"encoding/json"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

func (d *decoder) space() {
	for d.i < len(d.b) {
		switch d.b[d.i] {
		case ' ', '\t', '\r', '\n':
			d.i++
		default:
			return
		}
	}
}

// next skips space and then c, if c is there.
func (d *decoder) next(c byte) bool {
	d.space()
	if d.i < len(d.b) && d.b[d.i] == c {
		d.i++
		return true
	}
	return false
}

// token returns the next scalar: a string with its quotes, a number, true,
// false or null.
func (d *decoder) token() ([]byte, bool) {
	d.space()
	start := d.i
	if d.i == len(d.b) {
		return nil, false
	}
	if d.b[d.i] == '"' {
		for d.i++; d.i < len(d.b); d.i++ {
			switch d.b[d.i] {
			case '\\':
				d.i++
			case '"':
				d.i++
				return d.b[start:d.i], true
			}
		}
		return nil, false
	}
	for d.i < len(d.b) {
		if c := d.b[d.i]; c != '-' && c != '+' && c != '.' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			break
		}
		d.i++
	}
	t := d.b[start:d.i]
	if _, ok := number(t); ok {
		return t, true // the usual case
	}
	return t, len(t) > 0 && json.Valid(t)
}

// number reads a natural number without leading zeros.
func number(t []byte) (n uint64, ok bool) {
	if len(t) == 0 || len(t) > 20 || t[0] == '0' && len(t) > 1 {
		return 0, false
	}
	for _, c := range t {
		if c < '0' || c > '9' {
			return 0, false
		}
		m := n*10 + uint64(c-'0')
		if n > (1<<64-1)/10 || m < n*10 {
			return 0, false
		}
		n = m
	}
	return n, true
}

func flag(t []byte) (v, ok bool) { return t[0] == 't', t[0] == 't' || t[0] == 'f' }

// simple reports whether a quoted string has no escapes.
func simple(v []byte) bool {
	for _, c := range v[1 : len(v)-1] {
		if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// string reads a quoted string.
func (d *decoder) string(v []byte) (string, bool) {
	if v[0] != '"' {
		return "", false
	}
	if simple(v) {
		return d.hold(v[1 : len(v)-1]), true
	}
	var ok bool
	if d.plain, ok = unescape(d.plain[:0], v[1:len(v)-1]); ok {
		return d.hold(d.plain), true
	}
	return slowString(v)
}

// slowString is a separate function because its variable escapes to the heap.
func slowString(v []byte) (string, bool) {
	var s string
	err := json.Unmarshal(v, &s)
	return s, err == nil
}

// unescape appends the content of a quoted string. It returns false if the
// string is invalid or has an escape that we never write. In that case,
// encoding/json decides.
func unescape(to, v []byte) ([]byte, bool) {
	if !utf8.Valid(v) {
		return to, false
	}
	for i := 0; i < len(v); i++ {
		c := v[i]
		if c < ' ' {
			return to, false
		}
		if c != '\\' {
			to = append(to, c)
			continue
		}
		i++
		switch v[i] { // token has checked that another octet follows
		case '"', '\\':
			to = append(to, v[i])
		case 'n':
			to = append(to, '\n')
		case 'r':
			to = append(to, '\r')
		case 't':
			to = append(to, '\t')
		case 'u':
			r, ok := hex4(v[i+1:])
			if !ok || utf16.IsSurrogate(r) {
				return to, false
			}
			to = utf8.AppendRune(to, r)
			i += 4
		default:
			return to, false
		}
	}
	return to, true
}

func hex4(v []byte) (r rune, ok bool) {
	if len(v) < 4 {
		return 0, false
	}
	for _, c := range v[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// hold returns b as a string. It reuses an equal string that it already stores.
func (d *decoder) hold(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := d.texts[string(b)]; ok {
		return s
	}
	if d.held > heldMax {
		clear(d.texts)
		d.held = 0
	}
	s := string(b)
	d.held += len(s) + 48
	d.texts[s] = s
	return s
}

// time reads a time in the form that we write, or any other RFC 3339 time.
func (d *decoder) time(v []byte) (time.Time, bool) {
	if t, ok := fastTime(v); ok {
		return t, true
	}
	s, ok := d.string(v)
	if !ok {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t.UTC(), err == nil
}

// fastTime reads a time in exactly the form of TimeLayout, in quotes.
func fastTime(v []byte) (time.Time, bool) {
	const shape = `"0000-00-00T00:00:00.000000Z"`
	if len(v) != len(shape) {
		return time.Time{}, false
	}
	for i := range len(shape) {
		if shape[i] == '0' && (v[i] < '0' || v[i] > '9') || shape[i] != '0' && v[i] != shape[i] {
			return time.Time{}, false
		}
	}
	at := func(i, n int) (x int) {
		for _, c := range v[i : i+n] {
			x = x*10 + int(c-'0')
		}
		return x
	}
	y, mo, d, h, mi, s := at(1, 4), at(6, 2), at(9, 2), at(12, 2), at(15, 2), at(18, 2)
	if mo < 1 || mo > 12 || d < 1 || h > 23 || mi > 59 || s > 59 {
		return time.Time{}, false
	}
	t := time.Date(y, time.Month(mo), d, h, mi, s, at(21, 6)*1000, time.UTC)
	return t, t.Day() == d
}
