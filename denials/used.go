// Used: the rules in force, with their use.

package denials

import (
	"context"
	"time"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// ruleKey names a rule in force for a client.
type ruleKey struct{ client, rule string }

// flowsMax limits the rules that are counted in journals of permitted flows.
const flowsMax = 20_000

// A RuleUse is one rule in force for one client, and how it was used.
type RuleUse struct {
	journal.Use
	Source  string
	Purpose string
	Expires time.Time // zero: never
	Line    int       // line of a site's rule
}

// Never reports whether the rule has permitted nothing since the given time.
// Look-ups do not count.
func (u *RuleUse) Never(since time.Time) bool { return u.Count == 0 || u.Last.Before(since) }

// Used lists every rule in force with its use, in the order of the
// configuration.
func (s *Site) Used(st journal.UsageState) []RuleUse {
	by := map[ruleKey]journal.Use{}
	for _, u := range st.Uses {
		by[ruleKey{u.Client, u.Rule}] = u
	}
	var out []RuleUse
	for _, g := range s.Policy.Grants() {
		c, r := g.Client, g.Rule
		use := by[ruleKey{c.Name, r.String()}]
		use.Client, use.Rule = c.Name, r.String()
		out = append(out, RuleUse{Use: use, Source: r.Source(), Purpose: r.Purpose, Expires: r.Expires, Line: lineOf(r)})
	}
	return out
}

// lineOf returns the line of a site's rule. For a profile's rule it returns 0.
func lineOf(r *rules.Rule) int {
	if r.Profile == rules.SiteProfile {
		return r.Line
	}
	return 0
}

// AddFlows adds the counts from the journals of permitted flows, for times when
// the gateway did not count, or for another gateway. An attempt counts when a rule
// permitted it, also if no connection followed. If both st and the journals
// count a rule, AddFlows uses the larger count, because both counted the same
// flows.
func AddFlows(ctx context.Context, st *journal.UsageState, q Query) (journal.Report, error) {
	flows := map[ruleKey]*journal.Use{}
	first := st.Since
	q.Filter.Verdict = journal.VerdictAllow
	rep, err := q.Scan(ctx, func(r *journal.Record) error {
		if !r.Permitted() {
			return nil
		}
		if first.IsZero() || r.Time.Before(first) {
			first = r.Time
		}
		k := ruleKey{r.ClientName, r.Rule}
		u := flows[k]
		if u == nil {
			if len(flows) >= flowsMax {
				return nil
			}
			u = &journal.Use{Client: k.client, Rule: k.rule, First: r.Time}
			flows[k] = u
		}
		if r.Via == "dns" {
			u.Lookups += r.Times()
		} else {
			u.Count += r.Times()
		}
		u.Last = r.Time
		return nil
	})
	st.Since = first
	for i := range st.Uses {
		u := &st.Uses[i]
		k := ruleKey{u.Client, u.Rule}
		f := flows[k]
		if f == nil {
			continue
		}
		delete(flows, k)
		u.Count, u.Lookups = max(u.Count, f.Count), max(u.Lookups, f.Lookups)
		if f.First.Before(u.First) {
			u.First = f.First
		}
		if f.Last.After(u.Last) {
			u.Last = f.Last
		}
	}
	for _, f := range flows {
		st.Uses = append(st.Uses, *f)
	}
	return rep, err
}
