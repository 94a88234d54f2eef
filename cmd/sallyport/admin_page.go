// Admin page: what the review page shows of a running gateway.

package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/denials"
	"sallyport/denials/journal"
	"sallyport/rules"
	"sallyport/rules/site"
)

// reviewPage builds the page. The journal is that of the start: a reload does
// not change it.
func (g *Gateway) reviewPage(cfg *site.Config) http.Handler {
	path := cfg.Journal.Path
	sites := &siteInForce{g: g}
	return denials.Page(denials.PageConfig{
		Files:  func() ([]string, error) { return journalFiles(path) },
		Site:   sites.get,
		Usage:  func() journal.UsageState { return g.usage.State() },
		Health: g.health,
		When:   parseWhen,
		Log:    g.log,
	})
}

func journalFiles(path string) ([]string, error) {
	if path == "-" {
		return nil, errors.New(`the journal goes to standard output: set [journal] path to a file to review it here`)
	}
	return journal.Files(path)
}

// siteInForce holds denials against the policy in force. The text to try
// changes on is the file's, as long as that is what is in force.
type siteInForce struct {
	g *Gateway

	mu     sync.Mutex
	site   *denials.Site
	policy *rules.Policy // that site is of
	again  time.Time     // when to look at a file that was not in force
}

// get returns the site; nil before there is a policy.
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

// read reads the file again; nil: it is not what is in force.
func (s *siteInForce) read(policy *rules.Policy, now time.Time) *denials.Site {
	if s.g.file == "-" {
		return nil
	}
	profiles, err := gateway.ShippedProfiles()
	if err != nil {
		return nil
	}
	name, dir, data, err := gateway.ReadConfig(s.g.file, s.g.stdin)
	if err != nil {
		return nil
	}
	own := s.g.own
	site, err := denials.NewSite(denials.Source{File: name, Embedded: s.g.file == "", Dir: dir, Text: data, Profiles: profiles, Now: now,
		Own: func(site.Listen) rules.Own { return own }})
	if err != nil || site.Policy.Revision() != policy.Revision() {
		return nil
	}
	return site
}

// health lists the gateway's parts with their state.
func (g *Gateway) health() []denials.Health {
	g.mu.Lock()
	cfg, booted, loaded, reloadErr := g.cfg, g.booted, g.loaded, g.reloadErr
	g.mu.Unlock()
	rows := []denials.Health{{Name: "Version", OK: true, Text: version}}
	if policy := g.live.Policy(); policy != nil {
		rows = append(rows, denials.Health{Name: "Policy", OK: true, Text: gateway.DescribePolicy(cfg, policy) + ", since " + loaded.UTC().Format("2006-01-02 15:04:05") + " UTC"})
	}
	file := denials.Health{Name: "Configuration", OK: reloadErr == nil, Text: cfg.File + " is in force"}
	if reloadErr != nil {
		file.Text = "the file is not in force, an earlier one is: " + reloadErr.Error()
	}
	restart := denials.Health{Name: "Restart", OK: true, Text: "nothing waits for one"}
	if keys := needRestart(booted, cfg); len(keys) > 0 {
		restart.OK, restart.Text = false, "changed, and not in force before the next start: "+strings.Join(keys, ", ")
	}
	rows = append(rows, file, restart, g.journalHealth(cfg))
	rows = append(rows, g.upstreamHealth()...)
	p := g.proxy.Stats()
	rows = append(rows, denials.Health{Name: "Proxy", OK: p.Panics == 0, Text: fmt.Sprintf("%d connections open, %d flows connected, %d connections refused for a limit or a drain, %d ended in a recovered panic", p.Connections, p.Tunnels, p.NotAdmitted, p.Panics)})
	if text := g.describeDrops(); text != "" {
		rows = append(rows, denials.Health{Name: "Packet filter", OK: g.drops.Problem() == "", Text: text + g.drops.DescribeCounters()})
	}
	if g.draining.Load() {
		rows = append(rows, denials.Health{Name: "Stopping", Text: "open connections may end; new ones are refused"})
	}
	return rows
}

func (g *Gateway) journalHealth(cfg *site.Config) denials.Health {
	st := g.journal.Stats()
	h := denials.Health{Name: "Journal", OK: st.Healthy, Text: fmt.Sprintf("%s: %d lines written, %d denials recorded, %d not yet in the file", cfg.Journal.Path, st.Lines, st.Denials, st.Pending)}
	if err := g.journal.Err(); err != nil {
		h.OK, h.Text = false, h.Text+"; "+err.Error()
	}
	return h
}

// upstreamHealth lists the upstreams that were asked, and what is wrong.
func (g *Gateway) upstreamHealth() []denials.Health {
	var rows []denials.Health
	h := denials.Health{Name: "Upstreams", OK: true, Text: "each set has one that answers, or was not asked yet"}
	if err := g.filter.Healthy(); err != nil {
		h.OK, h.Text = false, err.Error()
	}
	rows = append(rows, h)
	families, err := g.metrics.registry.Gather()
	if err != nil {
		return rows
	}
	for _, f := range families {
		if f.GetName() != "sallyport_dns_upstream_up" {
			continue
		}
		for _, m := range f.GetMetric() {
			row := denials.Health{Name: "Upstream " + m.GetLabel()[0].GetValue(), OK: m.GetGauge().GetValue() == 1, Text: "answers"}
			if !row.OK {
				row.Text = "does not answer, not even a probe"
			}
			rows = append(rows, row)
		}
	}
	return rows
}
