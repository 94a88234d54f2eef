// Reload: a changed configuration takes force as a whole, or not at all.

package main

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/denials/journal"
	"sallyport/rules/site"
)

// reload reads the configuration again and puts it in force. On any error the
// policy in force stays, and the journal, the log and /readyz say so.
func (g *Gateway) reload(why string) {
	g.manager.Reloading()
	defer func() { g.manager.Ready(g.status()) }() // when the lock is free again
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.outside(g.tryReload())
	g.reloadErr = err
	if err != nil {
		g.metrics.reloads.WithLabelValues("refused").Inc()
		g.log.Error("reload refused; the policy in force stays", "why", why, "error", err)
		g.journal.Event(journal.EventReload, "refused: "+err.Error())
		return
	}
	g.metrics.reloads.WithLabelValues("ok").Inc()
	closed := g.proxy.Recheck()
	text := g.describe(g.cfg)
	g.log.Info("reloaded", "why", why, "policy", text, "closed", closed)
	g.journal.Event(journal.EventReload, text+"; "+closedFlows(closed))
}

// closedFlows says how many open flows a change has ended.
func closedFlows(n int) string {
	if n == 1 {
		return "closed 1 flow"
	}
	return fmt.Sprintf("closed %d flows", n)
}

// describe says what is in force, and what of cfg is not before the next start.
func (g *Gateway) describe(cfg *site.Config) string {
	text := gateway.DescribePolicy(cfg, g.live.Policy())
	switch keys := needRestart(g.booted, cfg); len(keys) {
	case 0:
		return text
	case 1:
		return text + "; " + keys[0] + " takes effect at the next start"
	default:
		return text + "; " + strings.Join(keys, ", ") + " take effect at the next start"
	}
}

func (g *Gateway) tryReload() error {
	if g.file == "-" {
		return fmt.Errorf("the configuration came from standard input; restart to change it")
	}
	cfg, problems, err := gateway.LoadConfig(g.file, g.stdin)
	if err != nil {
		return err
	}
	resolver, err := newResolver(cfg.WithNAT64(g.nat64.found), g.system)
	if err != nil {
		return err
	}
	exposed := g.keeper.RunPermissions(cfg, g.file)
	if err := exposed.Err(); err != nil {
		return err
	}
	problems = append(problems, exposed...)
	if err := checkReferences(cfg); err != nil {
		return err
	}
	for _, p := range problems {
		g.log.Warn(p.String())
	}
	if keys := needRestart(g.booted, cfg); len(keys) > 0 {
		g.log.Warn("changed keys take effect at the next start only", "keys", strings.Join(keys, ", "))
	}
	g.cfg, g.loaded = cfg, time.Now()
	g.filter.SetLimits(dnsLimits(cfg))
	_, warnings := g.enforce(cfg, resolver, g.loaded)
	g.nat64.ask()
	for _, p := range warnings {
		g.log.Warn(p.String())
	}
	return nil
}

// needRestart lists the keys that differ and that a running process cannot change.
func needRestart(old, cfg *site.Config) []string {
	was, is := old.Limits, cfg.Limits
	was.Cache, was.DNSQPS, was.DNSTCP, was.WildcardNames = is.Cache, is.DNSQPS, is.DNSTCP, is.WildcardNames // these a reload changes
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

// watch reloads when the file, or what links lead to, has changed.
func (g *Gateway) watch(ctx context.Context) {
	if g.file == "" || g.file == "-" {
		return
	}
	watchFile(ctx, g.file, g.read, func() { g.reload("the file changed") })
}
