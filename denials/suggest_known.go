// Suggest known: the [[known]] that would put denials apart, for a site that means them. The
// denials stay denied.

package denials

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/rules"
	"sallyport/rules/site"
)

// A knownDenial is a [[known]] to add.
type knownDenial struct {
	client, host, reason string
	groups               []*Group
}

// SuggestKnown returns for the groups, also for those that no rule should permit, the [[known]]
// tables that would put them apart: at most n; 0: all.
func (s *Site) SuggestKnown(groups []*Group, n int) []*Suggestion {
	found := map[string]*Suggestion{}
	var out []*Suggestion
	for _, g := range groups {
		sg := &Suggestion{Cure: s.Cure(g), Client: cmp.Or(g.ClientName, g.Client), Groups: []*Group{g}, Count: g.Count, rank: len(documentedTexts)}
		key := "why\x00" + sg.Client
		if sg.Why = whyNotKnown(g); sg.Why == "" {
			key = strings.Join([]string{g.ClientName, g.Host, g.Reason}, "\x00")
		} else {
			key += sg.Why
		}
		if o := found[key]; o != nil {
			o.Groups, o.Count = append(o.Groups, g), o.Count+g.Count
			continue
		}
		found[key] = sg
		out = append(out, sg)
	}
	slices.SortStableFunc(out, func(a, b *Suggestion) int {
		return cmp.Or(cmp.Compare(len(a.Why), len(b.Why)), cmp.Compare(b.Count, a.Count))
	})
	out = cut(out, 0, n)
	for _, sg := range out {
		if sg.Why == "" {
			s.tryKnown(sg)
		}
	}
	return out
}

// whyNotKnown returns why no [[known]] is proposed for a group; "" if one is.
func whyNotKnown(g *Group) string {
	reason, err := rules.ParseReason(g.Reason)
	switch {
	case err != nil:
		return "the reason " + g.Reason + " is not one of this version"
	case reason.Forged():
		return g.Reason + ": " + whyNever(reason) + "; a [[known]] would hide the next one"
	case g.ClientName == "":
		return "no [[client]] covers the address: find out who it is; a [[known]] for every client would hide others too"
	case g.raw || g.Host == "" || g.Host == Others:
		return "these denials have no name and no address that a [[known]] can list"
	}
	return ""
}

// tryKnown sets the change of a suggestion, and tries whether it covers every group.
func (s *Site) tryKnown(sg *Suggestion) {
	g := sg.Groups[0]
	k := &knownDenial{client: g.ClientName, host: g.Host, reason: g.Reason, groups: sg.Groups}
	sg.change = &change{client: g.ClientName, known: k}
	sg.Title = "mark " + k.host + " as known for " + k.client
	list := sg.change.edits(s)
	sg.Where, sg.TOML = s.snippet(list)
	if slices.ContainsFunc(s.Config.Known, func(k *rules.Known) bool { return k.Set != "" && k.Client == "" }) {
		sg.Why = "first move the line known = [...] from the top of the file into the [[client]] tables: TOML has no list and tables of one name"
		return
	}
	changed, _, err := s.with(list)
	if err != nil {
		sg.Why = "not tried out: " + err.Error()
		return
	}
	table := changed.KnownAt(s.src.Now)
	sg.Verified = !slices.ContainsFunc(sg.Groups, func(g *Group) bool {
		return knownBy(table, g.ClientName, g.Host, g.Port, g.Reason) == nil
	})
}

// toml returns the [[known]] as TOML.
func (k *knownDenial) toml(s *Site) string {
	denied, audited := Tallied(k.groups)
	last := k.groups[0].Last
	for _, g := range k.groups {
		if g.Last.After(last) {
			last = g.Last
		}
	}
	r := siteRule{denied: denied, audited: audited}
	var b strings.Builder
	fmt.Fprintf(&b, "[[known]]\nclient  = %s\nhost    = %s\nreason  = %s\n", tomlText(k.client), tomlText(k.host), tomlText(k.reason))
	fmt.Fprintf(&b, "why     = %s\n", tomlText(fmt.Sprintf("%s: ticket and why %s does not need it (%s until %s)", site.FillIn, k.client, r.history(), last.UTC().Format(time.DateOnly+" UTC"))))
	fmt.Fprintf(&b, "expires = %s\n", s.src.Now.UTC().AddDate(0, 0, ruleDays).Format(time.DateOnly))
	return b.String()
}
