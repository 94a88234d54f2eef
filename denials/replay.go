// Replay: asks another configuration about recorded decisions.

package denials

import (
	"cmp"
	"context"
	"slices"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// The outcomes of a replayed decision.
const (
	NewlyPermitted = "newly_permitted"
	NewlyDenied    = "newly_denied"
	Unchanged      = "unchanged"
	Unknown        = "unknown" // the record lacks what the policy needs
)

// A Replayed is the answer to Replay. The four counts add up to Decisions.
type Replayed struct {
	Report    journal.Report
	Decisions uint64
	Permitted uint64
	Denied    uint64
	Unchanged uint64
	Unknown   uint64
	Schema1   uint64     // decisions asked again by their destination only (schema 1)
	Changes   []*Changed // the largest first
	Rest      uint64     // decisions that changed and are in no element of Changes
}

// A Changed counts all decisions of one destination and client that change in
// the same way.
type Changed struct {
	Group             // the recorded group; its Verdict is the recorded verdict
	Outcome    string // NewlyPermitted or NewlyDenied
	NewVerdict string // deny, would_deny or allow
	NewReason  string // "" for an allow
	NewRule    string // the rule that permits
	NewHint    string // the reason of a denial
}

type changedKey struct {
	groupKey
	verdict, reason, rule string
}

// Replay asks the site about every decision in the files: denials, and
// permitted flows where they are recorded, also those without a connection. A decision by which mode "audit" let
// an attempt through ranks between denied and permitted. It is newly permitted
// if a rule permits the attempt now, and newly denied if the policy no longer
// lets the attempt through.
func Replay(ctx context.Context, q Query) (*Replayed, error) {
	var out Replayed
	changes := map[changedKey]*Changed{}
	q.Filter.Event = ""
	memo := newMemo(q.Site)
	var err error
	out.Report, err = q.Scan(ctx, func(r *journal.Record) error {
		if r.Event != journal.EventDecision && !r.Permitted() {
			return nil
		}
		n := r.Times()
		out.Decisions += n
		d, ok := memo.ask(r)
		if ok && r.Schema < 2 {
			out.Schema1 += n
		}
		was := rankOf(r.Verdict)
		switch {
		case !ok:
			out.Unknown += n
			return nil
		case d.rank == was:
			out.Unchanged += n
			return nil
		case d.rank > was:
			out.Permitted += n
		default:
			out.Denied += n
		}
		k, raw := keyOf(r)
		ck := changedKey{k, d.verdict, d.reason, d.rule}
		c := changes[ck]
		if c == nil {
			if len(changes) >= countsMax {
				out.Rest += n
				return nil
			}
			c = &Changed{Group: *newGroup(k, raw, r), Outcome: NewlyDenied, NewVerdict: d.verdict, NewReason: d.reason, NewRule: d.rule, NewHint: d.hint}
			if d.rank > was {
				c.Outcome = NewlyPermitted
			}
			changes[ck] = c
		}
		c.add(r)
		return nil
	})
	for _, c := range changes {
		out.Changes = append(out.Changes, c)
	}
	slices.SortFunc(out.Changes, func(a, b *Changed) int {
		return cmp.Or(cmp.Compare(a.Outcome, b.Outcome), byCount(&a.Group, &b.Group), cmp.Compare(a.NewRule, b.NewRule))
	})
	if n := len(out.Changes); q.Limit > 0 && n > q.Limit {
		for _, c := range out.Changes[q.Limit:] {
			out.Rest += c.Count
		}
		out.Changes = out.Changes[:q.Limit]
	}
	return &out, err
}

// An answer is the part of a decision that is kept.
type answer struct {
	ok                          bool
	rank                        int
	verdict, reason, rule, hint string
}

// A memo keeps answers, so that equal records are asked about once. It is bounded.
type memo struct {
	site *Site
	m    map[memoKey]answer
}

type memoKey struct {
	groupKey
	schema                                                       int
	raw, mismatch, ech, byAddress, hostIgnored, provisional, cut bool
	via, sni, original, addr, authority, qtype                   string
	httpHost, shown, fault, detail                               string
	omitted                                                      journal.Omitted
}

func newMemo(s *Site) memo { return memo{s, map[memoKey]answer{}} }

func memoKeyOf(r *journal.Record) memoKey {
	gk, raw := keyOf(r)
	k := memoKey{groupKey: gk, schema: r.Schema, raw: raw, mismatch: r.Mismatch, ech: r.ECH, byAddress: r.ByAddress, hostIgnored: r.HostIgnored, provisional: r.Provisional,
		cut: r.Truncated, via: r.Via, sni: r.SNI, original: r.OriginalDst, addr: r.Dest, authority: r.Authority, qtype: r.QType, httpHost: r.HTTPHost,
		shown: r.Shown, fault: r.Fault, omitted: r.Omitted}
	if r.Schema < 2 {
		k.detail = r.Detail
		if len(r.Resolved) > 0 {
			k.addr = r.Resolved[0]
		}
	}
	return k
}

func (m *memo) ask(r *journal.Record) (answer, bool) {
	k := memoKeyOf(r)
	if v, known := m.m[k]; known && len(r.Pinned) == 0 {
		return v, v.ok
	}
	a, d, ok := m.site.Ask(r)
	v := answer{ok: ok, rank: rank(d), verdict: d.Text(), reason: reasonText(d)}
	if d.Rule != nil {
		v.rule = d.Rule.String()
	}
	if ok && v.rank < 2 {
		v.hint = rules.Hint(a, d)
	}
	if len(m.m) >= countsMax {
		clear(m.m)
	}
	m.m[k] = v
	return v, ok
}

// reasonText returns the reason of a denial, and "" for any other decision.
func reasonText(d rules.Decision) string {
	if d.Verdict == rules.Allow && !d.Would {
		return ""
	}
	return d.Why().String()
}
