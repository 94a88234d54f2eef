// Clients and site rules: the parts of a configuration that say who and what.

package rules

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A Client is one [[client]] of the configuration: who asks, and with which
// profiles.
type Client struct {
	Name      string
	Sources   []netip.Prefix
	Profiles  []ClientProfile
	Audit     bool                     // mode "audit", its own or the configuration's
	Addresses map[string][]Destination // what the site bound to the parties of the documents
	Line      int
}

// A ClientProfile is one profile that a client has, with its choices.
type ClientProfile struct {
	Profile  *Profile
	Role     string
	Features []string
	Version  string // "": unknown, read as current
	Ports    map[string]uint16
}

func (c *Config) readClient(t *table, profiles []*Profile) *Client {
	cl := &Client{
		Name: t.str("name"), Sources: t.prefixes("sources"), Line: t.line(""),
		Audit: c.Audit, Addresses: map[string][]Destination{},
	}
	if !identifier(cl.Name) {
		t.errorf("name", "%q is not a client name: letters, digits, dots and hyphens", cl.Name)
	} else if i := slices.IndexFunc(c.Clients, func(o *Client) bool { return o.Name == cl.Name }); i >= 0 {
		t.errorf("name", "%q is already used on line %d", cl.Name, c.Clients[i].Line)
	}
	if t.has("mode") {
		cl.Audit = t.choice("mode", "enforce", "audit") == "audit"
	}
	if t.lacks("sources") {
		t.missing("sources", `list the addresses that it connects from, like ["10.1.2.3"]`)
	}
	c.checkSources(t, cl)
	c.readClientProfiles(cl, t, profiles)
	c.readAddresses(cl, t.sub("addresses"))
	if earlier := c.shadows(cl.Sources); earlier != "" {
		t.errorf("sources", "can never match: client %q above takes every one of them", earlier)
	}
	t.done()
	return cl
}

func (c *Config) readClientProfiles(cl *Client, t *table, profiles []*Profile) {
	names := t.strs("profiles")
	own := []string{"role", "features", "version", "ports"}
	beside := slices.ContainsFunc(own, t.has)
	if beside && len(names) != 1 {
		t.errorf(own[slices.IndexFunc(own, t.has)], "belongs to one profile: list exactly one in profiles, or use [[client.profile]]")
	}
	for _, name := range names {
		if cp, ok := t.clientProfile(name, t.lineOf("profiles", name), profiles); ok {
			cl.Profiles = append(cl.Profiles, cp)
		}
	}
	for _, k := range own {
		t.used[k] = true
	}
	for _, pt := range t.subs("profile") {
		if t.has("profiles") {
			pt.doc.add(pt.line(""), "client %q has profiles already: use either profiles or [[client.profile]]", cl.Name)
		}
		name := pt.str("name")
		if cp, ok := pt.clientProfile(name, pt.line("name"), profiles); ok {
			if slices.ContainsFunc(cl.Profiles, func(o ClientProfile) bool { return o.Profile == cp.Profile && o.Role == cp.Role }) {
				pt.errorf("name", "profile %q with role %q is listed twice", name, cp.Role)
			}
			cl.Profiles = append(cl.Profiles, cp)
		}
		pt.done()
	}
	if !t.has("profiles") && !t.has("profile") {
		t.missing("profiles", "list profiles, or write profiles = [] for a client that has site rules only")
	}
}

// clientProfile reads role, features, version and ports beside a profile's name.
func (t *table) clientProfile(name string, line int, profiles []*Profile) (ClientProfile, bool) {
	i := slices.IndexFunc(profiles, func(p *Profile) bool { return p.Name == name })
	if i < 0 {
		known := make([]string, len(profiles))
		for j, p := range profiles {
			known[j] = p.Name
		}
		t.doc.add(line, "unknown profile %q%s", name, meant(name, known, "there are"))
		for _, k := range []string{"role", "features", "version", "ports"} {
			t.used[k] = true
		}
		return ClientProfile{}, false
	}
	p := profiles[i]
	cp := ClientProfile{Profile: p, Role: p.Roles[0], Features: t.strs("features"), Version: t.version("version"), Ports: map[string]uint16{}}
	if t.has("role") {
		cp.Role = t.str("role")
		if !slices.Contains(p.Roles, cp.Role) {
			t.errorf("role", "%q is not a role of %s%s", cp.Role, p.Name, meant(cp.Role, p.Roles, "its roles are"))
		}
	}
	for _, f := range cp.Features {
		if p.feature(f) == nil {
			known := make([]string, len(p.Features))
			for j, o := range p.Features {
				known[j] = o.Name
			}
			cure := "; it has no features"
			if len(known) > 0 {
				cure = meant(f, known, "its features are")
			}
			t.doc.add(t.lineOf("features", f), "features: %q is not a feature of %s%s", f, p.Name, cure)
		}
	}
	ports := t.sub("ports")
	for _, k := range ports.keys() {
		v := ports.integer(k, 0, 1, 65535)
		if p.port(k) == nil {
			known := make([]string, len(p.Ports))
			for j, o := range p.Ports {
				known[j] = o.Name
			}
			cure := "; it has none"
			if len(known) > 0 {
				cure = meant(k, known, "its ports are")
			}
			t.doc.add(ports.line(k), "ports: %q is not a configurable port of %s%s", k, p.Name, cure)
			continue
		}
		cp.Ports[k] = uint16(v)
	}
	return cp, true
}

