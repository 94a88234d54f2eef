// Width: how much of the Internet a list of prefixes is, and what check says of
// lists that are wider than anybody means.

package site

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

const (
	// everybody is the share of a family's Internet from which a list of
	// destinations is an allowlist no more: two prefixes of the shortest length,
	// 0.0.0.0/1 and 128.0.0.0/1, are the usual way to write "all" without a /0.
	everybody = 0.25
	// many is the share from which a list is many owners' networks: an IPv4 /8,
	// the most that IANA gave to anybody (RFC 7020, 2.2).
	many = 1.0 / 256
	// anyBits4 and anyBits6 are the longest prefixes of which "any = true" needs
	// a word: more than 256 addresses of IPv4, more than one network of IPv6
	// (RFC 4291, 2.5.1).
	anyBits4, anyBits6 = 24, 64
)

// internet6 is all of IPv6 that is global unicast (RFC 4291, 2.4).
func internet6() netip.Prefix { return netip.MustParsePrefix("2000::/3") }

// A width is how much a list of prefixes holds, what is listed twice once.
type width struct {
	share4, share6 float64 // of the family's Internet; private prefixes do not count
	size4          float64 // addresses of IPv4, private ones too
	size6          float64 // networks of IPv6 of 64 bits, private ones too
}

// widthOf adds up prefixes.
func widthOf(prefixes []netip.Prefix) (w width) {
	sorted := slices.Clone(prefixes)
	slices.SortFunc(sorted, func(a, b netip.Prefix) int { return cmp.Or(a.Addr().Compare(b.Addr()), a.Bits()-b.Bits()) })
	var last netip.Prefix
	for _, p := range sorted {
		if last.IsValid() && rules.Covers(last, p) {
			continue
		}
		last = p
		switch {
		case p.Addr().Is4():
			w.size4 += math.Exp2(float64(32 - p.Bits()))
			if !rules.SpecialPrefix(p) {
				w.share4 += math.Exp2(float64(-p.Bits()))
			}
		default:
			w.size6 += math.Exp2(float64(64 - p.Bits()))
			if rules.Covers(p, internet6()) {
				w.share6 = 1
			} else if !rules.SpecialPrefix(p) {
				w.share6 += math.Exp2(float64(internet6().Bits() - p.Bits()))
			}
		}
	}
	return w
}

// everybody tells whether that is the Internet, or too much of it to be less.
func (w width) everybody() bool { return max(w.share4, w.share6) >= everybody }

// String says how much of the Internet it is.
func (w width) String() string {
	var parts []string
	for _, f := range []struct {
		share float64
		name  string
	}{{w.share4, "IPv4"}, {w.share6, "IPv6"}} {
		switch {
		case f.share > 0.98: // the rest is private
			parts = append(parts, "the whole "+f.name+" Internet")
		case f.share >= many:
			parts = append(parts, fmt.Sprintf("%.2g %% of the %s Internet", 100*f.share, f.name))
		}
	}
	return strings.Join(parts, " and ")
}

// prefixesAmong are the addresses and prefixes among destinations.
func prefixesAmong(list []rules.Destination) (out []netip.Prefix) {
	for _, d := range list {
		if d.Prefix.IsValid() {
			out = append(out, d.Prefix)
		}
	}
	return out
}

// widest is how prefixes are named in a report: those of the same kind as the
// widest, four at most.
func widest(prefixes []netip.Prefix) string {
	sorted := slices.Clone(prefixes)
	slices.SortStableFunc(sorted, func(a, b netip.Prefix) int { return a.Bits() - b.Bits() })
	var out []string
	for i, p := range sorted {
		if i == 4 {
			out = append(out, "…")
			break
		}
		if p.Bits() <= sorted[0].Bits()+8 {
			out = append(out, p.String())
		}
	}
	return strings.Join(out, ", ")
}

// warnOfDestinations warns of the prefixes of a rule or a binding of client that
// are more than a vendor's or a site's networks.
func warnOfDestinations(t *tomldoc.Table, key, client string, prefixes []netip.Prefix) {
	w := widthOf(prefixes)
	line := t.Line(key)
	if len(prefixes) == 1 {
		line = t.LineOf(key, rules.Destination{Prefix: prefixes[0]}.String())
	}
	are := "is"
	if len(prefixes) > 1 {
		are = "are"
	}
	switch {
	case w.everybody():
		t.Doc.Warnf(line, "%s: %s %s %v: THE ALLOWLIST ENDS HERE. Client %q, and anyone who takes control of it, can send all its data to any host of the world on these ports, whatever the host's name; list only the networks that are needed",
			key, widest(prefixes), are, w, client)
	case w.String() != "":
		t.Doc.Warnf(line, "%s: %s %s %v: these networks have many owners; list only those that are needed", key, widest(prefixes), are, w)
	}
}

