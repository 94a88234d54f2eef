// Decode: reads one line of the journal back into a record.

package denials

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Why a line is no record.
var (
	errSyntax  = errors.New("not one flat JSON object")
	errNoTime  = errors.New("no time, event or schema")
	errVersion = errors.New("written by a newer version")
)

// A decoder turns lines into records. Values that occur again and again are
// held once, so that a long journal costs little memory. It is not safe for
// concurrent use.
type decoder struct {
	b     []byte
	i     int
	texts map[string]string
	held  int
}

// heldMax bounds the octets of the texts that a decoder holds.
const heldMax = 4 << 20

func newDecoder() *decoder { return &decoder{texts: make(map[string]string)} }

// decode reads one line, with or without its newline, into r. A line that it
// accepts is read alike by encoding/json. Unknown fields are ignored as long
// as the object is flat; of a field that is there twice the last one counts.
func (d *decoder) decode(b []byte, r *Record) error {
	d.b, d.i = b, 0
	*r = Record{Resolved: r.Resolved[:0]}
	if !d.next('{') {
		return errSyntax
	}
	for first := true; !d.next('}'); first = false {
		if !first && !d.next(',') {
			return errSyntax
		}
		key, ok := d.token()
		if !ok || key[0] != '"' || !d.next(':') {
			return errSyntax
		}
		if err := d.field(key, r); err != nil {
			return err
		}
	}
	d.space()
	switch {
	case d.i != len(d.b):
		return errSyntax
	case r.Schema > Schema:
		return errVersion
	case r.Schema < 1 || r.Event == "" || r.Time.IsZero():
		return errNoTime
	}
	return nil
}

// field reads the value of one key.
func (d *decoder) field(key []byte, r *Record) error {
	name, ok := d.string(key)
	if !ok {
		return errSyntax
	}
	if name == "resolved" {
		return d.list(&r.Resolved)
	}
	v, ok := d.token()
	if !ok {
		return errSyntax
	}
	if !d.set(name, v, r) {
		return fmt.Errorf("bad value of %.40q", name)
	}
	return nil
}

// set stores the value of the field name.
func (d *decoder) set(name string, v []byte, r *Record) (ok bool) {
	var n uint64
	switch name {
	case "schema":
		n, ok = number(v)
		r.Schema = int(min(n, 1<<30))
	case "time":
		r.Time, ok = d.time(v)
	case "seq":
		r.Seq, ok = number(v)
	case "port":
		n, ok = number(v)
		r.Port, ok = uint16(n), ok && n <= 65535
	case "count":
		r.Count, ok = number(v)
	case "bytes_in":
		r.BytesIn, ok = number(v)
	case "bytes_out":
		r.BytesOut, ok = number(v)
	case "duration_ms":
		n, ok = number(v)
		r.DurationMS, ok = int64(n), ok && n < 1<<63
	case "flow":
		r.Flow, ok = number(v)
	case "mismatch":
		r.Mismatch, ok = flag(v)
	case "ech":
		r.ECH, ok = flag(v)
	case "truncated":
		r.Truncated, ok = flag(v)
	default:
		p := r.textField(name)
		if p == nil {
			return v[0] != '"' || simple(v) || json.Valid(v)
		}
		*p, ok = d.string(v)
	}
	return ok
}

// textField returns the field of r that holds the text name; nil: none does.
func (r *Record) textField(name string) *string {
	switch name {
	case "boot":
		return &r.Boot
	case "event":
		return &r.Event
	case "verdict":
		return &r.Verdict
	case "mode":
		return &r.Mode
	case "via":
		return &r.Via
	case "client":
		return &r.Client
	case "client_name":
		return &r.ClientName
	case "profile":
		return &r.Profile
	case "host":
		return &r.Host
	case "host_raw":
		return &r.HostRaw
	case "proto":
		return &r.Proto
	case "sni":
		return &r.SNI
	case "original_dst":
		return &r.OriginalDst
	case "dialed":
		return &r.Dialed
	case "reason":
		return &r.Reason
	case "detail":
		return &r.Detail
	case "rule":
		return &r.Rule
	case "source":
		return &r.Source
	case "nearest":
		return &r.Nearest
	case "hint":
		return &r.Hint
	}
	return nil
}

// list reads an array of strings.
func (d *decoder) list(p *[]string) error {
	if !d.next('[') {
		return errSyntax
	}
	*p = (*p)[:0]
	for first := true; !d.next(']'); first = false {
		if !first && !d.next(',') {
			return errSyntax
		}
		v, ok := d.token()
		if !ok {
			return errSyntax
		}
		s, ok := d.string(v)
		if !ok {
			return errSyntax
		}
		*p = append(*p, s)
	}
	return nil
}

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

// token returns the scalar that comes next: a string with its quotes, a
// number, true, false or null.
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

// simple tells whether a quoted string stands for itself.
func simple(v []byte) bool {
	for _, c := range v[1 : len(v)-1] {
		if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// string reads a quoted string.
func (d *decoder) string(v []byte) (s string, ok bool) {
	if v[0] != '"' {
		return "", false
	}
	if simple(v) {
		return d.hold(v[1 : len(v)-1]), true
	}
	err := json.Unmarshal(v, &s)
	return s, err == nil
}

// hold returns b as a string, the one already held where there is one.
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

// time reads a time as we write it, else any RFC 3339 time.
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

// fastTime reads exactly timeLayout in quotes.
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
	if mo < 1 || mo > 12 || d < 1 || d > 28 || h > 23 || mi > 59 || s > 59 {
		return time.Time{}, false // month ends are for time.Parse
	}
	return time.Date(y, time.Month(mo), d, h, mi, s, at(21, 6)*1000, time.UTC), true
}