// readAddresses reads what the site binds to the parties of its profiles.
func (c *Config) readAddresses(cl *Client, t *table) {
	var parties []string
	for _, cp := range cl.Profiles {
		parties = append(append(parties, cp.Profile.Roles...), cp.Profile.Binds...)
	}
	for _, party := range t.keys() {
		list := t.strs(party)
		if !slices.Contains(parties, party) {
			t.errorf(party, "no profile of client %q has a party of this name; there are %s", cl.Name, quoteList(parties))
			continue
		}
		if len(list) == 0 {
			t.errorf(party, "is empty: list names, addresses or prefixes, or leave it out")
		}
		for _, s := range list {
			d, err := parseDestination(s)
			switch {
			case err != nil:
				t.doc.add(t.lineOf(party, s), "%s: %v", party, err)
			case d.Role != "" || d.Wildcard:
				t.doc.add(t.lineOf(party, s), "%s: %q is not a name, address or prefix", party, s)
			default:
				cl.Addresses[party] = append(cl.Addresses[party], d)
			}
		}
		t.checkHosts(party, cl.Addresses[party])
		t.warnOfDestinations(party, cl.Name, prefixesOf(cl.Addresses[party]))
	}
	t.done()
}

// shadows returns the first earlier client whose sources cover all of these.
func (c *Config) shadows(sources []netip.Prefix) string {
	if len(sources) == 0 {
		return ""
	}
	var name string
	for _, s := range sources {
		i := slices.IndexFunc(c.Clients, func(o *Client) bool {
			return slices.ContainsFunc(o.Sources, func(p netip.Prefix) bool { return covers(p, s) })
		})
		if i < 0 {
			return ""
		}
		name = c.Clients[i].Name
	}
	return name
}

// covers tells whether every address of b is in a.
func covers(a, b netip.Prefix) bool { return a.Bits() <= b.Bits() && a.Contains(b.Addr()) }

func (c *Config) readSiteRule(t *table) *Rule {
	r := &Rule{
		Profile: SiteProfile, ID: t.str("id"), Client: t.str("client"), Reason: t.str("reason"),
		File: t.doc.file, Line: t.line(""),
	}
	if !identifier(r.ID) {
		t.errorf("id", "%q is not a rule id: letters, digits, dots and hyphens", r.ID)
	} else if i := slices.IndexFunc(c.Rules, func(o *Rule) bool { return o.ID == r.ID }); i >= 0 {
		t.errorf("id", "%q is already used on line %d", r.ID, c.Rules[i].Line)
	}
	c.checkRuleClient(t, r.Client)
	if strings.TrimSpace(r.Reason) == "" {
		t.missing("reason", "say why the site needs it, like a ticket number")
	} else if placeholder(r.Reason) {
		t.doc.warn(t.line("reason"), "reason: %q is still a placeholder: say why the site needs the rule, like a ticket number, or delete the rule", r.Reason)
	}
	t.reach(r, nil)
	if t.has("expires") {
		if day := t.date("expires"); !day.IsZero() {
			r.Expires = day.Add(24 * time.Hour)
		}
	}
	t.checkHosts("to", r.To)
	t.warnOfDestinations("to", r.Client, prefixesOf(r.To))
	t.warnOfAny(r)
	for _, d := range r.To {
		if suffix := suffixBelow(d.Name); d.Wildcard && suffix != "" {
			t.doc.warn(t.lineOf("to", d.String()), "to: %s also permits *.%s, and anybody can have a name under that public suffix; name the domains", d, strings.TrimPrefix(suffix, "*."))
		}
		if knownDoH(d) {
			t.doc.warn(t.lineOf("to", d.String()), "to: %s is a public DNS-over-HTTPS resolver: through it a client looks up any name past the DNS filter", d)
		}
	}
	t.done()
	return r
}

// placeholder tells whether a reason was left as a suggestion or a template has
// it, for somebody to fill in.
func placeholder(reason string) bool {
	if strings.Contains(reason, "FILL IN") {
		return true
	}
	words := strings.FieldsFunc(reason, func(r rune) bool { return !unicode.IsLetter(r) })
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"TODO", "FIXME", "TBD", "CHANGEME"}, w) || len(words) == 1 && strings.EqualFold(w, "todo")
	})
}

// checkRuleClient demands that a rule's client is one of those above.
func (c *Config) checkRuleClient(t *table, name string) {
	var known []string
	for _, cl := range c.Clients {
		known = append(known, cl.Name)
	}
	switch {
	case slices.Contains(known, name):
	case name == "":
		t.missing("client", "name the [[client]] that it is for")
	case len(known) == 0:
		t.errorf("client", "there is no client %q; the configuration has no [[client]]", name)
	default:
		t.errorf("client", "there is no client %q%s", name, meant(name, known, "the clients are"))
	}
}

// meant ends the report of an unknown text: with the known one that is nearest,
// or with all of them.
func meant(s string, known []string, intro string) string {
	if near := nearestText(s, known); near != "" {
		return ": did you mean " + strconv.Quote(near) + "?"
	}
	return "; " + intro + " " + quoteList(known)
}
