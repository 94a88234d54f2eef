// Site rule: the [[rule]] that is proposed if no document lists the
// destination.

package denials

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/denials/journal"
	"sallyport/rules"
	"sallyport/rules/site"
)

// ruleDays is how long a proposed rule holds.
const ruleDays = 90

// A siteRule permits one client one destination.
type siteRule struct {
	client   string
	host     string // a name or an address
	tcp, udp []uint16
	denied   uint64
	audited  uint64 // let through by mode "audit"
	last     time.Time
	reasons  []string
	hint     string
	proven   bool // Group.proven of at least one of the groups
}

// proposeRule returns the rule for an attempt. It returns nil if the attempt has
// no destination.
func proposeRule(client string, a *rules.Attempt, g *Group) *siteRule {
	host := destination(a)
	if host == "" || client == "" {
		return nil
	}
	r := &siteRule{client: client, host: host, last: g.Last, reasons: []string{g.Reason}, hint: g.Hint, proven: g.proven}
	r.denied, r.audited = Tallied([]*Group{g})
	switch port := a.Dest.Port(); {
	case port == 0 || a.Via == rules.ViaDNS:
	case a.Proto == rules.UDP:
		r.udp = []uint16{port}
	default:
		r.tcp = []uint16{port}
	}
	return r
}

// join adds the ports and counts of another group with the same destination.
func (r *siteRule) join(o *siteRule) {
	r.tcp, r.udp = union(r.tcp, o.tcp), union(r.udp, o.udp)
	r.reasons = union(r.reasons, o.reasons)
	r.proven = r.proven || o.proven
	r.denied, r.audited = r.denied+o.denied, r.audited+o.audited
	if o.last.After(r.last) {
		r.last = o.last
	}
}

func union[T uint16 | string](a, b []T) []T {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// toml returns the rule as TOML, with an id that the configuration does not use yet.
func (r *siteRule) toml(s *Site) string {
	var b strings.Builder
	tcp := r.tcp
	if len(tcp)+len(r.udp) == 0 {
		tcp = []uint16{443}
		b.WriteString("# Only look-ups were denied, and a look-up has no port: 443 is a guess.\n")
	}
	if !r.proven {
		fmt.Fprintf(&b, "# %s: %s.\n", journal.Visible(r.client), unprovenText)
	}
	if r.hint != "" {
		fmt.Fprintf(&b, "# %s\n", strings.ReplaceAll(journal.Visible(r.hint), "\n", " "))
	}
	fmt.Fprintf(&b, "[[rule]]\nid      = %s\nclient  = %s\nto      = %s\n", tomlText(r.id(s)), tomlText(r.client), tomlList([]string{r.host}))
	if len(tcp) > 0 {
		fmt.Fprintf(&b, "tcp     = %s\n", portList(tcp))
	}
	if len(r.udp) > 0 {
		fmt.Fprintf(&b, "udp     = %s\n", portList(r.udp))
	}
	fmt.Fprintf(&b, "reason  = %s\n", tomlText(fmt.Sprintf("%s: ticket and why %s needs it (%s as %s until %s)",
		site.FillIn, r.client, r.history(), strings.Join(r.reasons, ", "), r.last.UTC().Format(time.DateOnly+" UTC"))))
	fmt.Fprintf(&b, "expires = %s\n", s.src.Now.UTC().AddDate(0, 0, ruleDays).Format(time.DateOnly))
	return b.String()
}

// history returns how often the destination was denied and let through.
func (r *siteRule) history() string {
	switch {
	case r.audited == 0:
		return "denied " + Often(r.denied)
	case r.denied == 0:
		return "let through in audit " + Often(r.audited)
	}
	return "denied " + Often(r.denied) + " and let through in audit " + Often(r.audited)
}

func portList(ports []uint16) string {
	parts := make([]string, len(ports))
	for i, p := range ports {
		parts[i] = strconv.Itoa(int(p))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// id returns an id for the rule: client and host if that is short and not in
// use. Equal rules get equal ids.
func (r *siteRule) id(s *Site) string {
	id := strings.Trim(strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c == '-' || c == '.' {
			return c
		}
		return '-'
	}, r.client+"-"+r.host), "-.")
	taken := func() bool {
		return slices.ContainsFunc(s.Config.Rules, func(o *rules.Rule) bool { return o.ID == id })
	}
	if len(id) <= 64 && !taken() {
		return id
	}
	sum := sha256.Sum256([]byte(r.client + "\x00" + r.host + "\x00" + portList(r.tcp) + portList(r.udp)))
	id = id[:min(len(id), 48)] + "-" + hex.EncodeToString(sum[:4])
	for n, base := 2, id; taken(); n++ {
		id = fmt.Sprintf("%s-%d", base, n)
	}
	return id
}
