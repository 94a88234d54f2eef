// Synthetic: the addresses that stand for names: their prefixes, their secret, and the addresses of
// the configuration that must not be among them.

package site

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// The sizes of the prefixes of synthetic addresses. In an IPv6 /64, two names practically never
// want the same address.
const (
	longestSynthetic4 = 24
	longestSynthetic6 = 64
	leastSecret       = 32      // characters
	mostSecret        = 1 << 12 // bytes
)

// secretCure says how to make a secret.
const secretCure = "make it once, and give every sallyport that serves the same clients the same file: (umask 077; openssl rand -hex 32 > %s), readable for the user of sallyport"

// readSynthetic reads the prefixes of the synthetic addresses, and their secret.
func (c *Config) readSynthetic(t *tomldoc.Table, disk Disk) {
	for _, p := range prefixes(t, "synthetic") {
		line, mine, most := t.LineOf("synthetic", p.String()), &c.Synthetic.Prefix6, longestSynthetic6
		if p.Addr().Is4() {
			mine, most = &c.Synthetic.Prefix4, longestSynthetic4
		}
		switch {
		case !ofNoHost(p):
			t.Doc.Errorf(line, "synthetic: %v can have hosts: choose a prefix in fc00::/7, 198.18.0.0/15, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10 that no host of the site has", p)
		case p.Bits() > most:
			t.Doc.Errorf(line, "synthetic: %v has too few addresses for names: use a /%d, or a shorter prefix", p, most)
		case mine.IsValid():
			t.Doc.Errorf(line, "synthetic: %v and %v are of one family: list one prefix of each family at most", *mine, p)
		default:
			*mine = p
		}
	}
	name := t.Str("synthetic_secret_file")
	listed := len(t.Strs("synthetic")) > 0
	switch {
	case name == "" && listed:
		t.Missing("synthetic_secret_file", "name a file for the secret of the addresses; "+fmt.Sprintf(secretCure, "synthetic.secret"))
	case name != "" && !listed:
		t.Doc.Warnf(t.Line("synthetic_secret_file"), "synthetic_secret_file: has no effect, because synthetic lists no prefix")
	case name != "":
		c.readSecret(t, disk, name)
	}
}

// ofNoHost reports whether a prefix is private, so that no host of the Internet has an address of it.
func ofNoHost(p netip.Prefix) bool {
	for _, private := range []string{"fc00::/7", "198.18.0.0/15", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"} {
		if rules.Covers(netip.MustParsePrefix(private), p) {
			return true
		}
	}
	return false
}

// readSecret reads the secret of the synthetic addresses.
func (c *Config) readSecret(t *tomldoc.Table, disk Disk, name string) {
	path, data, err := c.read(disk, Input{Key: "[dns] synthetic_secret_file", Line: t.Line("synthetic_secret_file"), Path: name, Secret: true}, mostSecret)
	if err != nil {
		t.Doc.Errorf(t.Line("synthetic_secret_file"), "synthetic_secret_file: %s: %v; "+secretCure, path, err, path)
		return
	}
	secret := bytes.TrimSpace(data)
	if len(secret) < leastSecret {
		t.Doc.Errorf(t.Line("synthetic_secret_file"), "synthetic_secret_file: %s has a secret of %s, and must have at least %d; "+secretCure,
			path, rules.Counted(len(secret), "character", "characters"), leastSecret, path)
		return
	}
	c.Synthetic.Secret = bytes.Clone(secret)
}

