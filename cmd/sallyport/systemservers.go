// System servers: those of upstream "system", which DHCP, a VPN or a network
// manager replaces while sallyport runs.

package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sallyport/denials/journal"
	"sallyport/dnsfilter"
)

// resolvConf is where upstream "system" finds its servers.
const resolvConf = "/etc/resolv.conf"

// resolvConfWriters are the directories where what maintains /etc/resolv.conf
// keeps the file that it links to: systemd-resolved, NetworkManager, resolvconf
// and openresolv, ConnMan, and the static file of systemd-resolved.
var resolvConfWriters = []string{"/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf", "/run/connman", "/usr/lib/systemd"}

// systemServers reads a resolv.conf, and remembers what it said last: while it
// cannot be used, its servers from before are asked.
type systemServers struct {
	path string
	read string               // fileState from before it was first read
	last []dnsfilter.Upstream // empty: never read
	err  error                // why last is not what the file says; nil: it is
}

func newSystemServers(path string) *systemServers {
	return &systemServers{path: path, read: fileState(path)}
}

// upstreams returns the servers. An error means that there never were any.
func (s *systemServers) upstreams(own func(netip.AddrPort) bool) ([]dnsfilter.Upstream, error) {
	ups, err := dnsfilter.ParseUpstreams([]string{"system"}, s.path)
	for _, u := range ups {
		if own(u.Addr) {
			err = fmt.Errorf(`upstream "system": %s: %v is sallyport's own DNS listener: it would ask itself`, s.path, u)
		}
	}
	if err != nil && len(s.last) == 0 {
		return nil, err
	}
	if s.err = err; err == nil {
		s.last = ups
	}
	return s.last, nil
}

// watchSystem puts the servers of resolv.conf in force when they have changed.
func (g *Gateway) watchSystem(ctx context.Context) {
	watchFile(ctx, g.system.path, g.system.read, g.systemChanged)
}

// systemChanged puts the same configuration in force once more, with the servers
// that resolv.conf has now. Where it has none, or cannot be read, those from
// before stay, and the log and /readyz say so.
func (g *Gateway) systemChanged() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !asksSystem(g.cfg) {
		return
	}
	before, failed := slices.Clone(g.system.last), g.system.err != nil
	resolver, err := newResolver(g.cfg.WithNAT64(g.nat64.found), g.system)
	if err == nil {
		err = g.system.err
	}
	switch {
	case err != nil:
		g.log.Error("the servers from before are asked", "file", g.system.path, "servers", serverList(g.system.last), "error", g.outside(err))
	case slices.Equal(before, g.system.last):
		if failed {
			g.log.Info("the system's resolvers can be read again", "servers", serverList(g.system.last))
		}
	default:
		g.enforce(g.cfg, resolver, time.Now())
		g.nat64.ask()
		g.log.Info("the system's resolvers changed", "file", g.system.path, "servers", serverList(g.system.last), "before", serverList(before))
		g.journal.Event(journal.EventReload, "resolvers of "+g.system.path+": "+serverList(g.system.last))
	}
}

func serverList(ups []dnsfilter.Upstream) string {
	var out []string
	for _, u := range ups {
		out = append(out, u.Addr.String())
	}
	return strings.Join(out, ", ")
}
