// Admin page: what the review page and the health page show.

package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"sallyport/denials"
	"sallyport/denials/journal"
	"sallyport/denials/page"
	"sallyport/dnsfilter"
	"sallyport/proxy"
	"sallyport/rules"
	"sallyport/rules/site"
)

// reviewPage returns the review page. It reads the journal that was opened at the
// start, because a reload does not change the journal.
func (g *Gateway) reviewPage(cfg *site.Config) http.Handler {
	path := cfg.Journal.Path
	sites := &siteInForce{g: g}
	return page.Page(page.PageConfig{
		Files:  func() ([]string, error) { return journalFiles(path) },
		Site:   sites.get,
		Usage:  func() journal.UsageState { return g.usage.State() },
		Health: g.health,
		When:   denials.ParseWhen,
		Log:    g.log,
	})
}

func journalFiles(path string) ([]string, error) {
	if path == "-" {
		return nil, errors.New(`the journal goes to standard output: set [journal] path to a file to review it here`)
	}
	return journal.Files(path)
}

// siteInForce is the site that the review page judges denials by: the policy in
// force, and the text of the configuration file to try changes on. It has the text
// only while the file is in force.
type siteInForce struct {
	g *Gateway

	mu     sync.Mutex
	site   *denials.Site
	policy *rules.Policy // the policy of site
	again  time.Time     // the time to read the file again, if it was not in force
}

// get returns the site; nil before a policy is in force.
func (s *siteInForce) get() *denials.Site {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.g.mu.Lock()
	cfg, policy := s.g.cfg, s.g.live.Policy()
	s.g.mu.Unlock()
	if policy == nil {
		return nil
	}
	now := time.Now()
	if s.policy == policy && (s.again.IsZero() || now.Before(s.again)) {
		return s.site
	}
	s.policy, s.again = policy, time.Time{}
	if s.site = s.read(policy, now); s.site == nil {
		s.site, s.again = &denials.Site{Config: cfg, Policy: policy}, now.Add(5*time.Second)
	}
	return s.site
}

// read reads the file again. It returns nil if the file is not in force.
func (s *siteInForce) read(policy *rules.Policy, now time.Time) *denials.Site {
	if s.g.source.file == "-" {
		return nil
	}
	profiles, err := ShippedProfiles()
	if err != nil {
		return nil
	}
	sets, err := ShippedSets()
	if err != nil {
		return nil
	}
	name, dir, data, err := ReadConfig(s.g.source.file, s.g.source.stdin)
	if err != nil {
		return nil
	}
	own := s.g.own
	site, err := denials.NewSite(denials.Source{File: name, Embedded: s.g.source.file == "", Disk: hostDisk(dir), Text: data, Profiles: profiles, Sets: sets, Now: now,
		Own: func(site.Listen) rules.Own { return own }})
	if err != nil || site.Policy.Revision() != policy.Revision() {
		return nil
	}
	return site
}

