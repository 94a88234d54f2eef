// More views: the latest denials, the policy in force, the gateway's health.

package page

import (
	"net/http"
	"slices"
	"time"

	"sallyport/denials/journal"

	"sallyport/denials"
)

// liveEvery is the time between two refreshes of the live view, in seconds.
const liveEvery = 5

// A liveView shows the latest denials, newest first.
type liveView struct {
	frame
	Records []liveRow
	On, Off string // links that turn refreshing on and off
}

type liveRow struct {
	Time                              time.Time
	Who, Via, Where, Cause, Why, Link string
	Times                             uint64
}

func (p *reviewPage) serveLive(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := begin(w, r)
	defer cancel()
	site := p.site()
	v := liveView{frame: p.frameOf("live", "Latest denials", site), On: "/live?refresh=on", Off: "/live"}
	if r.URL.Query().Get("refresh") == "on" {
		v.Refresh = liveEvery
	}
	if !p.alone(ctx, func() {
		v.fill(p.review(ctx, denials.Filter{Denied: true, Known: denials.KnownNo, Table: p.knownAt(site)}))
	}) || r.Context().Err() != nil {
		return // the viewer has gone
	}
	p.show(w, http.StatusOK, "live", &v)
}

// fill lists the latest records of a review, which may be nil.
func (v *liveView) fill(run *denials.Review, err error) {
	var rep journal.Report
	if run != nil {
		rep = run.Report()
		for r := range run.Recent {
			v.Records = append(v.Records, liveRow{r.Time, denials.Who(r.ClientName, r.Client), r.Via, denials.Where(r), denials.Cause(r), denials.Why(r.Nearest, r.Hint, r.FullDetail()),
				form{}.link("/group", "key", denials.KeyOf(r)), r.Times()})
		}
	}
	slices.SortStableFunc(v.Records, func(a, b liveRow) int { return b.Time.Compare(a.Time) })
	v.Notes = notes(&rep, err)
}

// A policyView shows the policy in force, by client, and the use of its rules.
type policyView struct {
	frame
	Revision string
	Counting time.Time // the time when counting began; zero: usage is not counted
	Clients  []policyClient
}

type policyClient struct {
	Name, Mode string
	Sources    []string
	Profiles   []string
	Rules      []policyRule
}

type policyRule struct {
	denials.RuleUse
	To, Ports string
	Unused    bool
}

// unusedAfter is the time after which a rule without use counts as unused, if
// usage was counted for that long.
const unusedAfter = 30 * 24 * time.Hour

func (p *reviewPage) servePolicy(w http.ResponseWriter, _ *http.Request) {
	site := p.site()
	v := policyView{frame: p.frameOf("policy", "Policy in force", site)}
	if site == nil {
		v.Notes = []string{"no policy is in force"}
		p.show(w, http.StatusOK, "policy", &v)
		return
	}
	var st journal.UsageState
	if p.Usage != nil {
		st = p.Usage()
	}
	v.Revision, v.Counting = site.Policy.Revision(), st.Since
	by := map[string][]policyRule{}
	uses := site.Used(st)
	unused := p.Now().Add(-unusedAfter)
	for i, g := range site.Policy.Grants() { // in the order of Used
		c, r, u := g.Client, g.Rule, uses[i]
		by[c.Name] = append(by[c.Name], policyRule{u, destinations(r), portsText(r), st.Since.Before(unused) && u.Never(unused)})
	}
	for _, c := range site.Config.Clients {
		v.Clients = append(v.Clients, policyClientOf(c, by[c.Name]))
	}
	p.show(w, http.StatusOK, "policy", &v)
}

// A healthView is the gateway's report about itself.
type healthView struct {
	frame
	Rows []Health
	OK   bool
}

func (p *reviewPage) serveHealth(w http.ResponseWriter, _ *http.Request) {
	v := healthView{frame: p.frameOf("health", "Health", p.site()), OK: true}
	if p.Health != nil {
		v.Rows = p.Health()
	}
	for _, h := range v.Rows {
		v.OK = v.OK && h.OK
	}
	p.show(w, http.StatusOK, "health", &v)
}

func (p *reviewPage) serveNothing(w http.ResponseWriter, _ *http.Request) {
	v := healthView{frame: p.frameOf("nothing", "Page not found", nil)}
	p.show(w, http.StatusNotFound, "nothing", &v)
}
