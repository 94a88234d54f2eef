// Revision: what another revision of a profile would have meant for recorded traffic.

package denials

import (
	"cmp"
	"context"
	"slices"
	"time"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// A Revised is what a new revision of a profile would have meant for recorded traffic.
type Revised struct {
	Report    journal.Report
	Permitted []*Changed // denials that the new revision would have permitted, the largest first
	Denied    []*Changed // permitted flows that it would have denied
}

// WithProfile returns the site as it would be if p were the profile with its name. The
// texts say which choices of the site p does not know.
func (s *Site) WithProfile(p *rules.Profile) (*Site, []string) {
	spec, unknown := s.Config.WithProfile(p)
	out, cfg := *s, *s.Config
	cfg.Spec = *spec
	out.Config, out.src.Text = &cfg, nil // the text does not have this profile
	out.Policy, _ = rules.Compile(&cfg.Spec, s.own, s.src.Now)
	return &out, unknown
}

// Revise asks about every record that q selects: what the site with the new revision
// answers otherwise than the site with the old one.
func Revise(ctx context.Context, old, now *Site, q Query) (*Revised, error) {
	q.Site, q.Limit = now, 0
	after, err := Replay(ctx, q)
	if err != nil {
		return &Revised{Report: after.Report}, err
	}
	q.Site, q.Progress = old, nil
	before, err := Replay(ctx, q)
	if err != nil {
		return &Revised{Report: after.Report}, err
	}
	already := map[changedKey]bool{}
	for _, c := range before.Changes {
		already[c.outcomeKey()] = true
	}
	out := &Revised{Report: after.Report}
	for _, c := range after.Changes {
		switch {
		case already[c.outcomeKey()]:
		case c.Outcome == NewlyPermitted:
			out.Permitted = append(out.Permitted, c)
		default:
			out.Denied = append(out.Denied, c)
		}
	}
	return out, nil
}

// outcomeKey names the decisions of a Changed and their outcome, whatever the rule.
func (c *Changed) outcomeKey() changedKey {
	return changedKey{groupKey: groupKey{
		host: c.Host, proto: c.Proto, client: c.Client + " " + c.ClientName, reason: c.Reason, verdict: c.Verdict, qtype: c.QType, port: c.Port,
	}, verdict: c.Outcome}
}

// UsedOf returns the uses of rules since a time, the most used first. rules are
// profile/id.
func UsedOf(st journal.UsageState, names []string, since time.Time) []journal.Use {
	var out []journal.Use
	for _, u := range st.Uses {
		if slices.Contains(names, u.Rule) && u.Count+u.Lookups > 0 && !u.Last.Before(since) {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b journal.Use) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Client, b.Client))
	})
	return out
}