// warnOfAny warns of a rule with any = true that is wider than one network.
func warnOfAny(t *tomldoc.Table, r *rules.Rule) {
	prefixes := prefixesAmong(r.To)
	w := widthOf(prefixes)
	var size string
	switch {
	case !r.Any:
		return
	case w.size4 > math.Exp2(32-anyBits4):
		size = fmt.Sprintf("%.0f addresses, more than a /%d", w.size4, anyBits4)
	case w.size6 > math.Exp2(64-anyBits6):
		size = fmt.Sprintf("more than an IPv6 /%d", anyBits6)
	default:
		return
	}
	t.Doc.Warnf(t.Line("any"), "any = true permits every protocol and port of %s (%s), and inspects nothing that is sent there, neither names nor protocol; list ports, or only the hosts that are needed", widest(prefixes), size)
}

// warnOfUnion warns of a client whose rules and bindings are the Internet only
// together: no line of the file shows it.
func (c *Config) warnOfUnion(doc *tomldoc.Document) {
	for _, cl := range c.Clients {
		var all []netip.Prefix
		alone := false
		add := func(list []rules.Destination) {
			prefixes := prefixesAmong(list)
			alone = alone || widthOf(prefixes).everybody()
			all = append(all, prefixes...)
		}
		for _, list := range cl.Addresses {
			add(list)
		}
		for _, r := range c.Rules {
			if r.Client == cl.Name {
				add(r.To)
			}
		}
		if w := widthOf(all); !alone && w.everybody() {
			doc.Warnf(cl.Line, "client %q: its rules together permit %v: THE ALLOWLIST ENDS HERE, although no single rule shows it; list only the networks that are needed", cl.Name, w)
		}
	}
}

// checkSources holds a client's sources against what can send packets, and
// warns where everybody is this client.
func (c *Config) checkSources(t *tomldoc.Table, cl *rules.Client) {
	for _, p := range cl.Sources {
		if why := noHost(p); why != "" {
			t.Doc.Errorf(t.LineOf("sources", rules.Destination{Prefix: p}.String()), "sources: %v is never the source of a packet: %s%s", p, why, everybodyInstead(p))
		}
	}
	w := widthOf(cl.Sources)
	if reached := c.open(); w.everybody() && reached != "" {
		t.Doc.Warnf(t.Line("sources"), "sources: %s: EVERY host that reaches %s counts as client %q and has all its permissions; list only that client's addresses", widest(cl.Sources), reached, cl.Name)
	}
}

// checkHosts refuses destinations that no host has. Groups are left alone: a
// packet can be sent to one.
func checkHosts(t *tomldoc.Table, key string, list []rules.Destination) {
	for _, d := range list {
		if !d.Prefix.IsValid() || d.Prefix.Addr().IsMulticast() {
			continue
		}
		if why := noHost(d.Prefix); why != "" {
			t.Doc.Errorf(t.LineOf(key, d.String()), "%s: %v cannot be a destination: %s%s", key, d, why, everybodyInstead(d.Prefix))
		}
	}
}

// noHost tells why nobody has an address of p; "": somebody may.
func noHost(p netip.Prefix) string {
	for _, no := range []struct{ prefix, why string }{
		{"0.0.0.0/8", "addresses of this network are for hosts that do not know theirs (RFC 1122, 3.2.1.3)"},
		{"::/128", "the unspecified address is no host's (RFC 4291, 2.5.2)"},
		{"224.0.0.0/4", "these are multicast addresses (RFC 5771)"},
		{"ff00::/8", "these are multicast addresses (RFC 4291, 2.7)"},
		{"255.255.255.255/32", "it is the broadcast address (RFC 919)"},
	} {
		if rules.Covers(netip.MustParsePrefix(no.prefix), p) {
			return no.why
		}
	}
	return ""
}

// everybodyInstead says what the unspecified address was perhaps meant for.
func everybodyInstead(p netip.Prefix) string {
	if !p.Addr().IsUnspecified() || !p.IsSingleIP() {
		return ""
	}
	return fmt.Sprintf("; for every address write %v/0", p.Addr())
}

// open names a listener that others than this host reach; "": there is none.
func (c *Config) open() string {
	for _, l := range []struct {
		key   string
		addrs []netip.AddrPort
	}{{"http", c.Listen.HTTP}, {"socks5", c.Listen.SOCKS5}, {"dns", c.Listen.DNS}, {"transparent", c.Listen.Transparent}} {
		for _, a := range l.addrs {
			if !a.Addr().IsLoopback() {
				return fmt.Sprintf("[listen] %s %v", l.key, a)
			}
		}
	}
	return ""
}
