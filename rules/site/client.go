// Clients: the [[client]] tables of a configuration.

package site

import (
	"slices"
	"strings"

	"sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/tomldoc"
)

func (c *Config) readClient(t *tomldoc.Table, disk Disk) *rules.Client {
	cl := &rules.Client{
		Name: t.Str("name"), Sources: prefixes(t, "sources"), Line: t.Line(""),
		Audit: c.Audit, Addresses: map[string][]rules.Destination{},
	}
	if !rules.IsIdentifier(cl.Name) {
		t.Errorf("name", "%q is not a client name: letters, digits, dots and hyphens", cl.Name)
	} else if line, used := c.known.clients[cl.Name]; used {
		t.Errorf("name", "%q is already used on line %d", cl.Name, line)
	}
	if t.Has("mode") {
		cl.Audit = t.Choice("mode", "enforce", "audit") == "audit"
	}
	cl.Synthetic = t.Bool("synthetic")
	c.readIdentity(cl, t, disk)
	switch {
	case (t.Has("certificate") || t.Has("users_file")) && !t.Has("sources"): // its addresses do not matter
	case t.Lacks("sources"):
		t.Missing("sources", `list the addresses that the client connects from, like ["10.1.2.3"]`)
	default:
		c.checkSources(t, cl)
	}
	cl.Parents = c.readRoute(t)
	whole := c.readClientProfiles(cl, t)
	c.readAddresses(cl, t.Sub("addresses"), whole)
	warnOfShared(cl, t)
	if earlier := c.known.shadows(cl.Sources); earlier != "" {
		t.Errorf("sources", "can never match: client %q above already has all of these addresses", earlier)
	}
	c.known.add(cl)
	return cl
}

// readClientProfiles reads the profiles of a client. It returns false if one of them does not
// exist or has errors, so that the client's roles are not all known.
func (c *Config) readClientProfiles(cl *rules.Client, t *tomldoc.Table) (whole bool) {
	whole = true
	names := t.Strs("profiles")
	own := []string{"role", "features", "version", "ports", "without"}
	beside := slices.ContainsFunc(own, t.Has)
	if beside && len(names) != 1 {
		t.Errorf(own[slices.IndexFunc(own, t.Has)], "belongs to one profile: list exactly one profile in profiles, or use [[client.profile]]")
	}
	for _, name := range names {
		if cp, ok := c.clientProfile(t, name, t.LineOf("profiles", name)); ok {
			cl.Profiles = append(cl.Profiles, cp)
		} else {
			whole = false
		}
	}
	t.MarkRead(own...)
	for _, pt := range t.Subs("profile") {
		if t.Has("profiles") {
			pt.Doc.Errorf(pt.Line(""), "client %q has profiles already: use either profiles or [[client.profile]]", cl.Name)
		}
		name := pt.Str("name")
		if cp, ok := c.clientProfile(pt, name, pt.Line("name")); ok {
			if slices.ContainsFunc(cl.Profiles, func(o rules.ClientProfile) bool { return o.Profile == cp.Profile && o.Role == cp.Role }) {
				pt.Errorf("name", "profile %q with role %q is listed twice", name, cp.Role)
			}
			cp.OwnTable, cp.Lines.Table = true, pt.Line("")
			cp.Addresses = c.readBindings(pt.Sub("addresses"), cl.Name, []rules.ClientProfile{cp}, true)
			warnOfUnused(pt.Sub("addresses"), cp.Addresses, []rules.ClientProfile{cp})
			cl.Profiles = append(cl.Profiles, cp)
		} else {
			whole = false
		}
		pt.MarkRead("addresses")
		pt.Done()
	}
	if !t.Has("profiles") && !t.Has("profile") {
		t.Missing("profiles", "list profiles, or write profiles = [] for a client that has site rules only")
	}
	return whole
}

// clientProfile reads the role, features, version, ports and left-out rules of one profile
// of a client.
func (c *Config) clientProfile(t *tomldoc.Table, name string, line int) (rules.ClientProfile, bool) {
	i := slices.IndexFunc(c.Profiles, func(p *rules.Profile) bool { return p.Name == name })
	if i < 0 {
		c.reportUnknown(t, name, line)
		t.MarkRead("role", "features", "version", "ports", "without")
		return rules.ClientProfile{}, false
	}
	p := c.Profiles[i]
	cp := rules.ClientProfile{Profile: p, Role: p.Roles[0], Features: t.Strs("features"), Version: profile.ReadVersion(t, "version"), Ports: map[string]uint16{}}
	if t.Has("role") {
		cp.Role = t.Str("role")
		if !slices.Contains(p.Roles, cp.Role) {
			t.Errorf("role", "%q is not a role of %s%s", cp.Role, p.Name, tomldoc.DidYouMean(cp.Role, p.Roles, "its roles are"))
		}
	}
	for _, f := range cp.Features {
		if p.Feature(f) == nil {
			known := make([]string, len(p.Features))
			for j, o := range p.Features {
				known[j] = o.Name
			}
			cure := "; it has no features"
			if len(known) > 0 {
				cure = tomldoc.DidYouMean(f, known, "its features are")
			}
			t.Doc.Errorf(t.LineOf("features", f), "features: %q is not a feature of %s%s", f, p.Name, cure)
		}
	}
	ports := t.Sub("ports")
	for _, k := range ports.Keys() {
		v := ports.Int(k, 0, 1, 65535)
		if p.Port(k) == nil {
			known := make([]string, len(p.Ports))
			for j, o := range p.Ports {
				known[j] = o.Name
			}
			cure := "; it has none"
			if len(known) > 0 {
				cure = tomldoc.DidYouMean(k, known, "its ports are")
			}
			t.Doc.Errorf(ports.Line(k), "ports: %q is not a configurable port of %s%s", k, p.Name, cure)
			continue
		}
		cp.Ports[k] = uint16(v)
	}
	readWithout(&cp, t)
	if slices.Contains(p.Roles, cp.Role) {
		warnOfNoEffect(t, &cp)
	}
	return cp, true
}

// mostListed is the number of rules that a problem lists.
const mostListed = 8

// readWithout reads the IDs of the rules that the site leaves out of a profile.
func readWithout(cp *rules.ClientProfile, t *tomldoc.Table) {
	cp.Without, cp.Lines = t.Strs("without"), rules.ProfileLines{Table: t.Line(""), Without: t.Line("without")}
	known := make([]string, len(cp.Profile.Rules))
	for i, r := range cp.Profile.Rules {
		known[i] = r.ID
	}
	for _, id := range cp.Without {
		if !slices.Contains(known, id) {
			cure := tomldoc.DidYouMean(id, known, "its rules are")
			if len(known) > mostListed && strings.HasPrefix(cure, ";") {
				cure = "; sallyport profiles show " + cp.Profile.Name + " lists its rules"
			}
			t.Doc.Errorf(t.LineOf("without", id), "without: %s has no rule %q%s", cp.Profile.Name, id, cure)
		}
	}
}
