// Suggest: finds the narrowest change that would permit a denial, tries it on
// the policy in memory, and marks it as a question if a person must confirm it. It
// applies nothing.

package denials

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// A Suggestion is one change, and the groups that it would permit.
type Suggestion struct {
	Cure       Cure
	Title      string // the instruction, in one line
	Client     string
	Where      string   // the place for TOML
	TOML       string   // "": no change
	For        []string // the clients and sources that gain
	Also       []string // all that it would permit beyond the denied attempts
	Loses      []string // all that it would no longer permit
	Warnings   []string // the warnings of check about it
	Why        string   // why there is no change, or what to consider
	Source     string   // the document that supports the change
	Documented string   // how well the destination is documented
	Verified   bool     // the changed configuration compiles and permits every group
	Groups     []*Group
	Count      uint64
	Gains      []rules.Gain // all that it would permit
	Asks       bool         // only the denied client's attempt supports it: TOML is a comment

	rank   int // index in documentedTexts
	change *change
}

// How well a destination is documented, the best first.
var documentedTexts = [...]string{
	"documented for this client, with a setting that is missing",
	"permitted by a rule of the site that has expired",
	"documented for another port, protocol or role",
	"near a documented name",
	"not documented",
	"only the attempt itself supports the change",
}

// attemptOnly is the index of the last text in documentedTexts.
const attemptOnly = len(documentedTexts) - 1

// Suggest returns the changes that would permit the groups. The change for the
// most denials comes first, or with byDocument the best documented change.
// Changes that only the denied clients' attempts support come last, at most one
// for each role or source. Suggest tries and returns at most n changes; 0: all.
func (s *Site) Suggest(groups []*Group, n int, byDocument bool) []*Suggestion {
	found := map[string]*Suggestion{}
	asked := map[string]string{} // role or source -> the change that asks about it
	var out []*Suggestion
	for _, g := range groups {
		sg := s.suggest(g)
		if sg.Asks {
			s.askOnce(sg, asked)
		}
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
	byTrust := func(a, b *Suggestion) int {
		if byDocument {
			return cmp.Compare(a.rank, b.rank)
		}
		return cmp.Compare(a.questions(), b.questions())
	}
	slices.SortStableFunc(out, func(a, b *Suggestion) int { return cmp.Or(byTrust(a, b), cmp.Compare(b.Count, a.Count)) })
	out = cut(out, 0, n)
	for i := 0; i < len(out); i++ {
		if rest := s.verify(out[i]); len(rest) > 0 {
			out = slices.Insert(out, i+1, rest...)
		}
	}
	slices.SortStableFunc(out, byTrust) // a group that its change does not permit has another change, perhaps of another kind
	for _, sg := range out {
		if sg.TOML != "" && !sg.proven() {
			sg.Warnings = append(sg.Warnings, sg.Client+": "+unprovenText)
		}
		if sg.TOML != "" && slices.ContainsFunc(sg.Groups, func(g *Group) bool { return g.last.schema < 2 }) {
			sg.Warnings = append(sg.Warnings, journal.ErrSchema1.Error()+"; the names and the protocol that the flow showed are not judged")
		}
	}
	return out
}

// whyNotAsked returns why the policy cannot be asked about a record.
func whyNotAsked(r *journal.Record) string {
	_, err := r.Attempt()
	reason, _ := rules.ParseReason(r.Reason)
	switch {
	case errors.Is(err, journal.ErrContent):
		return r.Reason + ": " + whyNever(reason) + " (" + err.Error() + ")"
	case errors.Is(err, journal.ErrFolded):
		return "these denials were counted without their destinations or clients, or differ in a value that the decision needs; look at the other denials"
	case err != nil:
		return err.Error()
	}
	return "the record names no client"
}

// join adds the groups of o, which has the same change.
func (sg *Suggestion) join(o *Suggestion) {
	sg.Groups = append(sg.Groups, o.Groups...)
	sg.Count += o.Count
	sg.rank = min(sg.rank, o.rank)
	if sg.change != nil && sg.change.site != nil {
		sg.change.site.join(o.change.site)
	}
}

// suggest finds the change for one group, and does not try it yet.
func (s *Site) suggest(g *Group) *Suggestion {
	r := s.recordOf(g)
	sg := &Suggestion{Client: cmp.Or(g.ClientName, g.Client), Groups: []*Group{g}, Count: g.Count, rank: len(documentedTexts)}
	a, d, ok := s.Ask(&r)
	switch {
	case !ok:
		sg.Cure, sg.Why = CureNever, whyNotAsked(&r)
	case rank(d) == 2:
		sg.Cure, sg.Why = CurePermitted, "the configuration already permits this: the denial is older than the last change, or the configuration was not reloaded"
	case d.Why() == rules.UnknownClient:
		s.suggestSource(sg, &a)
	case d.Why() == rules.TypeNotAllowed && s.never(&a) != "":
		sg.Cure, sg.Why = CureNever, d.Why().String()+": "+s.never(&a)
	case d.Why() == rules.PrivateAddress:
		sg.Cure, sg.Why = CureNever, "private_address: "+rules.Hint(a, d)+"; if that is not intended, the answer is forged or blocked: look at the resolver"
	case d.Why() == rules.Unauthenticated:
		sg.Cure, sg.Why = CureNever, "unauthenticated: "+rules.Hint(a, d)
	case !d.Why().Fixable():
		sg.Cure, sg.Why = CureNever, d.Why().String()+": "+whyNever(d.Why())
	case s.withinHost(&a) != "":
		sg.Cure, sg.Why = CureNever, d.Why().String()+": "+s.withinHost(&a)
	case s.never(&a) != "":
		sg.Client, sg.Cure, sg.Why = d.Client.Name, CureNever, s.never(&a)
	default:
		sg.Client = d.Client.Name
		if sg.change = documented(&a, &d); sg.change == nil {
			s.suggestRule(sg, &a, &d)
		}
		sg.Cure = cureOfChange(sg.change)
		sg.rank = documentedness(&d, sg.Cure)
		s.markQuestion(sg)
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

// suggestSource adds an unknown client's address to a client that may reach the
// destination.
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
			s.markQuestion(sg)
			return
		}
	}
	sg.Cure = CureNever
	sg.Why = "unknown_client: no [[client]] covers the address, and no client may reach this destination either; if the address belongs to a client, add it to the sources of that client"
}

