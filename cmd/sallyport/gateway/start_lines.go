// Start lines: the lines that a start prints for the person who started it.

package gateway

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"sallyport/rules"
)

// startLines returns the listeners, the policy in force, the path of the journal,
// the hardening, the limits, and two commands to try.
func (g *Gateway) startLines(policy *rules.Policy) string {
	cfg := g.booted
	w := new(strings.Builder)
	fmt.Fprintf(w, "sallyport %s, configuration %s\n", g.build.Version, cfg.File)
	where := map[string]string{}
	for _, l := range g.sockets.listeners() {
		if where[l.name] == "" {
			where[l.name] = l.addr.String()
		}
		fmt.Fprintf(w, "  %-11s %s\n", l.name, l.addr)
	}
	row := func(name, text string) { fmt.Fprintf(w, "  %-11s %s\n", name, text) }
	if text := describeBalancers(cfg.Listen); text != "" {
		row("balancers", text)
	}
	if text := describeSecure(cfg); text != "" {
		row("tls", text)
	}
	row("policy", DescribePolicy(cfg, policy))
	for _, text := range DescribeProfiles(cfg) {
		row("profile", text)
	}
	for _, c := range cfg.Clients {
		var from []string
		for _, p := range c.Sources {
			from = append(from, p.String())
		}
		if len(from) == 0 { // its certificate or its login is enough
			from = []string{"any address"}
		}
		row("client", DescribeClient(c)+" from "+strings.Join(from, ", "))
	}
	for _, p := range cfg.Parents {
		row("parent", p.String())
	}
	row("journal", cfg.Journal.Path)
	for _, s := range cfg.Sinks {
		row("sink", s.String())
	}
	row("hardening", describeHardening(g.hardening))
	row("limits", "memory: "+g.limits.memory()+"; open files: "+g.limits.files())
	if a := reviewAddress(g.sockets.admin, cfg.Admin.TLSCert != ""); a != "" {
		row("review", a)
	}
	w.WriteString(linesToTry(where, cfg.Clients, HostAddresses(), nameToAsk(policy)))
	return w.String()
}

// linesToTry returns two commands to try: for the first HTTP listener and for the
// first DNS listener, which is asked for the name permitted. If this host is not one of the clients, the heading says to
// try them from a client, because on this host they are denied as unknown_client.
func linesToTry(where map[string]string, clients []*rules.Client, own []netip.Addr, permitted string) string {
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
	line("https", "curl -x https://ADDRESS:PORT --proxy-cacert CA.pem https://evil.example/")
	line("dns", "dig @ADDRESS -p PORT "+permitted)
	if b.Len() == 0 {
		return ""
	}
	return heading + b.String()
}

// nameToAsk returns the first name that a rule permits to a client; evil.example if rules
// list no names.
func nameToAsk(policy *rules.Policy) string {
	for _, g := range policy.Grants() {
		for _, n := range g.Names {
			if !n.Name.IsZero() && !n.Wildcard {
				return n.Name.String()
			}
		}
	}
	return "evil.example"
}

// covers reports whether one of the prefixes contains the address.
func covers(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// reachable returns an address at which clients reach a listener. For a wildcard
// it is the first address of this host that is neither loopback nor link-local.
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

// reviewAddress returns the URL of the review page; "" if a browser cannot reach
// the admin listener.
func reviewAddress(l net.Listener, secure bool) string {
	switch {
	case l == nil || l.Addr().Network() == "unix":
		return ""
	case secure:
		return "https://" + l.Addr().String() + "/"
	}
	return "http://" + l.Addr().String() + "/"
}
