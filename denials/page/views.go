// Views: what each view of the page shows.

package page

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"sallyport/denials/journal"

	"sallyport/denials"
)

// A frame is what all views have in common.
type frame struct {
	View     string // which one
	Title    string
	Auditing []string // clients whose denials are let through
	Refresh  int      // seconds; 0: only when asked
	Notes    []string
	Now      time.Time
}

// frameOf begins a view.
func (p *reviewPage) frameOf(view, title string, site *denials.Site) frame {
	f := frame{View: view, Title: title, Now: p.Now().UTC()}
	if site != nil {
		for _, c := range site.Config.Clients {
			if c.Audit {
				f.Auditing = append(f.Auditing, c.Name)
			}
		}
	}
	return f
}

// A groupsView is the first view: the timeline, the groups and their filters.
type groupsView struct {
	frame
	Form                         form
	Filtered                     bool
	Error                        string // in the form
	Chart                        *chart
	Groups                       []groupRow
	Matched, From, To            int
	Denials, Rest                uint64
	Previous, Next               string
	ByCount, ByLast, ByHost      string
	Clear                        string
	Reasons, Vias, Profiles      []string
	Clients, Cures, VerdictNames []string
	CureCounts                   []cureCount
}

type groupRow struct {
	denials.Group
	Where, Who, Why, Link string
}

type cureCount struct {
	Cure denials.Cure
	N    uint64
	Link string
}

func (p *reviewPage) serveGroups(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := begin(w, r)
	defer cancel()
	site := p.site()
	v := groupsView{frame: p.frameOf("groups", "Denials", site), VerdictNames: []string{journal.VerdictDeny, journal.VerdictWouldDeny}, Clear: "/"}
	for _, c := range denials.Cures() {
		v.Cures = append(v.Cures, string(c))
	}
	var err error
	if v.Form, err = formOf(r); err == nil {
		var q denials.Query
		if q, err = p.query(&v.Form); err == nil {
			q.Site = site
			if !p.inTurn(ctx, func() {
				run, err := p.review(ctx, q.Filter)
				v.fill(run, q, err)
			}) || r.Context().Err() != nil {
				return // the viewer is gone
			}
			p.show(w, http.StatusOK, "groups", &v)
			return
		}
	}
	v.Error = err.Error()
	p.show(w, http.StatusBadRequest, "groups", &v)
}

// fill answers the query from a review, which may be nil.
func (v *groupsView) fill(run *denials.Review, q denials.Query, err error) {
	if run == nil {
		v.Notes = notes(&journal.Report{}, err)
		return
	}
	view, orderErr := run.View(q)
	if orderErr != nil {
		v.Error = orderErr.Error()
		return
	}
	v.Notes = notes(&view.Report, err)
	v.Filtered = len(v.Form.values()) > 0
	v.Chart = chartOf(&view.Timeline, v.Form)
	v.Matched, v.Denials, v.Rest = view.Matched, view.Denials, view.Rest
	for _, g := range view.Groups {
		v.Groups = append(v.Groups, groupRow{*g, g.Where(), denials.Who(g.ClientName, g.Client), denials.Why(g.Nearest, g.Hint, ""),
			v.Form.link("/group", "key", g.Key(), "sort", "", "cure", "")})
	}
	v.From, v.To = q.Offset+1, q.Offset+len(v.Groups)
	f := v.Form
	if f.Page > 1 {
		v.Previous = f.link("/", "page", pageText(f.Page-1))
	}
	if v.To < v.Matched && len(v.Groups) > 0 {
		v.Next = f.link("/", "page", pageText(f.Page+1))
	}
	v.ByCount, v.ByLast, v.ByHost = f.link("/", "sort", ""), f.link("/", "sort", "last"), f.link("/", "sort", "host")
	for _, c := range denials.Cures() {
		if n := view.Totals.Cures.Of(string(c)); n > 0 {
			v.CureCounts = append(v.CureCounts, cureCount{c, n, f.link("/", "cure", string(c))})
		}
	}
	v.Reasons = choices(&view.Totals.Reasons, f.Reason)
	v.Vias = choices(&view.Totals.Vias, f.Via)
	v.Profiles = choices(&view.Totals.Profiles, f.Profile)
	v.Clients = choices(&view.Totals.Clients, f.Client)
}

// choicesMax bounds what a form offers.
const choicesMax = 200

// choices lists what a field of the form can be, with what it is now.
func choices(c *denials.Counts, now string) []string {
	var out []string
	list := c.Largest()
	for _, k := range list[:min(len(list), choicesMax)] {
		if k.Text != "" && k.Text != denials.Others && journal.Visible(k.Text) == k.Text {
			out = append(out, k.Text)
		}
	}
	if now != "" && !slices.Contains(out, now) {
		out = append(out, now)
	}
	slices.Sort(out)
	return out
}

// A groupView is one group: what it was, what would permit it, the records.
type groupView struct {
	frame
	Group       *denials.Group
	Where, Who  string
	Suggestions []*denials.Suggestion
	Records     []recordRow
	Back        string
	Meaning     string // of the verdict
}

type recordRow struct {
	Time   time.Time
	Title  string
	Fields []denials.Value
}

func (p *reviewPage) serveGroup(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := begin(w, r)
	defer cancel()
	site := p.site()
	v := groupView{frame: p.frameOf("group", "One group of denials", site)}
	f, err := formOf(r)
	q, queryErr := p.query(&f)
	v.Back = f.link("/")
	if err := errors.Join(err, queryErr); err != nil {
		v.Notes = []string{err.Error()}
		p.show(w, http.StatusBadRequest, "group", &v)
		return
	}
	q.Site = site
	if !p.inTurn(ctx, func() {
		if q.Files, err = p.Files(); err == nil {
			var records []journal.Record
			v.Group, records, err = denials.Detail(ctx, q, r.URL.Query().Get("key"), 20)
			v.records(records)
		}
	}) {
		return
	}
	v.Notes = notes(&journal.Report{}, err)
	if r.Context().Err() != nil {
		return
	}
	if v.Group == nil {
		v.Notes = append(v.Notes, "no denial of this group is in the journal, as far as the filter goes")
		p.show(w, http.StatusNotFound, "group", &v)
		return
	}
	g := v.Group
	v.Where, v.Who = g.Where(), denials.Who(g.ClientName, g.Client)
	if site != nil && site.HasText() { // else no change can be tried out
		v.Suggestions = site.Suggest([]*denials.Group{g}, 1, false)
	}
	v.Meaning = meaning(g.Cure)
	for _, sg := range v.Suggestions {
		if sg.Asks {
			v.Meaning = "A question: nothing but the client's own attempts says so. Find out before you set it."
		}
	}
	p.show(w, http.StatusOK, "group", &v)
}

// records lists them, the newest first.
func (v *groupView) records(list []journal.Record) {
	for _, r := range slices.Backward(list) {
		v.Records = append(v.Records, recordRow{r.Time, strings.TrimSpace(r.Via + " " + denials.Cause(&r) + " " + denials.Repeated(r.Count)), denials.Values(&r)})
	}
}

// meaning says what a cure asks of the reviewer.
func meaning(c denials.Cure) string {
	switch c {
	case denials.CurePermitted:
		return "The configuration permits it by now."
	case denials.CureFeature:
		return "Documented: fixable by a feature to turn on."
	case denials.CureBinding:
		return "Documented: fixable by a version, address or port to set."
	case denials.CureRule:
		return "Not documented like this: fixable only by a rule of the site's own."
	}
	return "Never: no line of configuration should permit it, or could."
}
