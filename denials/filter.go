// Filter: which records a query is about.

package denials

import (
	"net/netip"
	"path"
	"strings"
	"time"
)

// A Filter selects records. What is zero does not restrict.
type Filter struct {
	Since, Until time.Time // Since <= time < Until
	Reason       string
	Verdict      string
	Client       string // address, prefix, or name as configured
	Profile      string
	Via          string
	Host         string // a glob: *, ?, [a-z]; without one the whole name; a SNI or raw name counts too
	Event        string
	Denied       bool // denials and would-be denials only

	prefix netip.Prefix
}

// prepared returns f with its client parsed. It reports a glob that is none.
func (f Filter) prepared() (Filter, error) {
	if p, err := netip.ParsePrefix(f.Client); err == nil {
		f.prefix = p.Masked()
	} else if a, err := netip.ParseAddr(f.Client); err == nil {
		f.prefix = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
	}
	f.Host = strings.ToLower(f.Host)
	_, err := path.Match(f.Host, "")
	return f, err
}

// match tells whether f selects r. f is prepared.
func (f *Filter) match(r *Record) bool {
	return (f.Since.IsZero() || !r.Time.Before(f.Since)) &&
		(f.Until.IsZero() || r.Time.Before(f.Until)) &&
		(!f.Denied || r.Denied()) &&
		equalOrAny(f.Event, r.Event) &&
		equalOrAny(f.Reason, r.Reason) &&
		equalOrAny(f.Verdict, r.Verdict) &&
		equalOrAny(f.Profile, r.Profile) &&
		equalOrAny(f.Via, r.Via) &&
		f.matchClient(r) && f.matchHost(r)
}

func equalOrAny(want, got string) bool { return want == "" || want == got }

func (f *Filter) matchClient(r *Record) bool {
	if f.Client == "" || f.Client == r.ClientName || f.Client == r.Client {
		return true
	}
	if !f.prefix.IsValid() || r.Client == "" {
		return false
	}
	a, err := netip.ParseAddr(r.Client)
	return err == nil && f.prefix.Contains(a)
}

func (f *Filter) matchHost(r *Record) bool {
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
