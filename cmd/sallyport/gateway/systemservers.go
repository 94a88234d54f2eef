// System servers: the resolvers of upstream "system". DHCP, a VPN or a network
// manager may replace them while sallyport runs.

package gateway

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sallyport/denials/journal"
	"sallyport/dnsfilter"
	"sallyport/rules"
)

// ResolvConf is the file that lists the servers of upstream "system".
const ResolvConf = "/etc/resolv.conf"

// resolvConfWriters are the directories that /etc/resolv.conf may link to: of
// systemd-resolved, NetworkManager, resolvconf and openresolv, ConnMan, and of the
// static file of systemd-resolved.
var resolvConfWriters = []string{"/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf", "/run/connman", "/usr/lib/systemd"}

// systemServers reads a resolv.conf and remembers its servers. While the file
// cannot be used, the earlier servers are asked.
type systemServers struct {
	path string
	read string           // fileState before the first read
	last []rules.Upstream // empty: no server was read yet
	err  error            // why last differs from the file; nil: it does not
}

func newSystemServers(path string) *systemServers {
	return &systemServers{path: path, read: fileState(path)}
}

// upstreams returns the servers. It returns an error only if it never read any.
func (s *systemServers) upstreams(own func(netip.AddrPort) bool) ([]rules.Upstream, error) {
	ups, err := dnsfilter.ParseUpstreams([]string{"system"}, s.path)
	for _, u := range ups {
		if own(u.Addr) {
			err = fmt.Errorf(`upstream "system": %s: %v is sallyport's own DNS listener: sallyport would ask itself`, s.path, u)
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
	watchFile(ctx, g.poll, g.system.path, g.system.read, g.systemChanged)
}

// systemChanged puts the configuration in force again, with the servers that
// resolv.conf has now. If it has none or cannot be read, the earlier servers stay,
// and the log and /readyz report that.
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
		g.log.Error("sallyport still asks the system's earlier resolvers", "file", g.system.path, "servers", serverList(g.system.last), "error", g.outside(err))
	case slices.Equal(before, g.system.last):
		if failed {
			g.log.Info("the system's resolvers can be read again", "servers", serverList(g.system.last))
		}
	default:
		g.enforce(g.cfg, resolver, g.now())
		g.nat64.ask()
		g.log.Info("the system's resolvers changed", "file", g.system.path, "servers", serverList(g.system.last), "before", serverList(before))
		g.journal.Event(journal.EventReload, "resolvers of "+g.system.path+": "+serverList(g.system.last))
	}
}

func serverList(ups []rules.Upstream) string {
	var out []string
	for _, u := range ups {
		out = append(out, u.Addr.String())
	}
	return strings.Join(out, ", ")
}
