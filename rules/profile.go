// Profiles: reads one product's documented network needs from strict TOML.

package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ParseProfile reads a profile. On any error the answer is nil and the error
// lists every mistake with file and line.
func ParseProfile(file string, data []byte) (*Profile, error) {
	doc, top := parseTOML(file, data)
	if top == nil {
		return nil, doc.problems.Err()
	}
	p := &Profile{
		File: file, Name: top.str("name"), Product: top.str("product"),
		Roles: top.strs("roles"), Binds: top.strs("binds"),
	}
	if !identifier(p.Name) || p.Name == SiteProfile {
		top.errorf("name", "%q is not a profile name: lower-case letters, digits and hyphens, and not %q", p.Name, SiteProfile)
	}
	if len(p.Roles) == 0 {
		top.missing("roles", "list the parties of the document, the default one first")
	}
	for _, r := range slices.Concat(p.Roles, p.Binds) {
		if !identifier(r) {
			top.errorf("roles", "%q is not a role name: lower-case letters, digits and hyphens", r)
		}
	}
	p.readDocument(top.sub("document"))
	p.readFeatures(top.subs("feature"))
	p.readPorts(top.subs("port"))
	for _, t := range top.subs("rule") {
		p.Rules = append(p.Rules, p.readRule(t))
	}
	top.done()
	if err := doc.problems.sorted().Err(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Profile) readDocument(t *table) {
	p.Document = Document{Title: t.str("title"), Version: t.str("version"), URL: t.str("url")}
	if t.has("released") {
		p.Document.Released = t.date("released").Format("2006-01-02")
	}
	if p.Document.Title == "" {
		t.missing("title", "name the document that the rules are typed from")
	}
	t.done()
}

func (p *Profile) readFeatures(ts []*table) {
	for _, t := range ts {
		f := Feature{Name: t.str("name"), Meaning: t.str("meaning")}
		if !identifier(f.Name) || p.feature(f.Name) != nil {
			t.errorf("name", "%q is not a new feature name", f.Name)
		}
		p.Features = append(p.Features, f)
		t.done()
	}
}

func (p *Profile) readPorts(ts []*table) {
	for _, t := range ts {
		port := Port{Name: t.str("name"), Default: uint16(t.integer("default", 0, 1, 65535)), Meaning: t.str("meaning")}
		if !identifier(port.Name) || p.port(port.Name) != nil {
			t.errorf("name", "%q is not a new port name", port.Name)
		}
		if port.Default == 0 {
			t.missing("default", "the port that the document gives")
		}
		p.Ports = append(p.Ports, port)
		t.done()
	}
}

func (p *Profile) readRule(t *table) *Rule {
	r := &Rule{
		Profile: p.Name, ID: t.str("id"), From: t.str("from"), Local: t.boolean("local"), When: t.strs("when"),
		Since: t.version("since"), Until: t.version("until"),
		Purpose: t.str("purpose"), Section: t.str("section"), Note: t.str("note"),
		File: t.doc.file, Line: t.line(""), document: &p.Document,
	}
	if !identifier(r.ID) || slices.ContainsFunc(p.Rules, func(o *Rule) bool { return o.ID == r.ID }) {
		t.errorf("id", "%q is not a new rule id: lower-case letters, digits, dots and hyphens", r.ID)
	}
	if !slices.Contains(p.Roles, r.From) {
		t.errorf("from", "%q is not one of the profile's roles", r.From)
	}
	for _, w := range r.When {
		if p.feature(w) == nil {
			t.errorf("when", "%q is not one of the profile's features", w)
		}
	}
	if r.Since != "" && r.Until != "" && compareVersions(r.Since, r.Until) >= 0 {
		t.errorf("until", "%q is not after since %q", r.Until, r.Since)
	}
	if r.Purpose == "" {
		t.missing("purpose", "what the document says that it is for")
	}
	t.reach(r, p)
	for _, d := range r.To {
		if d.Role != "" && !slices.Contains(p.Roles, d.Role) && !slices.Contains(p.Binds, d.Role) {
			t.errorf("to", "role:%s is none of the profile's roles or binds", d.Role)
		}
	}
	t.done()
	return r
}

// reach reads what rules of profiles and sites have in common: to, tcp, udp,
// any. p is nil for a site's rule, which has no named ports and no roles.
func (t *table) reach(r *Rule, p *Profile) {
	for _, s := range t.strs("to") {
		d, err := parseDestination(s)
		if err == nil && p == nil && d.Role != "" {
			err = fmt.Errorf("%q: a site's rule names hosts; bind roles in [client.addresses]", s)
		}
		if err != nil {
			t.doc.add(t.lineOf("to", s), "to: %v", err)
			continue
		}
		r.To = append(r.To, d)
	}
	if t.lacks("to") {
		t.missing("to", `list names, *.names, addresses or prefixes`)
	}
	r.TCP, r.tcpNamed = t.ports("tcp", p)
	r.UDP, r.udpNamed = t.ports("udp", p)
	r.Any = t.boolean("any")
	listed := t.has("tcp") || t.has("udp")
	if r.Any && listed {
		t.errorf("any", "any = true already means every protocol and port: remove tcp and udp")
	}
	if !r.Any && !listed {
		t.missing("tcp", "list the ports: tcp = […], udp = […], or any = true")
	}
}

// ports reads a list of numbers, "first-last" ranges, named ports, or "all".
func (t *table) ports(key string, p *Profile) (Ports, []string) {
	t.used[key] = true
	raw, there := t.m[key]
	if !there {
		return nil, nil
	}
	if raw == "all" {
		return AllPorts(), nil
	}
	list, ok := raw.([]any)
	if !ok || len(list) == 0 {
		t.errorf(key, `must be a list like [443, "8000-8010"], or "all"`)
		return nil, nil
	}
	var ranges []PortRange
	var named []string
	for _, e := range list {
		switch e := e.(type) {
		case int64:
			if e < 1 || e > 65535 {
				t.errorf(key, "port %d is not from 1 to 65535", e)
				continue
			}
			ranges = append(ranges, PortRange{uint16(e), uint16(e)})
		case string:
			if port := p.port(e); port != nil {
				named = append(named, e)
				continue
			}
			r, err := parsePortRange(e)
			if err != nil {
				if p == nil {
					t.errorf(key, `%q is not a range like "8000-8010"; a port is a number`, e)
				} else {
					t.errorf(key, "%q is neither a port range nor a [[port]] of the profile", e)
				}
				continue
			}
			ranges = append(ranges, r)
		default:
			t.errorf(key, "has %s in it; ports are numbers or ranges in quotes", kindOf(e))
		}
	}
	return newPorts(ranges), named
}

func (p *Profile) feature(name string) *Feature {
	for i := range p.Features {
		if p.Features[i].Name == name {
			return &p.Features[i]
		}
	}
	return nil
}

func (p *Profile) port(name string) *Port {
	if p == nil {
		return nil
	}
	for i := range p.Ports {
		if p.Ports[i].Name == name {
			return &p.Ports[i]
		}
	}
	return nil
}

// portsOf adds the values of a rule's named ports, as the site set them.
func (p *Profile) portsOf(fixed Ports, named []string, set map[string]uint16) Ports {
	if len(named) == 0 {
		return fixed
	}
	ranges := slices.Clone([]PortRange(fixed))
	for _, n := range named {
		v, ok := set[n]
		if !ok {
			v = p.port(n).Default
		}
		ranges = append(ranges, PortRange{v, v})
	}
	return newPorts(ranges)
}

// parseDestination reads one entry of "to": a name, *.name, address, prefix or
// role:party.
func parseDestination(s string) (Destination, error) {
	if role, ok := strings.CutPrefix(s, "role:"); ok {
		if !identifier(role) {
			return Destination{}, fmt.Errorf("%q is not role: and a party", s)
		}
		return Destination{Role: role}, nil
	}
	if strings.IndexByte(s, '/') >= 0 {
		p, err := parsePrefix(s)
		return Destination{Prefix: p}, err
	}
	rest, wild := strings.CutPrefix(s, "*.")
	if strings.IndexByte(rest, '*') >= 0 {
		return Destination{}, fmt.Errorf(`%q: a wildcard is "*." and a name, like "*.corp.example", and nothing else`, s)
	}
	if !wild {
		if a, err := ParseHost(s); err == nil && a.Addr.IsValid() {
			return Destination{Prefix: netip.PrefixFrom(a.Addr, a.Addr.BitLen())}, nil
		}
	}
	n, err := ParseIDN(rest)
	if err != nil {
		if a, aerr := ParseAuthority(s, 1); aerr == nil && !a.Name.IsZero() {
			return Destination{}, fmt.Errorf("%q: write the name without its port: %q", s, a.Name)
		}
		return Destination{}, fmt.Errorf("%s: %w", strconv.Quote(s), err)
	}
	if wild {
		if err := wildcardTooWide(n); err != nil {
			return Destination{}, fmt.Errorf("%q: %w", s, err)
		}
	}
	return Destination{Name: n, Wildcard: wild}, nil
}

// parsePrefix reads what has a slash in it.
func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	switch {
	case err == nil && !p.Addr().Is4In6() && p == p.Masked():
		return p, nil
	case err == nil && !p.Addr().Is4In6():
		return netip.Prefix{}, &hostBits{p}
	}
	text := s
	if _, behind, ok := strings.Cut(s, "://"); ok {
		text = behind
	}
	host, _, _ := strings.Cut(text, "/")
	if a, err := ParseAuthority(host, 1); err == nil && !a.Name.IsZero() {
		return netip.Prefix{}, fmt.Errorf("%q: write the name without scheme, port and path: %q", s, a.Name)
	}
	return netip.Prefix{}, fmt.Errorf("%q is not a prefix like 10.0.0.0/8", s)
}

// hostBits is a prefix that names an address inside itself. Whether the prefix
// or the address is meant only the writer knows.
type hostBits struct{ prefix netip.Prefix }

func (e *hostBits) Error() string {
	return fmt.Sprintf("%q has bits set behind its length: write %q or %q", e.prefix, e.prefix.Masked(), e.prefix.Addr())
}

// identifier tells whether s can name a profile, role, feature, port, rule or
// client: letters, digits, dots, underscores and hyphens, a letter or digit first.
func identifier(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		alnum := 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z'
		if !alnum && (i == 0 || c != '-' && c != '_' && c != '.') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// DefaultPorts returns the ports of one of p's rules with every configurable
// port at the document's default.
func (p *Profile) DefaultPorts(r *Rule) (tcp, udp Ports) {
	return p.portsOf(r.TCP, r.tcpNamed, nil), p.portsOf(r.UDP, r.udpNamed, nil)
}
