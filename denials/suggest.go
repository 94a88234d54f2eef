// Suggest: the narrowest change that would permit what was denied, tried out
// on the policy in memory. Nothing is ever applied.

package denials

import (
	"cmp"
	"net/netip"
	"slices"

	"sallyport/rules"
)

// A Suggestion is one change, and the groups that it would permit.
type Suggestion struct {
	Cure       Cure
	Title      string // one line: what to do
	Client     string
	Where      string   // where TOML goes
	TOML       string   // "": nothing to change
	Also       []string // what else it would permit
	Loses      []string // what it would no longer permit
	Warnings   []string // that check would have about it
	Why        string   // why there is nothing to change, or what to consider
	Source     string   // the document behind it
	Documented string   // how documented the destination is
	Verified   bool     // the changed configuration was compiled, and permits every group
	Groups     []*Group
	Count      uint64

	rank   int // of Documented, the best first
	change *change
}

// How documented a destination is, the best first.
var documentedTexts = [...]string{
	"documented for this client, once set",
	"permitted by the site, until its rule expired",
	"documented for another port, protocol or role",
	"beside a documented name",
	"not documented",
}

// Suggest returns what would permit the groups, the change for the most
// denials first; byDocument: the best documented first. At most n are tried
// out and returned, 0: all.
func (s *Site) Suggest(groups []*Group, n int, byDocument bool) []*Suggestion {
	found := map[string]*Suggestion{}
	var out []*Suggestion
	for _, g := range groups {
		sg := s.suggest(g)
		key := string(sg.Cure) + "\x00" + sg.Client + "\x00" + sg.Why
		if sg.change != nil {
			key = sg.change.key()
		}
		if o := found[key]; o != nil {
			o.join(sg)
			continue
		}
		found[key] = sg
		out = append(out, sg)
	}
	slices.SortStableFunc(out, func(a, b *Suggestion) int {
		if byDocument {
			return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.Count, a.Count))
		}
		return cmp.Compare(b.Count, a.Count)
	})
	out = page(out, 0, n)
	for i := 0; i < len(out); i++ {
		if rest := s.verify(out[i]); len(rest) > 0 {
			out = slices.Insert(out, i+1, rest...)
		}
	}
	return out
}

// join adds the groups of o, for which the same change was found.
func (sg *Suggestion) join(o *Suggestion) {
	sg.Groups = append(sg.Groups, o.Groups...)
	sg.Count += o.Count
	sg.rank = min(sg.rank, o.rank)
	if sg.change != nil && sg.change.site != nil {
		sg.change.site.join(o.change.site)
	}
}

// suggest finds the change for one group, without trying it.
func (s *Site) suggest(g *Group) *Suggestion {
	r := s.recordOf(g)
	sg := &Suggestion{Client: cmp.Or(g.ClientName, g.Client), Groups: []*Group{g}, Count: g.Count, rank: len(documentedTexts)}
	a, d, ok := s.Ask(&r)
	switch {
	case !ok:
		sg.Cure, sg.Why = CureNever, "these denials were counted without their destinations or clients; look at the ones that were not"
	case rank(d) == 2:
		sg.Cure, sg.Why = CurePermitted, "the configuration permits it already: reload, or it was denied before"
	case d.Why() == rules.UnknownClient:
		s.suggestSource(sg, &a)
	case !d.Why().Fixable():
		sg.Cure, sg.Why = CureNever, d.Why().String()+": "+whyNever(d.Why())
	case s.withinHost(&a):
		sg.Cure, sg.Why = CureNever, d.Why().String()+": the address is one of the very host that sallyport runs on, or of no more than its link, like a cloud's metadata service: a rule would let the client in there"
	default:
		sg.Client = d.Client.Name
		if sg.change = documented(s, &a, &d); sg.change == nil {
			s.suggestRule(sg, &a, &d)
		}
		sg.Cure = cureOfChange(sg.change)
		sg.rank = documentedness(&d, sg.Cure)
		if d.Nearest != nil {
			sg.Source = d.Nearest.Source()
		}
	}
	g.Cure = sg.Cure
	return sg
}

func (s *Site) suggestRule(sg *Suggestion, a *rules.Attempt, d *rules.Decision) {
	g := *sg.Groups[0]
	g.Hint = rules.Hint(*a, *d)
	if r := proposeRule(d.Client.Name, a, &g); r != nil {
		sg.change = &change{client: d.Client.Name, rule: d.Nearest, site: r}
	}
}

// suggestSource adds an unknown client's address to a client that may reach
// what it wanted.
func (s *Site) suggestSource(sg *Suggestion, a *rules.Attempt) {
	for _, cl := range s.Config.Clients {
		if len(cl.Sources) == 0 {
			continue
		}
		as := *a
		as.Client = netip.AddrPortFrom(cl.Sources[0].Addr(), 0)
		if d := s.Policy.Decide(as); d.Client == cl && rank(d) == 2 {
			sg.Cure, sg.Client = CureBinding, cl.Name
			sg.change = &change{client: cl.Name, source: a.Client.Addr()}
			sg.rank = 0
			return
		}
	}
	sg.Cure = CureNever
	sg.Why = "unknown_client: no [[client]] covers the address, and none may reach this; add the address to the sources of a client first"
}

// withinHost tells whether an attempt wants an address that is nobody else's
// than the gateway's own: one of its host, link-local, multicast, none. Who asks
// from that very host can reach the rest of it without us.
func (s *Site) withinHost(a *rules.Attempt) bool {
	to := a.Dest.Addr().Unmap()
	switch {
	case !a.Target().IsZero() || !to.IsValid():
		return false
	case s.own.Host(to):
		return !s.own.Host(a.Client.Addr())
	}
	return to.IsLinkLocalUnicast() || to.IsMulticast() || to.IsUnspecified() || to.Is4() && (to.As4()[0] == 0 || to.As4()[0] >= 240)
}

// documentedness ranks a destination.
func documentedness(d *rules.Decision, c Cure) int {
	switch {
	case c == CureFeature || c == CureBinding:
		return 0
	case d.Why() == rules.Expired:
		return 1
	case d.Nearest == nil:
		return 4
	case d.Why() == rules.NotListed || d.Why() == rules.IPLiteral:
		return 3
	}
	return 2
}
