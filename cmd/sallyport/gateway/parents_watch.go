// Parents, watch: checks the parents that have a health interval.

package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"sallyport/proxy"
	"sallyport/rules"
)

// watchParents runs until ctx ends.
func (g *Gateway) watchParents(ctx context.Context) {
	due := g.visitParents(ctx, nil)
	g.everyPoll(ctx, func() { due = g.visitParents(ctx, due) })
}

// visitParents checks the parents that are due, all at once. It returns when each is due next.
// Parents of an earlier configuration drop out.
func (g *Gateway) visitParents(ctx context.Context, due map[*rules.Parent]time.Time) map[*rules.Parent]time.Time {
	next := map[*rules.Parent]time.Time{}
	now := g.now()
	var all sync.WaitGroup
	for _, p := range g.live.Policy().Parents() {
		next[p] = due[p]
		if p.Health > 0 && !now.Before(due[p]) {
			next[p] = now.Add(p.Health)
			all.Go(func() { g.checkParent(ctx, p) })
		}
	}
	all.Wait()
	return next
}

// checkParent checks one parent, and logs a change.
func (g *Gateway) checkParent(ctx context.Context, p *rules.Parent) {
	changed, err := g.proxy.CheckParent(ctx, p)
	if !changed {
		return
	}
	if err == nil {
		g.log.Info("a parent proxy can be used again", "parent", p.Name, "url", p.URL())
		return
	}
	text, help, _ := proxy.ParentFault(err)
	g.log.Warn("a parent proxy cannot be used; it is tried last", "parent", p.Name, "url", p.URL(), "fault", parentFault(err), "error", text, "do", help)
}

// parentFault returns the name of a parent's fault.
func parentFault(err error) string { return proxy.ParentCause(err).DialFault() }

// parentsDown returns an error for each way on which no parent passes its check. A parent without
// health counts as usable: without flows nothing could show that it works again.
func (g *Gateway) parentsDown() []error {
	stats := g.parentStats()
	var errs []error
	for _, route := range g.live.Policy().Routes() {
		var names []string
		down := !slices.ContainsFunc(route.Parents, func(p *rules.Parent) bool {
			fault := stats[p.Name].Health.DialFault()
			names = append(names, p.Name+" ("+fault+" since "+stats[p.Name].HealthSince.UTC().Format(time.RFC3339)+")")
			return p.Health == 0 || fault == ""
		})
		if err := errors.New("parent: " + strings.Join(names, ", ") + " cannot be used"); down && !slices.ContainsFunc(errs, func(e error) bool { return e.Error() == err.Error() }) {
			errs = append(errs, err)
		}
	}
	return errs
}

// parentStats returns what the proxy knows about each parent, by name.
func (g *Gateway) parentStats() map[string]proxy.ParentStats {
	stats := map[string]proxy.ParentStats{}
	for _, s := range g.proxy.Parents() {
		stats[s.Name] = s
	}
	return stats
}

// checksFail begins the description of checks that fail.
const checksFail = "checks fail"

// describeCheck describes how a parent's checks end; "" for a parent without them.
func describeCheck(p *rules.Parent, s proxy.ParentStats) string {
	switch fault := s.Health.DialFault(); {
	case p.Health == 0:
		return ""
	case s.HealthSince.IsZero():
		return "not checked yet"
	case fault != "":
		return fmt.Sprintf(checksFail+": %s since %s", fault, s.HealthSince.UTC().Format(time.RFC3339))
	default:
		return "checks pass since " + s.HealthSince.UTC().Format(time.RFC3339)
	}
}
