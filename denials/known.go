// Known: which denials the site knows and means, and whether a query shows them.

package denials

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// What a query does with known denials; the values of Filter.Known.
const (
	KnownAll  = ""     // they are among the others
	KnownNo   = "no"   // they are left out, and counted in Report.Known
	KnownOnly = "only" // only they are shown
)

// CheckKnown returns an error for a text that is no value of Filter.Known.
func CheckKnown(text string) error {
	if !slices.Contains([]string{KnownAll, KnownNo, KnownOnly}, text) {
		return fmt.Errorf("known: %q is neither no nor only", text)
	}
	return nil
}

// KnownAt returns what the configuration knows at a time, for Filter.Table. It is never nil: then
// only the configuration counts, and not what a record says about an earlier one.
func (s *Site) KnownAt(now time.Time) *rules.KnownTable { return KnownOf(s.Config.Known, now) }

// KnownOf is KnownAt for a list.
func KnownOf(list []*rules.Known, now time.Time) *rules.KnownTable {
	if t := rules.CompileKnown(list, now); t != nil {
		return t
	}
	return new(rules.KnownTable)
}

// mark sets r.Known as the filter's table says. A record without its destination keeps the mark
// that the gateway gave it.
func (f *Filter) mark(r *journal.Record) {
	if f.Table == nil || !r.Denied() || r.Host == "" {
		return
	}
	r.Known = ""
	if k := knownBy(f.Table, r.ClientName, r.Host, r.Port, r.Reason); k != nil {
		r.Known = k.Text()
	}
}

// knownBy returns the entry of a table that covers a denial; nil if there is none.
func knownBy(t *rules.KnownTable, client, host string, port uint16, reason string) *rules.Known {
	why, err := rules.ParseReason(reason)
	if err != nil {
		return nil
	}
	var addr netip.Addr
	if last := host[len(host)-1]; last >= '0' && last <= '9' || strings.Contains(host, ":") {
		addr, _ = netip.ParseAddr(host)
	}
	return t.Of(client, host, addr, port, why, time.Time{})
}

// selects reports whether a query shows a record, and marks it. A record that it leaves out only
// because it is known adds to left.
func (f *Filter) selects(r *journal.Record, left *uint64) bool {
	if !f.match(r) {
		return false
	}
	f.mark(r)
	switch f.Known {
	case KnownNo:
		if r.Known != "" && r.Denied() {
			*left += r.Times()
			return false
		}
	case KnownOnly:
		return r.Known != ""
	}
	return true
}
