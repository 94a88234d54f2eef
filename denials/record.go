// Record: one line of the journal as people and programs read it.

package denials

import (
	"strconv"
	"time"

	"sallyport/rules"
)

// Schema is the version of the record's fields.
const Schema = 1

// The events that a record can be about.
const (
	EventDecision = "decision"
	EventClose    = "close"
	EventReload   = "reload"
	EventStart    = "start"
	EventStop     = "stop"
)

// The verdicts of a record.
const (
	VerdictDeny      = "deny"
	VerdictWouldDeny = "would_deny"
	VerdictAllow     = "allow"
)

// A Record is one line of the journal. The fields that do not apply are zero
// and absent from the line; bytes and duration belong to EventClose only.
type Record struct {
	Schema      int
	Time        time.Time // UTC, microseconds
	Seq         uint64    // grows strictly within one Boot
	Boot        string    // one process
	Event       string
	Verdict     string
	Mode        string // "enforce" or "audit"
	Via         string
	Client      string // address
	ClientName  string // as configured
	Profile     string
	Host        string // canonical name or address
	HostRaw     string // what was sent, where it is no name
	Port        uint16
	Proto       string
	SNI         string
	OriginalDst string // where a redirected flow was headed
	Mismatch    bool   // OriginalDst is no address of the name that was shown
	Resolved    []string
	Dialed      string
	ECH         bool
	Reason      string
	Detail      string
	Rule        string // profile/id
	Source      string // the document, version and section
	Nearest     string // profile/id of the documented rule nearest to a denial
	Hint        string // what would permit it
	Count       uint64 // how many decisions this record stands for; 0: one
	BytesIn     uint64 // from the client
	BytesOut    uint64 // to the client
	DurationMS  int64
	Flow        uint64
	Truncated   bool // a value was longer than its cap
}

// ID names the record: boot-seq.
func (r *Record) ID() string { return r.Boot + "-" + strconv.FormatUint(r.Seq, 10) }

// Times returns how many decisions the record stands for.
func (r *Record) Times() uint64 { return max(r.Count, 1) }

// Denied tells whether the record is about a denial, or in mode "audit" about
// what would have been one.
func (r *Record) Denied() bool {
	return r.Event == EventDecision && (r.Verdict == VerdictDeny || r.Verdict == VerdictWouldDeny)
}

// fill turns an entry into the record of it; hint is rules.Hint. Boot and Seq
// are the caller's.
func (r *Record) fill(e *entry, hint func(rules.Attempt, rules.Decision) string) {
	resolved := r.Resolved[:0]
	*r = Record{Schema: Schema, Time: e.at, Event: e.event, Detail: e.detail, Truncated: e.cut}
	if e.event != EventDecision && e.event != EventClose {
		return
	}
	a, d := &e.a, &e.d
	r.Verdict = d.Text()
	r.Mode = "enforce"
	r.Via = a.Via.String()
	r.Client = addrText(a.Client.Addr())
	r.Host, r.HostRaw = host(a), string(a.Raw)
	r.Port, r.Proto = a.Dest.Port(), a.Proto.String()
	r.SNI = a.SNI.String()
	r.OriginalDst = addrPortText(a.Original)
	r.Mismatch, r.ECH = a.Mismatch, a.ECH
	for _, addr := range a.Resolved {
		resolved = append(resolved, addrText(addr))
	}
	r.Resolved = resolved
	r.Dialed = addrPortText(e.dialed)
	r.Flow = a.Flow
	if e.count > 1 {
		r.Count = e.count
	}
	if a.Via == rules.DNS && a.QType != 0 {
		r.Detail = join("type "+typeText(a.QType), r.Detail)
	}
	if a.Target().IsZero() && a.Dest.Addr().IsValid() && !a.Host.IsZero() {
		r.Detail = join(r.Detail, "Host "+a.Host.String())
	}
	if e.event == EventClose {
		r.BytesIn, r.BytesOut, r.DurationMS = e.in, e.out, e.duration/int64(time.Millisecond)
	}
	r.explain(d)
	switch {
	case d.Verdict == rules.Allow && !d.Would:
	case d.Why() == rules.MalformedRequest: // it has no host; what is wrong with it is the same for all in one record
		about := *a
		about.Detail = e.detail
		r.Hint = hint(about, *d)
	case r.Client == "" || r.Host == "" && r.HostRaw == "":
		r.Hint = d.Why().Help() // many clients or many names in one record
	default:
		r.Hint = hint(*a, *d)
	}
}

// explain says who was judged, by which rule, and why.
func (r *Record) explain(d *rules.Decision) {
	r.Reason = d.Why().String()
	if c := d.Client; c != nil {
		r.ClientName = c.Name
		if c.Audit {
			r.Mode = "audit"
		}
		if len(c.Profiles) == 1 && c.Profiles[0].Profile != nil {
			r.Profile = c.Profiles[0].Profile.Name
		}
	}
	if d.Nearest != nil {
		r.Nearest, r.Profile, r.Source = d.Nearest.String(), d.Nearest.Profile, d.Nearest.Source()
	}
	if d.Rule != nil {
		r.Rule, r.Profile, r.Source = d.Rule.String(), d.Rule.Profile, d.Rule.Source()
	}
}

// host returns what the attempt was to reach: the name it is judged by, else
// the address. What else the client wrote beside an address is no destination;
// it counts only where there is nothing else.
func host(a *rules.Attempt) string {
	switch {
	case !a.Target().IsZero():
		return a.Target().String()
	case a.Dest.Addr().IsValid():
		return addrText(a.Dest.Addr())
	case !a.Authority.IsZero():
		return a.Authority.String()
	}
	return a.Host.String()
}

// join puts two parts of a detail together.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
