// Views: the data of each view of the page.

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

// A frame has the data that all views need.
type frame struct {
	View     string // which view this is
	Title    string
	Auditing []string // clients in mode "audit"
	Refresh  int      // seconds between two refreshes; 0: no refresh
	Notes    []string
	Now      time.Time
}

// frameOf returns the frame of a view.
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

// A groupsView shows the timeline, the filters and the groups. It is the first view.
type groupsView struct {
	frame
	Form                         form
	Filtered                     bool
	Error                        string // the error of the form
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
	KnownNames                   []string
	Known                        uint64 // denials that are left out because they are known
	KnownLink                    string
	AnyKnown                     bool // a group of the table is known
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
	v := groupsView{frame: p.frameOf("groups", "Denials", site), VerdictNames: []string{journal.VerdictDeny, journal.VerdictWouldDeny}, Clear: "/", KnownNames: knownChoices()}
	for _, c := range denials.Cures() {
		v.Cures = append(v.Cures, string(c))
	}
	var err error
	if v.Form, err = formOf(r); err == nil {
		if v.Form.Known == denials.KnownOnly {
			v.View, v.Title, v.Clear = "known", "Known denials", "/?known=only"
		}
		var q denials.Query
		if q, err = p.query(&v.Form); err == nil {
			q.Site = site
			if !p.alone(ctx, func() {
				q.Filter.Table = p.knownAt(site)
				run, err := p.review(ctx, q.Filter)
				v.fill(run, q, err)
			}) || r.Context().Err() != nil {
				return // the viewer has gone
			}
			p.show(w, http.StatusOK, "groups", &v)
			return
		}
	}
	v.Error = err.Error()
	p.show(w, http.StatusBadRequest, "groups", &v)
}

// fill fills the view with the result of a query. run may be nil.
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
	v.Known, v.KnownLink = view.Report.Known, v.Form.link("/", "known", denials.KnownOnly)
	v.Chart = chartOf(&view.Timeline, v.Form)
	v.Matched, v.Denials, v.Rest = view.Matched, view.Denials, view.Rest
	for _, g := range view.Groups {
		v.AnyKnown = v.AnyKnown || g.Known != ""
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

// choicesMax limits the options of a field.
const choicesMax = 200

// choices lists the options of a field, with its current value.
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

// A groupView is one group: its destination and reason, its remedy, its
// records.
type groupView struct {
	frame
	Group       *denials.Group
	Where, Who  string
	Suggestions []*denials.Suggestion
	Records     []recordRow
	Back        string
	Meaning     string // the meaning of the cure
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
	if !p.alone(ctx, func() {
		if q.Files, err = p.Files(); err == nil {
			var records []journal.Record
			q.Filter.Table, q.Filter.Known = p.knownAt(site), denials.KnownAll
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
		v.Notes = append(v.Notes, "the journal has no denial of this group that matches the filters")
		p.show(w, http.StatusNotFound, "group", &v)
		return
	}
	g := v.Group
	v.Where, v.Who = g.Where(), denials.Who(g.ClientName, g.Client)
	if site != nil && site.HasText() { // without the text of the configuration, no change can be tried
		v.Suggestions = site.Suggest([]*denials.Group{g}, 1, false)
	}
	v.Meaning = meaning(g.Cure)
	for _, sg := range v.Suggestions {
		if sg.Asks {
			v.Meaning = "A question: only the client's own attempts support this change. Find out the answer before you set it."
		}
	}
	p.show(w, http.StatusOK, "group", &v)
}

// records lists the latest records, the newest first.
func (v *groupView) records(list []journal.Record) {
	for _, r := range slices.Backward(list) {
		v.Records = append(v.Records, recordRow{r.Time, strings.TrimSpace(r.Via + " " + denials.Cause(&r) + " " + denials.Repeated(r.Count)), denials.Values(&r)})
	}
}

// meaning describes a cure for the reviewer.
func meaning(c denials.Cure) string {
	switch c {
	case denials.CurePermitted:
		return "The configuration now permits this group."
	case denials.CureFeature:
		return "Documented: turn on a feature to permit this group."
	case denials.CureBinding:
		return "Documented: set a version, address or port to permit this group."
	case denials.CureRule:
		return "Not documented for this client: only a rule of your site can permit this group."
	}
	return "Never: no configuration can or should permit this group."
}
