// Decode: reads one line of the journal into a record.

package journal

import (
	"encoding/json"
	"errors"
	"fmt"
)

// The reasons why a line is not a record.
var (
	errSyntax  = errors.New("not one flat JSON object")
	errNoTime  = errors.New("no time, event or schema")
	errVersion = errors.New("written by a newer version")
)

// A decoder turns lines into records. It stores a value that occurs again only
// once, so that a long journal needs little memory. It is not safe for
// concurrent use.
type decoder struct {
	b     []byte
	i     int
	plain []byte   // scratch
	names []string // scratch
	texts map[string]string
	held  int
}

// heldMax bounds the octets of the texts that a decoder holds.
const heldMax = 4 << 20

func newDecoder() *decoder { return &decoder{texts: make(map[string]string)} }

// decode reads one line, with or without its newline, into r. If it accepts a
// line, encoding/json reads the same values from the line. Unknown fields are ignored if their
// values are scalars or lists of scalars. If a field occurs twice, the last one
// counts.
func (d *decoder) decode(b []byte, r *Record) error {
	d.b, d.i = b, 0
	*r = Record{Resolved: r.Resolved[:0], Own: r.Own[:0], Question: Question{Pinned: r.Pinned[:0]}}
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
	name := key[1 : len(key)-1]
	if !simple(key) {
		s, ok := d.string(key)
		if !ok {
			return errSyntax
		}
		name = []byte(s)
	}
	switch string(name) {
	case "resolved":
		return d.list(&r.Resolved)
	case "own":
		return d.list(&r.Own)
	case "pinned":
		return d.list(&r.Pinned)
	case "omitted":
		return d.omitted(&r.Omitted)
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
func (d *decoder) set(name, v []byte, r *Record) (ok bool) {
	var n uint64
	switch string(name) {
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
	case "client_port":
		n, ok = number(v)
		r.ClientPort, ok = uint16(n), ok && n <= 65535
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
	case "source_proven":
		r.SourceProven, ok = flag(v)
	case "host_ignored":
		r.HostIgnored, ok = flag(v)
	case "by_address":
		r.ByAddress, ok = flag(v)
	case "provisional":
		r.Provisional, ok = flag(v)
	default:
		p := r.textField(string(name))
		if p == nil {
			return v[0] != '"' || simple(v) || json.Valid(v)
		}
		*p, ok = d.string(v)
	}
	return ok
}

// textField returns the field of r for the text called name. It returns nil if
// there is no such field.
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
	case "known":
		return &r.Known
	}
	return r.Question.textField(name)
}

// textField does the same for the fields of schema 2.
func (q *Question) textField(name string) *string {
	switch name {
	case "identity":
		return &q.Identity
	case "authority":
		return &q.Authority
	case "dest":
		return &q.Dest
	case "qtype":
		return &q.QType
	case "http_host":
		return &q.HTTPHost
	case "shown":
		return &q.Shown
	case "fault":
		return &q.Fault
	case "parent":
		return &q.Parent
	case "dialed_by":
		return &q.DialedBy
	}
	return nil
}

// omitted reads the names of the omitted fields.
func (d *decoder) omitted(p *Omitted) error {
	*p = 0
	err := d.list(&d.names)
	for _, name := range d.names {
		*p |= omittedOf(name)
	}
	return err
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
