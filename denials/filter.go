// Filter: selects the records of a query.

package denials

import (
	"context"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// A Filter selects records. A zero field does not restrict.
type Filter struct {
	Since, Until time.Time // Since <= time < Until
	Reason       string
	Verdict      string
	Client       string // an address, a prefix, or a configured name
	Profile      string
	Via          string
	Host         string // a glob (*, ?, [a-z]) or an exact name; also compared with the SNI and the raw name
	Event        string
	Text         string // part of any text of the record, in any letter case
	Denied       bool   // denials and would-be denials only
	Known        string // KnownAll, KnownNo or KnownOnly

	Table *rules.KnownTable // judges which denials are known; nil: as recorded

	prefix netip.Prefix
	folded string // Text
}

// Audited returns f, limited to the attempts that mode "audit" let through.
func (f Filter) Audited() Filter {
	f.Verdict = journal.VerdictWouldDeny
	return f
}

// prepared returns f with its client parsed. It reports an invalid glob.
func (f Filter) prepared() (Filter, error) {
	if p, err := netip.ParsePrefix(f.Client); err == nil {
		f.prefix = p.Masked()
	} else if a, err := netip.ParseAddr(f.Client); err == nil {
		f.prefix = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
	}
	f.Host, f.folded = strings.ToLower(f.Host), strings.ToLower(f.Text)
	_, err := path.Match(f.Host, "")
	return f, err
}

// match reports whether f selects r. f must be prepared.
func (f *Filter) match(r *journal.Record) bool {
	return (f.Since.IsZero() || !r.Time.Before(f.Since)) &&
		(f.Until.IsZero() || r.Time.Before(f.Until)) &&
		(!f.Denied || r.Denied()) &&
		equalOrAny(f.Event, r.Event) &&
		equalOrAny(f.Reason, r.Reason) &&
		equalOrAny(f.Verdict, r.Verdict) &&
		equalOrAny(f.Profile, r.Profile) &&
		equalOrAny(f.Via, r.Via) &&
		f.matchClient(r) && f.matchHost(r) && f.matchText(r)
}

// matchText searches every shown text of a record.
func (f *Filter) matchText(r *journal.Record) bool {
	if f.folded == "" {
		return true
	}
	for _, s := range [...]string{r.Host, r.HostRaw, r.SNI, r.Client, r.ClientName, r.Profile, r.Via, r.Reason, r.Detail, r.Rule,
		r.Source, r.Nearest, r.Hint, r.OriginalDst, r.Dialed, r.Dest, r.HTTPHost, r.QType, r.Fault, r.Parent, r.Known} {
		if strings.Contains(strings.ToLower(s), f.folded) {
			return true
		}
	}
	return slices.ContainsFunc(r.Resolved, func(s string) bool { return strings.Contains(s, f.folded) })
}

func equalOrAny(want, got string) bool { return want == "" || want == got }

func (f *Filter) matchClient(r *journal.Record) bool {
	if f.Client == "" || f.Client == r.ClientName || f.Client == r.Client {
		return true
	}
	if !f.prefix.IsValid() || r.Client == "" {
		return false
	}
	a, err := netip.ParseAddr(r.Client)
	return err == nil && f.prefix.Contains(a)
}

func (f *Filter) matchHost(r *journal.Record) bool {
	if f.Host == "" {
		return true
	}
	for _, h := range [...]string{r.Host, r.SNI, r.HostRaw} {
		if ok, _ := path.Match(f.Host, strings.ToLower(h)); ok && h != "" {
			return true
		}
	}
	return false
}

// Matcher returns the function that reports whether f selects a record. It
// reports an invalid glob in Host.
func (f Filter) Matcher() (func(*journal.Record) bool, error) {
	f, err := f.prepared()
	return func(r *journal.Record) bool { return f.selects(r, new(uint64)) }, err
}

// Scan calls fn for every record that the query's filter selects, the oldest
// first.
func (q *Query) Scan(ctx context.Context, fn func(*journal.Record) error) (journal.Report, error) {
	f, err := q.Filter.prepared()
	if err != nil {
		return journal.Report{}, err
	}
	var left uint64
	rep, err := journal.Scan(ctx, q.Files, f.Since, q.Progress, func(r *journal.Record) error {
		if !f.selects(r, &left) {
			return nil
		}
		return fn(r)
	})
	rep.Known = left
	return rep, err
}
