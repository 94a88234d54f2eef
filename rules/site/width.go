// Width: how much of the Internet a list of prefixes contains, and the warnings about lists
// that are wider than a site needs.

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
	// wholeInternet is the fraction of a family's Internet from which a list of
	// destinations is no longer an allowlist. The usual way to write "all" without
	// a /0 is 0.0.0.0/1 and 128.0.0.0/1.
	wholeInternet = 0.25
	// manyOwners is the fraction from which a list contains networks of many owners: an
	// IPv4 /8, the largest block that IANA allocates (RFC 7020, 2.2).
	manyOwners = 1.0 / 256
	// anyBits4 and anyBits6 are the shortest prefixes without a warning about
	// "any = true": 256 IPv4 addresses, one IPv6 network (RFC 4291, 2.5.1).
	anyBits4, anyBits6 = 24, 64
)

// internet6 returns the global unicast addresses of IPv6 (RFC 4291, 2.4).
func internet6() netip.Prefix { return netip.MustParsePrefix("2000::/3") }

// A width is how much a list of prefixes contains. It counts every address once.
type width struct {
	share4, share6 float64 // fractions of the family's Internet, without private prefixes
	size4          float64 // IPv4 addresses, private ones included
	size6          float64 // IPv6 networks of 64 bits, private ones included
}

// widthOf returns the width of prefixes.
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

// isInternet reports whether w is the Internet, or so much of it that there is no
// practical difference.
func (w width) isInternet() bool { return max(w.share4, w.share6) >= wholeInternet }

// String returns how much of the Internet w is; "" if it is little.
func (w width) String() string {
	var parts []string
	for _, f := range []struct {
		share float64
		name  string
	}{{w.share4, "IPv4"}, {w.share6, "IPv6"}} {
		switch {
		case f.share > 0.98: // the rest is private
			parts = append(parts, "the whole "+f.name+" Internet")
		case f.share >= manyOwners:
			parts = append(parts, fmt.Sprintf("%.2g %% of the %s Internet", 100*f.share, f.name))
		}
	}
	return strings.Join(parts, " and ")
}

// prefixesAmong returns the addresses and prefixes among destinations.
func prefixesAmong(list []rules.Destination) (out []netip.Prefix) {
	for _, d := range list {
		if d.Prefix.IsValid() {
			out = append(out, d.Prefix)
		}
	}
	return out
}

// widest returns the prefixes that a warning names: those that are about as wide as the
// widest one, four at most.
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

// warnOfDestinations warns if the prefixes of a rule or a role of client are wider than the
// networks of a vendor or a site.
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
	case w.isInternet():
		t.Doc.Warnf(line, "%s: %s %s %v: THE ALLOWLIST ENDS HERE. Client %q, and anyone who takes control of it, can send all its data to any host of the world on these ports, whatever the host's name; list only the networks that are needed",
			key, widest(prefixes), are, w, client)
	case w.String() != "":
		t.Doc.Warnf(line, "%s: %s %s %v: these networks have many owners; list only those that are needed", key, widest(prefixes), are, w)
	}
}

// warnOfAny warns of a rule with any = true that is wider than one network.
func warnOfAny(t *tomldoc.Table, r *rules.Rule) {
	prefixes := slices.AppendSeq(prefixesAmong(r.To), r.List.Prefixes())
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

// warnOfUnion warns of a client whose rules and roles are the Internet only together, which
// no single line of the file shows.
func (c *Config) warnOfUnion(doc *tomldoc.Document) {
	rulesOf := map[string][]*rules.Rule{}
	for _, r := range c.Rules {
		rulesOf[r.Client] = append(rulesOf[r.Client], r)
	}
	for _, cl := range c.Clients {
		var all []netip.Prefix
		alone := false
		add := func(prefixes []netip.Prefix) {
			alone = alone || widthOf(prefixes).isInternet()
			all = append(all, prefixes...)
		}
		for _, list := range cl.Addresses {
			add(prefixesAmong(list))
		}
		for i := range cl.Profiles {
			for _, list := range cl.Profiles[i].Addresses {
				add(prefixesAmong(list))
			}
		}
		for _, r := range rulesOf[cl.Name] {
			add(slices.AppendSeq(prefixesAmong(r.To), r.List.Prefixes()))
		}
		if w := widthOf(all); !alone && w.isInternet() {
			doc.Warnf(cl.Line, "client %q: its rules together permit %v: THE ALLOWLIST ENDS HERE, although no single rule shows it; list only the networks that are needed", cl.Name, w)
		}
	}
}

// checkSources reports sources that cannot send packets, and warns if every host is this
// client.
func (c *Config) checkSources(t *tomldoc.Table, cl *rules.Client) {
	for _, p := range cl.Sources {
		if why := noHost(p); why != "" {
			t.Doc.Errorf(t.LineOf("sources", rules.Destination{Prefix: p}.String()), "sources: %v is never the source of a packet: %s%s", p, why, everyAddressHint(p))
		}
	}
	w := widthOf(cl.Sources)
	if reached := c.open(); w.isInternet() && reached != "" && !cl.Demands() {
		t.Doc.Warnf(t.Line("sources"), "sources: %s: EVERY host that reaches %s counts as client %q and has all its permissions; list only that client's addresses", widest(cl.Sources), reached, cl.Name)
	}
}

// checkHosts reports destinations that no host has. It accepts multicast addresses, because
// a packet can be sent to them.
func checkHosts(t *tomldoc.Table, key string, list []rules.Destination) {
	for _, d := range list {
		if why := cannotBeDestination(d); why != "" {
			t.Doc.Errorf(t.LineOf(key, d.String()), "%s: %s", key, why)
		}
	}
}

// cannotBeDestination returns why no host has the addresses of a destination; "" if a host
// may have one.
func cannotBeDestination(d rules.Destination) string {
	if !d.Prefix.IsValid() || d.Prefix.Addr().IsMulticast() {
		return ""
	}
	if why := noHost(d.Prefix); why != "" {
		return fmt.Sprintf("%v cannot be a destination: %s%s", d, why, everyAddressHint(d.Prefix))
	}
	return ""
}

// noHost returns why no host has an address of p; "" if a host may have one.
func noHost(p netip.Prefix) string {
	for _, no := range []struct{ prefix, why string }{
		{"0.0.0.0/8", "addresses of this network are for hosts that do not know theirs (RFC 1122, 3.2.1.3)"},
		{"::/128", "no host has the unspecified address (RFC 4291, 2.5.2)"},
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

// everyAddressHint returns what the author of the unspecified address perhaps meant.
func everyAddressHint(p netip.Prefix) string {
	if !p.Addr().IsUnspecified() || !p.IsSingleIP() {
		return ""
	}
	return fmt.Sprintf("; for every address write %v/0", p.Addr())
}

// open returns a listener that other hosts can reach; "" if there is none.
func (c *Config) open() string {
	for _, l := range []struct {
		key   string
		addrs []netip.AddrPort
	}{{"http", c.Listen.HTTP}, {"https", c.Listen.HTTPS}, {"socks5", c.Listen.SOCKS5}, {"dns", c.Listen.DNS}, {"transparent", c.Listen.Transparent}, {"tproxy", c.Listen.TPROXY}} {
		for _, a := range l.addrs {
			if !a.Addr().IsLoopback() || l.key == "tproxy" { // TPROXY delivers forwarded packets to loopback too
				return fmt.Sprintf("[listen] %s %v", l.key, a)
			}
		}
	}
	return ""
}
