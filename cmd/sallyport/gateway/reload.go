// Reload: puts a changed configuration in force as a whole, or not at all.

package gateway

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"sallyport/denials/journal"
	"sallyport/rules/site"
)

// Reload reads the configuration again and puts it in force. On an error the policy
// in force stays, and the journal, the log and /readyz report the error. why is
// the reason for the log.
func (g *Gateway) Reload(why string) {
	g.manager.Reloading()
	defer func() { g.manager.Ready(g.status()) }() // after the lock is released
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.outside(g.tryReload())
	g.reloadErr = err
	if err != nil {
		g.metrics.reloads.WithLabelValues("refused").Inc()
		g.log.Error("reload refused; the policy in force stays the same", "why", why, "error", brief(err, g.source.file))
		g.journal.Event(journal.EventReload, "refused: "+brief(err, g.source.file))
		return
	}
	g.metrics.reloads.WithLabelValues("ok").Inc()
	closed := g.proxy.Recheck()
	text := g.describe(g.cfg)
	g.log.Info("reloaded", "why", why, "policy", text, "closed", closed)
	for _, p := range DescribeProfiles(g.cfg) {
		g.log.Info("profile from a file", "profile", p)
	}
	g.journal.Event(journal.EventReload, text+replacements(g.cfg)+"; "+closedFlows(closed))
}

// closedFlows describes how many open flows a change closed.
func closedFlows(n int) string {
	if n == 1 {
		return "closed 1 flow"
	}
	return fmt.Sprintf("closed %d flows", n)
}

// describe describes the policy in force, and the keys of cfg that take effect at
// the next start.
func (g *Gateway) describe(cfg *site.Config) string {
	text := DescribePolicy(cfg, g.live.Policy())
	switch keys := needRestart(g.booted, cfg); len(keys) {
	case 0:
		return text
	case 1:
		return text + "; " + keys[0] + " takes effect at the next start"
	default:
		return text + "; " + strings.Join(keys, ", ") + " take effect at the next start"
	}
}

// tryReload puts the configuration in force, or returns why it cannot.
func (g *Gateway) tryReload() error {
	if g.source.file == "-" {
		return fmt.Errorf("the configuration came from standard input; restart to change it")
	}
	cfg, problems, err := g.source.LoadToRun()
	if err != nil {
		return err
	}
	resolver, err := newResolver(cfg.WithNAT64(g.nat64.found), g.system)
	if err != nil {
		return err
	}
	if _, err := g.newAdmin(http.NotFoundHandler(), cfg, g.log); err != nil { // checks that the files it needs can be read
		return err
	}
	for _, p := range problems {
		g.log.Warn(p.String())
	}
	if keys := needRestart(g.booted, cfg); len(keys) > 0 {
		g.log.Warn("changed keys take effect at the next start only", "keys", strings.Join(keys, ", "))
	}
	g.cfg, g.loaded = cfg, g.now()
	g.filter.SetLimits(dnsLimits(cfg))
	g.proxy.SetUDPFlows(cfg.Limits.UDPFlows)
	g.findServices(context.Background(), cfg, resolver)
	_, warnings := g.enforce(cfg, resolver, g.loaded)
	g.sinks.serve(cfg.Sinks)
	g.nat64.ask()
	for _, p := range warnings {
		g.log.Warn(p.String())
	}
	return nil
}

// needRestart returns the keys that differ and that only a restart changes.
func needRestart(old, cfg *site.Config) []string {
	was, is := old.Limits, cfg.Limits
	// A reload changes these:
	was.Cache, was.DNSQPS, was.DNSTCP, was.WildcardNames, was.UDPFlows = is.Cache, is.DNSQPS, is.DNSTCP, is.WildcardNames, is.UDPFlows
	var keys []string
	for _, k := range []struct {
		key    string
		differ bool
	}{
		{"[listen]", !reflect.DeepEqual(old.Listen, cfg.Listen)},
		{"[admin]", old.Admin != cfg.Admin},
		{"[journal]", old.Journal != cfg.Journal},
		{"[process]", old.Process != cfg.Process},
		{"[limits]", was != is},
	} {
		if k.differ {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// watch reloads when the configuration has changed, or a file that it names, or a
// link to such a file.
func (g *Gateway) watch(ctx context.Context) {
	if g.source.file == "" || g.source.file == "-" {
		return
	}
	watchList(ctx, g.poll, g.source.lastRead, func(what string) { g.Reload("changed: " + what) })
}