// markQuestion marks a suggestion that only the denied client's attempt
// supports.
func (s *Site) markQuestion(sg *Suggestion) {
	if sg.change == nil {
		return
	}
	if why := s.unsupported(sg.change); why != "" {
		sg.Asks, sg.rank, sg.change.ask = true, attemptOnly, why
	}
}

// askOnce keeps the question for the first candidate for a role or source. For
// a further candidate for a role, it proposes a rule. For a further source, it
// proposes nothing.
func (s *Site) askOnce(sg *Suggestion, asked map[string]string) {
	place, key := sg.change.place(), sg.change.key()
	if first, known := asked[place]; !known {
		asked[place] = key
		return
	} else if first == key {
		return
	}
	sg.Asks = false
	if sg.change.source.IsValid() {
		sg.change, sg.Cure = nil, CureNever
		sg.Why = "unknown_client: no [[client]] covers these addresses; " + sg.Client + " may reach this destination: add the addresses that belong to this client to its sources"
		sg.Groups[0].Cure = sg.Cure
		return
	}
	r := s.recordOf(sg.Groups[0])
	a, d, _ := s.Ask(&r)
	sg.change = nil
	s.suggestRule(sg, &a, &d)
	sg.Cure, sg.rank = CureRule, documentedness(&d, CureRule)
	sg.Groups[0].Cure = sg.Cure
}

// withinHost returns why no rule should permit a destination that only the gateway itself can
// reach; "" if a rule may permit it.
func (s *Site) withinHost(a *rules.Attempt) string {
	if !a.Target().IsZero() || !a.Dest.Addr().IsValid() {
		return ""
	}
	return s.own.OffLimits(a.Client.Addr(), a.Dest.Addr())
}

// documentedness returns the rank of a destination in documentedTexts.
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

// questions counts the questions to answer before the suggestion permits
// anything.
func (sg *Suggestion) questions() int {
	if sg.Asks {
		return 1
	}
	return 0
}
