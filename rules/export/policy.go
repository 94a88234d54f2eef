// Policy: what one client may reach, as the formats need it.

package export

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sallyport/rules"
)

// A Policy is what one client may reach.
type Policy struct {
	Name     string // the client's or the profile's; identifiers are made of it
	Title    string // one line: whose policy this is
	Everyone bool   // Sources are all addresses, because there is no site
	Sources  []netip.Prefix
	Except   []netip.Prefix // parts of Sources that are other clients
	Rules    []rules.Grant  // every rule in force that has a destination
	Zones    []rules.Name   // internal zones: their names may be looked up
	Left     []Difference   // what is not part of it by the caller's choice
}

// OfProfile returns the policy of a profile without a site: what the documents permit a
// client with these choices, from every source.
func OfProfile(cp rules.ClientProfile, now time.Time) *Policy {
	all := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	c := &rules.Client{Name: cp.Profile.Name, Sources: all, Profiles: []rules.ClientProfile{cp}}
	spec := &rules.Spec{Clients: []*rules.Client{c}, Profiles: []*rules.Profile{cp.Profile}}
	compiled, _ := rules.Compile(spec, rules.Own{}, now)
	p := &Policy{Name: c.Name, Title: "profile " + describe(cp), Everyone: true, Sources: all}
	p.add(compiled, c, "")
	return p
}

// OfClient returns the policy of one client of a site. A profile's name leaves out the
// rules of the client's other profiles. spec is what compiled was compiled from.
func OfClient(spec *rules.Spec, compiled *rules.Policy, c *rules.Client, profile string) (*Policy, error) {
	var with []string
	for _, cp := range c.Profiles {
		if profile == "" || cp.Profile.Name == profile {
			with = append(with, describe(cp))
		}
	}
	if profile != "" && len(with) == 0 {
		return nil, fmt.Errorf("client %q does not have the profile %q", c.Name, profile)
	}
	p := &Policy{Name: c.Name, Title: fmt.Sprintf("client %s of %s, revision %s", c.Name, spec.File, spec.Revision)}
	if len(with) > 0 {
		p.Title += ": " + strings.Join(with, "; ")
	}
	p.add(compiled, c, profile)
	if len(p.Rules) > 0 {
		p.Zones = spec.Zones
	}
	if err := p.own(spec.Clients, c); err != nil {
		return nil, err
	}
	if c.Audit {
		p.Left = append(p.Left, Difference{What: `mode "audit" lets through what no rule permits; the export denies it`})
	}
	return p, nil
}

// add adds the rules in force of a client. A rule without a destination permits nothing.
func (p *Policy) add(compiled *rules.Policy, c *rules.Client, profile string) {
	for _, g := range compiled.Grants() {
		switch {
		case g.Client != c:
		case profile != "" && g.Rule.Profile != profile && g.Rule.Profile != rules.SiteProfile:
			p.Left = append(p.Left, Difference{What: "rules of the client's other profiles", Rules: []string{g.Rule.String()}})
		case !g.HasNames() && len(g.Prefixes) == 0 && g.List.Len() == 0:
			p.Left = append(p.Left, Difference{
				What:  fmt.Sprintf("the documents give no address: bind %s in [client.addresses] of the configuration of --config", roles(g.Rule)),
				Rules: []string{g.Rule.String()},
			})
		default:
			p.Rules = append(p.Rules, g.Spread())
		}
	}
}

// roles returns the roles that a rule has as destinations.
func roles(r *rules.Rule) string {
	var out []string
	for _, d := range r.To {
		if d.Role != "" {
			out = append(out, d.Role)
		}
	}
	return strings.Join(out, ", ")
}

// own sets the sources. The first client with a source that covers an address has it,
// so a source inside a source of an earlier client is not c's.
func (p *Policy) own(clients []*rules.Client, c *rules.Client) error {
	var earlier []netip.Prefix
	for _, o := range clients[:slices.Index(clients, c)] {
		earlier = append(earlier, o.Sources...)
	}
	for _, s := range c.Sources {
		if slices.ContainsFunc(earlier, func(e netip.Prefix) bool { return rules.Covers(e, s) }) {
			continue
		}
		if !slices.Contains(p.Sources, s) {
			p.Sources = append(p.Sources, s)
		}
	}
	for _, e := range earlier {
		inside := slices.ContainsFunc(p.Sources, func(s netip.Prefix) bool { return rules.Covers(s, e) })
		if inside && !slices.Contains(p.Except, e) {
			p.Except = append(p.Except, e)
		}
	}
	if len(p.Sources) == 0 {
		return errors.New("client " + c.Name + " has no sources of its own: earlier clients have all of its sources")
	}
	return nil
}

// describe returns a profile with the choices of the site in words.
func describe(cp rules.ClientProfile) string {
	s := cp.Profile.Name + ", role " + cp.Role
	if cp.Version != "" {
		s += ", version " + cp.Version
	}
	var off []string
	for _, f := range cp.Profile.Features {
		if !slices.Contains(cp.Features, f.Name) {
			off = append(off, f.Name)
		}
	}
	if len(cp.Features) > 0 {
		s += ", with " + strings.Join(cp.Features, ", ")
	}
	if len(off) > 0 {
		s += ", without " + strings.Join(off, ", ")
	}
	return s
}

// documents returns each document of the rules once, with version, date and address.
func (p *Policy) documents() []string {
	var out []string
	for i := range p.Rules {
		d := p.Rules[i].Rule.Document
		if d == nil {
			continue
		}
		s := d.Title
		if d.Version != "" {
			s += ", version " + d.Version
		}
		if d.Released != "" {
			s += ", released " + d.Released
		}
		if d.URL != "" {
			s += ", " + d.URL
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