// health returns the state of each part.
func (g *Gateway) health() []page.Health {
	g.mu.Lock()
	cfg, booted, loaded, reloadErr := g.cfg, g.booted, g.loaded, g.reloadErr
	g.mu.Unlock()
	rows := []page.Health{{Name: "Version", OK: true, Text: g.build.Version}}
	if policy := g.live.Policy(); policy != nil {
		rows = append(rows, page.Health{Name: "Policy", OK: true, Text: DescribePolicy(cfg, policy) + ", since " + loaded.UTC().Format("2006-01-02 15:04:05") + " UTC"})
	}
	for _, text := range DescribeProfiles(cfg) {
		rows = append(rows, page.Health{Name: "Profile", OK: true, Text: text})
	}
	file := page.Health{Name: "Configuration", OK: reloadErr == nil, Text: cfg.File + " is in force"}
	if reloadErr != nil {
		file.Text = "the file was refused, and the earlier configuration stays in force: " + reloadErr.Error()
	}
	restart := page.Health{Name: "Restart", OK: true, Text: "no change waits for a restart"}
	if keys := needRestart(booted, cfg); len(keys) > 0 {
		restart.OK, restart.Text = false, "these changed keys take effect at the next start: "+strings.Join(keys, ", ")
	}
	rows = append(rows, file, restart, g.journalHealth(cfg))
	rows = append(rows, g.upstreamHealth()...)
	rows = append(rows, g.parentHealth(cfg)...)
	rows = append(rows, g.sinks.health()...)
	rows = append(rows, g.secureHealth(cfg)...)
	p := g.proxy.Stats()
	if text := describeBalancers(booted.Listen); text != "" {
		rows = append(rows, page.Health{Name: "Balancers", OK: true, Text: fmt.Sprintf("%s; %d health checks", text, p.Checks+g.filter.HealthChecks())})
	}
	rows = append(rows, page.Health{Name: "Proxy", OK: p.Panics == 0, Text: fmt.Sprintf("%d connections open, %d flows connected, %d connections refused because of a limit or a drain, %d ended in a recovered panic", p.Connections, p.Tunnels, p.NotAdmitted, p.Panics)})
	if logins := g.loginState(cfg); logins != nil {
		rows = append(rows, page.Health{Name: "Logins", OK: true, Text: logins.String()})
	}
	if len(booted.Listen.SOCKS5)+len(booted.Listen.TPROXY) > 0 {
		rows = append(rows, datagramHealth(p))
	}
	if text := g.describeDrops(); text != "" {
		rows = append(rows, page.Health{Name: "Packet filter", OK: g.drops.Problem() == "", Text: text + g.drops.DescribeCounters()})
	}
	if text := g.describeSynthetic(); text != "" {
		rows = append(rows, page.Health{Name: "Synthetic addresses", OK: true, Text: text})
	}
	if g.draining.Load() {
		rows = append(rows, page.Health{Name: "Stopping", Text: "open connections may end; new ones are refused"})
	}
	return rows
}

// datagramHealth returns the state of the flows of datagrams.
func datagramHealth(p proxy.Stats) page.Health {
	dropped := uint64(0)
	for _, n := range p.Datagrams.Dropped {
		dropped += n
	}
	return page.Health{Name: "Datagrams", OK: true, Text: fmt.Sprintf("%d SOCKS5 associations open, %d flows of SOCKS5 and TPROXY, %d datagrams from clients and %d to them, %d dropped",
		p.Associations, p.Datagrams.Flows, p.Datagrams.DatagramsIn, p.Datagrams.DatagramsOut, dropped)}
}

// journalHealth returns the state of the journal.
func (g *Gateway) journalHealth(cfg *site.Config) page.Health {
	st := g.journal.Stats()
	h := page.Health{Name: "Journal", OK: st.Healthy, Text: fmt.Sprintf("%s: %d lines written, %d denials recorded, %d not yet in the file", cfg.Journal.Path, st.Lines, st.Denials, st.Pending)}
	if err := g.journal.Err(); err != nil {
		h.OK, h.Text = false, h.Text+"; "+err.Error()
	}
	return h
}

// upstreamHealth returns the state of the upstreams of the generation in force.
func (g *Gateway) upstreamHealth() []page.Health {
	all := page.Health{Name: "Upstreams", OK: true, Text: "each set of upstreams has an upstream that answers or was not asked yet"}
	if err := g.filter.Healthy(); err != nil {
		all.OK, all.Text = false, err.Error()
	}
	rows := []page.Health{all}
	for _, u := range g.filter.Upstreams() {
		row := page.Health{Name: "Upstream " + u.Addr.String(), OK: u.Up, Text: "answers"}
		if u.Over.Proven() {
			row.Name = "Upstream " + u.Upstream.String()
		}
		if !u.Zone.IsZero() {
			row.Name += " of zone " + u.Zone.String()
		}
		switch {
		case !u.Up:
			row.Text = "answers neither queries nor probes"
		case u.LastAnswer.IsZero():
			row.Text = "was not asked yet"
		case u.NoProof:
			row.Text = provesNothing + ": " + provesNothingCure
		}
		if fault := (*dnsfilter.UpstreamFault)(nil); errors.As(u.Why, &fault) {
			row.OK, row.Text = false, fault.Error()
		}
		rows = append(rows, row)
	}
	return rows
}
