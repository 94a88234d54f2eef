// Greeting: what a start prints for the person who made it.

package main

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/rules"
	"sallyport/rules/site"
)

// greet says where sallyport listens, which policy is in force, where the
// journal is, what it has given up, its limits, and two lines to try.
func (g *Gateway) greet(w io.Writer, cfg *site.Config, policy *rules.Policy, socks *sockets) {
	fmt.Fprintf(w, "sallyport %s, configuration %s\n", version, cfg.File)
	where := map[string]string{}
	for _, l := range socks.listeners() {
		if where[l.name] == "" {
			where[l.name] = l.addr.String()
		}
		fmt.Fprintf(w, "  %-11s %s\n", l.name, l.addr)
	}
	fmt.Fprintf(w, "  %-11s %s\n", "policy", gateway.DescribePolicy(cfg, policy))
	for _, c := range cfg.Clients {
		var from []string
		for _, p := range c.Sources {
			from = append(from, p.String())
		}
		fmt.Fprintf(w, "  %-11s %s from %s\n", "client", gateway.DescribeClient(c), strings.Join(from, ", "))
	}
	fmt.Fprintf(w, "  %-11s %s\n", "journal", cfg.Journal.Path)
	fmt.Fprintf(w, "  %-11s %s\n", "hardening", describeHardening(g.hardening))
	fmt.Fprintf(w, "  %-11s memory: %s; open files: %s\n", "limits", g.limits.memory(), g.limits.files())
	if a := reviewAddress(socks.admin, cfg.Admin.TLSCert != ""); a != "" {
		fmt.Fprintf(w, "  %-11s %s\n", "review", a)
	}
	fmt.Fprint(w, linesToTry(where, cfg.Clients, gateway.HostAddresses()))
}

// linesToTry returns lines to try: of the first HTTP and the first DNS listener.
// Where this host is no client of its own they say so: what it asks is denied
// as unknown_client.
func linesToTry(where map[string]string, clients []*rules.Client, own []netip.Addr) string {
	var b strings.Builder
	heading := "try:\n"
	line := func(name, format string) {
		at, err := netip.ParseAddrPort(where[name])
		if err != nil {
			return
		}
		to := reachable(at.Addr(), own)
		if !slices.ContainsFunc(clients, func(c *rules.Client) bool { return covers(c.Sources, to) }) {
			heading = "try, from the address of a client:\n"
		}
		b.WriteString("  " + strings.NewReplacer("ADDRESS:PORT", netip.AddrPortFrom(to, at.Port()).String(), "ADDRESS", to.String(), "PORT", fmt.Sprint(at.Port())).Replace(format) + "\n")
	}
	line("http", "curl -x http://ADDRESS:PORT https://evil.example/")
	line("dns", "dig @ADDRESS -p PORT license.sangfor.com")
	if b.Len() == 0 {
		return ""
	}
	return heading + b.String()
}

// covers tells whether one of the prefixes has the address.
func covers(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// reachable is an address under which clients reach a listener: of a wildcard
// the first one of this host that is neither loopback nor of its link.
func reachable(a netip.Addr, own []netip.Addr) netip.Addr {
	a = a.Unmap()
	if !a.IsUnspecified() {
		return a
	}
	for _, o := range own {
		if o.IsGlobalUnicast() && (o.Is4() || a.Is6()) {
			return o
		}
	}
	if a.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}