// checkSynthetic reports what does not go together with the synthetic addresses: addresses of the
// configuration that are among them, clients without them, and the lack of a listener.
func (c *Config) checkSynthetic(top *tomldoc.Table) {
	doc, dns := top.Doc, top.Sub("dns")
	c.Synthetic.Datagrams = len(c.Listen.TPROXY) > 0 && len(c.Listen.Transparent) == 0
	on := slices.ContainsFunc(c.Clients, func(cl *rules.Client) bool { return cl.Synthetic })
	all := c.Synthetic.Prefixes()
	if len(all) == 0 {
		for _, cl := range c.Clients {
			if cl.Synthetic && !dns.Has("synthetic") {
				doc.Errorf(cl.Line, "client %q has synthetic = true, but [dns] synthetic lists no prefix: list prefixes like \"fd53:1234:5678::/64\" and \"198.18.0.0/15\" there", cl.Name)
			}
		}
		return
	}
	line := dns.Line("synthetic")
	switch {
	case !on:
		doc.Warnf(line, "synthetic: has no effect, because no [[client]] has synthetic = true")
	case !c.Listen.Redirected():
		doc.Warnf(line, "synthetic: [listen] has neither transparent nor tproxy, so this sallyport receives no redirected connection to a synthetic address")
	}
	if on && len(c.Listen.DNS) == 0 {
		doc.Warnf(line, "synthetic: [listen] dns is empty, so no client gets a synthetic address from this sallyport")
	}
	for _, p := range all {
		c.checkApart(top, p)
	}
}

// checkApart reports each address of the configuration that is in a prefix of synthetic addresses.
func (c *Config) checkApart(top *tomldoc.Table, p netip.Prefix) {
	report := func(line int, format string, args ...any) {
		top.Doc.Errorf(line, format+" is in [dns] synthetic %v, whose addresses stand for names: choose another prefix there", append(args, p)...)
	}
	for _, l := range []struct {
		key  string
		list []netip.AddrPort
	}{{"http", c.Listen.HTTP}, {"https", c.Listen.HTTPS}, {"socks5", c.Listen.SOCKS5}, {"dns", c.Listen.DNS}, {"transparent", c.Listen.Transparent}, {"tproxy", c.Listen.TPROXY}} {
		for _, a := range l.list {
			if p.Contains(a.Addr()) {
				report(c.lines[l.key], "[listen] %s: %v", l.key, a)
			}
		}
	}
	for name, addrs := range c.Hosts {
		for _, a := range addrs {
			if p.Contains(a) {
				report(c.lines[hostsKey(name)], "hosts: %v of %s", a, name)
			}
		}
	}
	for key, list := range map[string][]netip.Prefix{"private": c.Private, "nat64": c.NAT64} {
		for _, other := range list {
			if rules.Covers(p, other) {
				report(top.Sub("resolve").LineOf(key, other.String()), "[resolve] %s: %v", key, other)
			}
		}
	}
	for _, u := range c.DNS.Upstreams {
		if up, err := rules.ParseUpstream(u); err == nil && p.Contains(up.Addr.Addr()) {
			report(top.Sub("dns").LineOf("upstreams", u), "[dns] upstreams: %s", u)
		}
	}
	for _, cl := range c.Clients {
		for _, s := range cl.Sources {
			if rules.Covers(p, s) {
				report(cl.Line, "client %q: source %v", cl.Name, s)
			}
		}
		c.checkBindingsApart(cl, p, report)
	}
	for _, r := range c.Rules {
		for _, d := range r.To {
			if d.Prefix.IsValid() && rules.Covers(p, d.Prefix) {
				report(r.Line, "rule %q: %v", r.ID, d)
			}
		}
	}
}

// checkBindingsApart reports each address that a client's bindings, or the rules of its profiles,
// have in a prefix of synthetic addresses.
func (c *Config) checkBindingsApart(cl *rules.Client, p netip.Prefix, report func(line int, format string, args ...any)) {
	inside := func(d rules.Destination) bool { return d.Prefix.IsValid() && rules.Covers(p, d.Prefix) }
	bindings := []map[string][]rules.Destination{cl.Addresses}
	for _, cp := range cl.Profiles {
		bindings = append(bindings, cp.Addresses)
		for _, r := range cp.Profile.Rules {
			for _, d := range r.To {
				if inside(d) {
					report(cl.Line, "client %q: %v of rule %s", cl.Name, d, r)
				}
			}
		}
	}
	for _, roles := range bindings {
		for role, list := range roles {
			for _, d := range list {
				if inside(d) {
					report(cl.Line, "client %q: %v of role %s", cl.Name, d, role)
				}
			}
		}
	}
}
