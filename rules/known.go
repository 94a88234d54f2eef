// Known: the denials that a site knows and means. They are denied, recorded and counted like
// others, and shown apart.

package rules

import (
	"cmp"
	"net/netip"
	"path"
	"strings"
	"time"
)

// A Known describes denials that the site knows and means: one [[known]], or an entry of a
// shipped set. It changes no decision.
type Known struct {
	Client  string // the name of a client; "": every client
	Host    string // a canonical name, a glob of names, an address or a prefix
	Port    uint16 // 0: every port, and look-ups, which have none
	Reason  Reason // ReasonNone: every reason but those that Forged reports
	Why     string // why the site means the denial
	Set     string // the shipped set that it comes from; "": the site's own
	Source  string // of a shipped set: where the vendor says so
	Expires time.Time
	Line    int
}

// A KnownSet is a list of known denials that the binary has.
type KnownSet struct {
	Name, Title string
	Known       []Known
}

// Text returns why the denial is known, for the journal. It is never empty.
func (k *Known) Text() string {
	if k.Set != "" {
		return k.Set + ": " + k.Why
	}
	return k.Why
}

// Forged reports whether denials with this reason can mean that a name, an address or an answer
// is forged. A Known covers such denials only if it names the reason.
func (r Reason) Forged() bool {
	switch r {
	case SNIMismatch, HostMismatch, DestinationMismatch, PrivateAddress, DNSBogus, Self:
		return true
	}
	return false
}

// A KnownTable finds the Known that covers a denial. A nil table has none.
type KnownTable struct {
	names    map[string][]*Known // by the exact name; a glob by the domain that it ends with
	prefixes []knownPrefix
	next     time.Time
}

// A knownPrefix is a Known for addresses.
type knownPrefix struct {
	at netip.Prefix
	k  *Known
}

// CompileKnown returns a table of those in the list that have not expired at now. It returns nil
// if there is none.
func CompileKnown(list []*Known, now time.Time) *KnownTable {
	t := &KnownTable{names: map[string][]*Known{}}
	n := 0
	for _, k := range list {
		if !k.Expires.IsZero() {
			if !now.Before(k.Expires) {
				continue
			}
			if t.next.IsZero() || k.Expires.Before(t.next) {
				t.next = k.Expires
			}
		}
		n++
		if p, ok := KnownPrefix(k.Host); ok {
			t.prefixes = append(t.prefixes, knownPrefix{p, k})
			continue
		}
		key := GlobDomain(k.Host)
		t.names[key] = append(t.names[key], k)
	}
	if n == 0 {
		return nil
	}
	return t
}

// compileSets returns a table of the entries of all sets.
func compileSets(sets []*KnownSet, now time.Time) *KnownTable {
	var all []*Known
	for _, s := range sets {
		for i := range s.Known {
			all = append(all, &s.Known[i])
		}
	}
	return CompileKnown(all, now)
}

// NextExpiry returns when the next entry of the table expires. It is zero if none expires.
func (t *KnownTable) NextExpiry() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.next
}

// KnownPrefix returns the prefix that a Host stands for, and whether it is one.
func KnownPrefix(host string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(host); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), true
	}
	p, err := netip.ParsePrefix(host)
	return p.Masked(), err == nil
}

// globMeta are the characters that make a text a glob.
const globMeta = `*?[]\`

// IsGlob reports whether a Host stands for several names.
func IsGlob(host string) bool { return strings.ContainsAny(host, globMeta) }

// GlobDomain returns the domain that every name of a glob ends with, without its first dot. It
// returns "" if there is none, and the name itself if the text is no glob.
func GlobDomain(glob string) string {
	at := strings.LastIndexAny(glob, globMeta)
	if at < 0 {
		return glob
	}
	tail := glob[at+1:]
	if !strings.HasPrefix(tail, ".") {
		return ""
	}
	return tail[1:]
}

// Of returns the entry that covers a denial of a client, or nil. The site's own entries come
// before those of shipped sets. host is a name, or an address
// as text; it is in addr too if it is an address.
func (t *KnownTable) Of(client, host string, addr netip.Addr, port uint16, reason Reason, at time.Time) *Known {
	if t == nil {
		return nil
	}
	if addr.IsValid() {
		for i := range t.prefixes {
			if p := &t.prefixes[i]; p.at.Contains(addr) && p.k.covers(client, port, reason, at) {
				return p.k
			}
		}
		return nil
	}
	var shipped *Known
	for domain := host; domain != ""; {
		for _, k := range t.names[domain] {
			if is, _ := path.Match(k.Host, host); !is || !k.covers(client, port, reason, at) {
				continue
			}
			if k.Set == "" {
				return k
			}
			shipped = cmp.Or(shipped, k)
		}
		_, domain, _ = strings.Cut(domain, ".")
	}
	return shipped
}

// covers compares everything but the host.
func (k *Known) covers(client string, port uint16, reason Reason, at time.Time) bool {
	return (k.Client == "" || k.Client == client) &&
		(k.Port == 0 || k.Port == port) &&
		(k.Reason == reason || k.Reason == ReasonNone && !reason.Forged()) &&
		(k.Expires.IsZero() || at.IsZero() || at.Before(k.Expires))
}

// Known returns the entry that covers a denial of this generation, or nil. It is not for the way
// of a permitted attempt.
func (g *Generation) Known(a *Attempt, d *Decision, at time.Time) *Known {
	p := g.policy()
	if p == nil {
		return nil
	}
	return p.known.ofDenial(a, d, at)
}

// ofDenial is Of for a decision.
func (t *KnownTable) ofDenial(a *Attempt, d *Decision, at time.Time) *Known {
	if t == nil {
		return nil
	}
	name, addr, client := a.Target(), netip.Addr{}, ""
	if name.IsZero() {
		if addr = a.Dest.Addr().Unmap(); !addr.IsValid() {
			return nil
		}
	}
	if d.Client != nil {
		client = d.Client.Name
	}
	return t.Of(client, name.String(), addr, a.Dest.Port(), d.Why(), at)
}

// expiredKnown warns of the entries that have expired.
func expiredKnown(c *Spec, now time.Time) (out Problems) {
	for _, k := range c.Known {
		if !k.Expires.IsZero() && !now.Before(k.Expires) {
			out = append(out, Problem{File: c.File, Line: k.Line, Warning: true,
				Text: "known: " + k.Host + " has expired (" + ExpiresText(k.Expires) + "): its denials are shown among the others again; set a later date, or delete the [[known]]"})
		}
	}
	return out
}
