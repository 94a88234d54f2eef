// Effects: what a new revision of a profile means for a site, and for what its journal has
// recorded.

package catalogue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"sallyport/cmd/sallyport/terminal"
	"sallyport/denials"
	"sallyport/denials/journal"
	"sallyport/rules"
	"sallyport/rules/profile/diff"
)

// effects are what a comparison means for a site.
type effects struct {
	result       *diff.Result
	site         *denials.Site // nil: no configuration was given
	old, next    *denials.Site // the site with either revision
	now          time.Time
	unknown      []string // settings that the new revision does not know
	clients      []string // that have the profile
	gained, lost []rules.Gain
	read         bool // the journal was read
	since        time.Time
	used         []journal.Use
	revised      *denials.Revised // nil: not asked
}

// compareSites compares the policies of the site with either revision.
func (e *effects) compareSites() {
	if e.site == nil {
		return
	}
	for _, c := range e.site.Config.Clients {
		if slices.ContainsFunc(c.Profiles, func(cp rules.ClientProfile) bool { return cp.Profile.Name == e.result.New.Name }) {
			e.clients = append(e.clients, c.Name)
		}
	}
	e.old, _ = e.site.WithProfile(e.result.Old)
	e.next, e.unknown = e.site.WithProfile(e.result.New)
	e.gained = rules.Diff(e.old.Policy, e.next.Policy)
	e.lost = rules.Diff(e.next.Policy, e.old.Policy)
}

// readJournal reads which removed rules were used, and asks both revisions about the
// recorded decisions.
func (e *effects) readJournal(ctx context.Context, files []string, since time.Time, errs io.Writer) error {
	e.read, e.since = true, since
	var st journal.UsageState
	flows := files
	if len(files) == 0 {
		var err error
		if files, flows, st, err = e.journals(); err != nil {
			return err
		}
	}
	q := denials.Query{Files: flows, Filter: denials.Filter{Since: since}}
	report, err := denials.AddFlows(ctx, &st, q)
	if err != nil {
		return err
	}
	e.used = denials.UsedOf(st, removedRules(e.result), since)
	if e.site != nil {
		q.Files = files
		if e.revised, err = denials.Revise(ctx, e.old, e.next, q); err != nil {
			return err
		}
		report = e.revised.Report
	}
	for _, p := range report.Problems {
		fmt.Fprintln(errs, "sallyport:", p)
	}
	return nil
}

// journals returns the files of the site's journal with those of the permitted flows, the
// latter alone, and the counts that the gateway keeps.
func (e *effects) journals() (all, flows []string, st journal.UsageState, err error) {
	j := e.site.Config.Journal
	if j.Path == "-" {
		return nil, nil, st, errors.New("the journal goes to standard output: save it to a file and give --file FILE")
	}
	if all, err = existing(j.Path); err != nil {
		return nil, nil, st, err
	}
	if j.Flows != "" && j.Flows != "-" {
		if flows, err = existing(j.Flows); err != nil {
			return nil, nil, st, err
		}
	}
	if len(all)+len(flows) == 0 {
		return nil, nil, st, fmt.Errorf("%s does not exist: sallyport has not run with this configuration yet; leave out --since, or give a journal with --file FILE", j.Path)
	}
	st, err = journal.ReadUsage(journal.UsagePath(j.Path))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return slices.Concat(all, flows), flows, st, err
}

