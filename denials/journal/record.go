// Record: one line of the journal, for people and programs.

package journal

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/rules"
)

// Schema is the version of the record's fields.
//
// Schema 2 stores the whole attempt: see Question and Record.Attempt. Records
// of schema 1, which lack the fields in Question, stay readable.
const Schema = 2

// The events of a record.
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

// A Record is one line of the journal. Fields that do not apply are zero and absent
// from the line. Only EventClose has bytes and a duration.
type Record struct {
	Schema      int
	Time        time.Time // UTC, microseconds
	Seq         uint64    // grows with each record of one Boot
	Boot        string    // identifies one process
	Event       string
	Own         []string // of EventStart: the gateway's listeners (address:port) and its host's addresses
	Verdict     string
	Mode        string // "enforce" or "audit"
	Via         string
	Client      string // address
	ClientName  string // as configured
	Profile     string
	Host        string // the destination: its canonical name, or its address
	HostRaw     string // the text from the client, if it is not a name; octets that are not UTF-8 as \x and two digits
	Port        uint16
	Proto       string
	SNI         string
	OriginalDst string // the original destination of a redirected flow
	Mismatch    bool   // OriginalDst is not an address of the shown name
	Resolved    []string
	Dialed      string
	ECH         bool
	Reason      string
	Detail      string
	Rule        string // profile/id
	Source      string // the document, version and section
	Nearest     string // profile/id of the documented rule nearest to a denial
	Hint        string // the change that would permit it
	Known       string // why the site knows and means the denial; "": it does not
	Count       uint64 // number of decisions in this record; 0: one
	BytesIn     uint64 // from the client
	BytesOut    uint64 // to the client
	DurationMS  int64
	Flow        uint64
	Truncated   bool // a value was longer than its cap

	Question // the other values of the attempt
}

// ID returns the record's identifier: boot-seq.
func (r *Record) ID() string { return r.Boot + "-" + strconv.FormatUint(r.Seq, 10) }

// Clone returns a copy of the record. Scan reuses the lists of its records.
func (r *Record) Clone() Record {
	c := *r
	c.Resolved, c.Pinned, c.Own = slices.Clone(r.Resolved), slices.Clone(r.Pinned), slices.Clone(r.Own)
	return c
}

// Times returns the number of decisions that the record counts.
func (r *Record) Times() uint64 { return max(r.Count, 1) }

// Permitted reports whether the record counts permitted attempts: final decisions, and the
// ends of flows that had none, because the name was not resolved, the destination did not
// answer, or the client sent nothing. So a flow is counted once.
func (r *Record) Permitted() bool {
	return r.Verdict == VerdictAllow && (r.Event == EventDecision || r.Event == EventClose && (r.Provisional || r.Omitted&omitProvisional != 0))
}

// Denied reports whether the record is a denial, or would be a denial outside
// of mode "audit".
func (r *Record) Denied() bool {
	return r.Event == EventDecision && (r.Verdict == VerdictDeny || r.Verdict == VerdictWouldDeny)
}

// RecordOf returns the record of one decision as the journal writes it, without
// Boot and Seq.
func RecordOf(at time.Time, a rules.Attempt, d rules.Decision) (r Record) {
	r.fill(&entry{at: at, event: EventDecision, a: a, d: d, known: knownOf(&a, &d, at), count: 1}, rules.Hint)
	return r
}

// fill sets the record of an entry; hint is rules.Hint. The caller sets Boot
// and Seq.
func (r *Record) fill(e *entry, hint func(rules.Attempt, rules.Decision) string) {
	resolved, pinned := r.Resolved[:0], r.Pinned[:0]
	*r = Record{Schema: Schema, Time: e.at, Event: e.event, Detail: e.detail, Truncated: e.cut, Resolved: resolved, Question: Question{Pinned: pinned}}
	if e.event != EventDecision && e.event != EventClose {
		r.Own = e.listens
		return
	}
	a, d := &e.a, &e.d
	r.Verdict = d.Text()
	r.Mode = "enforce"
	r.question(a, d.Client)
	if r.Omitted = e.omitted; e.omitted&omitDest != 0 {
		r.DialedBy = ""
	}
	r.Dialed = addrPortText(e.dialed)
	if e.known != nil {
		r.Known = e.known.Text()
	}
	if e.count > 1 {
		r.Count = e.count
	}
	if e.event == EventClose {
		r.BytesIn, r.BytesOut, r.DurationMS = e.in, e.out, e.duration/int64(time.Millisecond)
	} else {
		r.Detail = rawText(a.Detail)
	}
	r.explain(a, d)
	switch {
	case d.Verdict == rules.Allow && !d.Would:
	case d.Why() == rules.MalformedRequest: // without a host, the detail describes the fault
		r.Hint = hint(*a, *d)
	case r.Client == "" || r.Host == "" && r.HostRaw == "" || e.omitted&omitHinted != 0:
		r.Hint = d.Why().Help() // the counted attempts differ in fields that the hint names
	default:
		r.Hint = hint(*a, *d)
	}
}

// explain sets the client, the rule and the reason.
func (r *Record) explain(a *rules.Attempt, d *rules.Decision) {
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
		r.Rule, r.Profile, r.Source = d.Rule.String(), d.Rule.Profile, rules.RuleSource(*a, *d)
	}
}

// FullDetail returns a text for people: the detail, the type of a DNS question,
// and a Host header that differs from the destination.
func (r *Record) FullDetail() string {
	s := r.Detail
	if r.QType != "" {
		s = join("type "+r.QType, s)
	}
	if host, _, _ := strings.Cut(r.HTTPHost, ":"); host != "" && host != r.Host && !strings.HasPrefix(host, "[") {
		s = join(s, "Host "+r.HTTPHost)
	}
	return s
}

// join returns two parts of a detail with "; " between them.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