// existing returns the files of a journal; none if it does not exist yet.
func existing(path string) ([]string, error) {
	files, err := journal.Files(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return slices.DeleteFunc(files, func(f string) bool {
		_, err := os.Stat(f)
		return errors.Is(err, fs.ErrNotExist)
	}), err
}

// writeText writes the effects for people.
func (e *effects) writeText(w io.Writer) {
	line := func(format string, args ...any) {
		fmt.Fprintln(w, terminal.Printable(fmt.Sprintf(format, args...)))
	}
	if e.site != nil {
		line("")
		line("clients of %s with this profile: %s", e.site.Config.File, named(e.clients))
		for _, s := range e.unknown {
			line("refused  %s: change the configuration together with the profile", s)
		}
		for _, g := range e.gained {
			line("gained   %s", gainText(g))
		}
		for _, g := range e.lost {
			line("lost     %s", gainText(g))
		}
		if len(e.gained)+len(e.lost)+len(e.unknown) == 0 {
			line("nothing changes for these clients")
		}
	}
	if !e.read {
		return
	}
	line("")
	line("the journal since %s:", e.since.UTC().Format("2006-01-02 15:04 UTC"))
	for _, u := range e.used {
		line("in use   %s, which NEW does not have: client %s, attempts %d, look-ups %d, last %s", u.Rule, u.Client, u.Count, u.Lookups, u.Last.UTC().Format("2006-01-02 15:04 UTC"))
	}
	if len(e.used) == 0 {
		line("no removed rule was used")
	}
	if e.revised == nil {
		line("give --config FILE to ask NEW about the recorded denials")
		return
	}
	for _, c := range e.revised.Permitted {
		line("permits  %s of %s: %d denied as %s, last %s; now by %s", c.Where(), denials.Who(c.ClientName, c.Client), c.Count, c.Reason, c.Last.UTC().Format("2006-01-02 15:04 UTC"), c.NewRule)
	}
	if len(e.revised.Permitted) == 0 {
		line("no recorded denial would be permitted")
	}
	for _, c := range e.revised.Denied {
		line("denies   %s of %s: %d permitted, last %s; now %s", c.Where(), denials.Who(c.ClientName, c.Client), c.Count, c.Last.UTC().Format("2006-01-02 15:04 UTC"), c.NewReason)
	}
}

// gainText returns a gain or a loss with its client.
func gainText(g rules.Gain) string {
	if g.Client == nil {
		return g.String()
	}
	var from []string
	for _, r := range g.From {
		from = append(from, r.String())
	}
	return g.Client.Name + " (" + strings.Join(from, ", ") + "): " + g.String()
}

// siteJSON is the part of a site in profiles diff --json.
type siteJSON struct {
	Config  string     `json:"config"`
	Clients []string   `json:"clients"`
	Refused []string   `json:"refused,omitempty"`
	Gained  []gainJSON `json:"gained"`
	Lost    []gainJSON `json:"lost"`
}

// A gainJSON is one destination that a client gains or loses.
type gainJSON struct {
	Client string   `json:"client,omitempty"`
	From   []string `json:"from,omitempty"`
	To     string   `json:"to,omitempty"`
	What   string   `json:"what"`
	Rule   string   `json:"rule,omitempty"`
}

func (e *effects) siteJSON() *siteJSON {
	if e.site == nil {
		return nil
	}
	return &siteJSON{e.site.Config.File, append([]string{}, e.clients...), e.unknown, gainsJSON(e.gained), gainsJSON(e.lost)}
}

func gainsJSON(gains []rules.Gain) []gainJSON {
	out := []gainJSON{}
	for _, g := range gains {
		j := gainJSON{To: g.Where(), What: g.What()}
		if g.Client != nil {
			j.Client = g.Client.Name
		}
		for _, r := range g.From {
			j.From = append(j.From, r.String())
		}
		if g.Rule != nil {
			j.Rule = g.Rule.String()
		}
		out = append(out, j)
	}
	return out
}

// journalJSON is the part of the journal in profiles diff --json.
type journalJSON struct {
	Since     time.Time     `json:"since"`
	Used      []usedJSON    `json:"used"`
	Permitted []decidedJSON `json:"permitted"`
	Denied    []decidedJSON `json:"denied"`
}

// A usedJSON is a removed rule that was used.
type usedJSON struct {
	Rule    string    `json:"rule"`
	Client  string    `json:"client"`
	Count   uint64    `json:"count"`
	Lookups uint64    `json:"lookups"`
	Last    time.Time `json:"last"`
}

// A decidedJSON is a destination that the new revision decides otherwise.
type decidedJSON struct {
	Client string    `json:"client"`
	Host   string    `json:"host"`
	Port   uint16    `json:"port"`
	Proto  string    `json:"proto"`
	Count  uint64    `json:"count"`
	Last   time.Time `json:"last"`
	Was    string    `json:"was"`
	Rule   string    `json:"rule,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

func (e *effects) journalJSON() *journalJSON {
	if !e.read {
		return nil
	}
	j := &journalJSON{Since: e.since, Used: []usedJSON{}, Permitted: []decidedJSON{}, Denied: []decidedJSON{}}
	for _, u := range e.used {
		j.Used = append(j.Used, usedJSON{u.Rule, u.Client, u.Count, u.Lookups, u.Last})
	}
	if e.revised != nil {
		j.Permitted, j.Denied = decided(e.revised.Permitted), decided(e.revised.Denied)
	}
	return j
}

func decided(changes []*denials.Changed) []decidedJSON {
	out := []decidedJSON{}
	for _, c := range changes {
		was := c.Verdict
		if c.Reason != "" {
			was += " " + c.Reason
		}
		out = append(out, decidedJSON{denials.Who(c.ClientName, c.Client), c.Host, c.Port, c.Proto, c.Count, c.Last, was, c.NewRule, c.NewReason})
	}
	return out
}
