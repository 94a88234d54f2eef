// Package profile reads profiles: one product's documented network needs, from
// strict TOML.
package profile

import (
	"fmt"
	"slices"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// MaxSize is the number of bytes that a profile's file may have.
const MaxSize = 4 << 20

// Parse parses a profile. The error lists every mistake with file and line; then the profile
// is nil.
func Parse(file string, data []byte) (*rules.Profile, error) {
	p, problems := Read(file, data)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// Read is Parse for callers that look for more mistakes: it returns the profile even if it has
// errors. The profile is nil if the text is no TOML.
func Read(file string, data []byte) (*rules.Profile, rules.Problems) {
	doc, top := tomldoc.Parse(file, data)
	if top == nil {
		return nil, doc.Problems()
	}
	if why := notAProfile(top, file, data); why != "" {
		doc.Errorf(0, "%s", why)
		return nil, doc.Problems()
	}
	p := &rules.Profile{
		File: file, Name: top.Str("name"), Line: top.Line("name"), Product: top.Text("product"),
		Roles: top.Strs("roles"), Binds: top.Strs("binds"), Wildcards: top.Strs("wildcards"), Replaces: top.Text("replaces"), ReplacesLine: top.Line("replaces"),
	}
	if !top.Has("name") {
		top.Missing("name", "clients and explain use the profile's name")
	} else if !rules.IsIdentifier(p.Name) || p.Name == rules.SiteProfile {
		top.Errorf("name", "%q is not a profile name: lower-case letters, digits and hyphens, and not %q", p.Name, rules.SiteProfile)
	}
	if top.Has("replaces") && p.Replaces == "" {
		top.Errorf("replaces", "is empty: write the version or the revision of the shipped profile")
	}
	if len(p.Roles) == 0 {
		top.Missing("roles", "list the roles of the document, the default one first")
	}
	for key, parties := range map[string][]string{"roles": p.Roles, "binds": p.Binds} {
		for _, r := range parties {
			if !rules.IsIdentifier(r) {
				doc.Errorf(top.LineOf(key, r), "%s: %q is not a role name: lower-case letters, digits and hyphens", key, r)
			}
		}
	}
	for _, party := range p.Wildcards {
		if parties := slices.Concat(p.Roles, p.Binds); !slices.Contains(parties, party) {
			doc.Errorf(top.LineOf("wildcards", party), "wildcards: %q is not one of the profile's roles or binds%s", party, tomldoc.DidYouMean(party, parties, "its roles and binds are"))
		}
	}
	readDocument(p, top.Sub("document"))
	readFeatures(p, top.Subs("feature"))
	readPorts(p, top.Subs("port"))
	for _, t := range top.Subs("rule") {
		p.Rules = append(p.Rules, readRule(p, t))
	}
	top.Done()
	p.Revision, p.Notes = revision(p), readNotes(data)
	return p, doc.Problems()
}

func readFeatures(p *rules.Profile, ts []*tomldoc.Table) {
	for _, t := range ts {
		f := rules.Feature{Name: t.Str("name"), Meaning: t.Text("meaning"), Line: t.Line("")}
		if !rules.IsIdentifier(f.Name) || p.Feature(f.Name) != nil {
			t.Errorf("name", "%q is not a feature name, or is used twice", f.Name)
		}
		p.Features = append(p.Features, f)
		t.Done()
	}
}

func readPorts(p *rules.Profile, ts []*tomldoc.Table) {
	for _, t := range ts {
		port := rules.Port{Name: t.Str("name"), Default: uint16(t.Int("default", 0, 1, 65535)), Meaning: t.Text("meaning"), Line: t.Line("")}
		if !rules.IsIdentifier(port.Name) || p.Port(port.Name) != nil {
			t.Errorf("name", "%q is not a port name, or is used twice", port.Name)
		}
		if port.Default == 0 {
			t.Missing("default", "give the port that the document states")
		}
		p.Ports = append(p.Ports, port)
		t.Done()
	}
}

func readRule(p *rules.Profile, t *tomldoc.Table) *rules.Rule {
	r := &rules.Rule{
		Profile: p.Name, ID: t.Str("id"), From: t.Str("from"), Local: t.Bool("local"), When: t.Strs("when"),
		Since: ReadVersion(t, "since"), Until: ReadVersion(t, "until"),
		Purpose: t.Text("purpose"), Section: t.Text("section"), Note: t.Text("note"),
		File: t.Doc.File(), Line: t.Line(""), Document: &p.Document,
	}
	if !t.Has("id") {
		t.Missing("id", "name the rule, once in the profile")
	} else if !rules.IsIdentifier(r.ID) || slices.ContainsFunc(p.Rules, func(o *rules.Rule) bool { return o.ID == r.ID }) {
		t.Errorf("id", "%q is not a rule id, or is used twice: lower-case letters, digits, dots and hyphens", r.ID)
	}
	if !t.Has("from") {
		t.Missing("from", "write the role that connects")
	} else if len(p.Roles) > 0 && !slices.Contains(p.Roles, r.From) {
		t.Errorf("from", "%q is not one of the profile's roles%s", r.From, tomldoc.DidYouMean(r.From, p.Roles, "the roles are"))
	}
	for _, w := range r.When {
		if p.Feature(w) == nil {
			t.Doc.Errorf(t.LineOf("when", w), "when: %s", noFeature(p, w))
		}
	}
	if r.Since != "" && r.Until != "" && rules.CompareVersions(r.Since, r.Until) >= 0 {
		t.Errorf("until", "%q is not after since %q", r.Until, r.Since)
	}
	if r.Purpose == "" {
		t.Missing("purpose", "state what the document says the rule is for")
	}
	ReadReach(t, r, p)
	for _, d := range r.To {
		if d.Role != "" && !slices.Contains(p.Roles, d.Role) && !slices.Contains(p.Binds, d.Role) {
			t.Doc.Errorf(t.LineOf("to", d.String()), "to: %s", noRole(p, d.Role))
		}
	}
	refuseBareRoles(t, r, p)
	t.Done()
	return r
}

// ReadReach reads the keys that rules of profiles and of sites have in common: to, tcp, udp and
// any. p is nil for a site's rule, which has no named ports and no roles.
func ReadReach(t *tomldoc.Table, r *rules.Rule, p *rules.Profile) {
	for _, s := range t.Strs("to") {
		d, err := rules.ParseDestination(s)
		if err == nil && p == nil && d.Role != "" {
			err = fmt.Errorf("%q: a site's rule names hosts; bind roles in [client.addresses]", s)
		}
		if err != nil {
			t.Doc.Errorf(t.LineOf("to", s), "to: %v", err)
			continue
		}
		r.To = append(r.To, d)
	}
	if t.Lacks("to") && (p != nil || !t.Has("to_files")) {
		t.Missing("to", `list names, *.names, addresses or prefixes`)
	}
	r.TCP, r.TCPNamed = readPortList(t, "tcp", p)
	r.UDP, r.UDPNamed = readPortList(t, "udp", p)
	r.Any = t.Bool("any")
	listed := t.Has("tcp") || t.Has("udp")
	if r.Any && listed {
		t.Errorf("any", "any = true already means every protocol and port: remove tcp and udp")
	}
	if !r.Any && !listed {
		t.Missing("tcp", "list the ports: tcp = […], udp = […], or any = true")
	}
}

// readPortList reads a list of numbers, "first-last" ranges, named ports, or "all".
func readPortList(t *tomldoc.Table, key string, p *rules.Profile) (rules.Ports, []string) {
	raw, there := t.Raw(key)
	if !there {
		return nil, nil
	}
	if raw == "all" {
		return rules.AllPorts(), nil
	}
	list, ok := raw.([]any)
	if !ok || len(list) == 0 {
		t.Errorf(key, `must be a list like [443, "8000-8010"], or "all"`)
		return nil, nil
	}
	var ranges []rules.PortRange
	var named []string
	for _, e := range list {
		switch e := e.(type) {
		case int64:
			if e < 1 || e > 65535 {
				t.Errorf(key, "port %d is not from 1 to 65535", e)
				continue
			}
			ranges = append(ranges, rules.PortRange{First: uint16(e), Last: uint16(e)})
		case string:
			if port := p.Port(e); port != nil {
				named = append(named, e)
				continue
			}
			r, err := rules.ParsePortRange(e)
			if err != nil {
				if p == nil {
					t.Errorf(key, `%q is not a range like "8000-8010"; a port is a number`, e)
				} else {
					t.Errorf(key, "%q is neither a port range nor a [[port]] of the profile", e)
				}
				continue
			}
			ranges = append(ranges, r)
		default:
			t.Errorf(key, "contains %s; a port is a number, or a range in quotes", tomldoc.KindOf(e))
		}
	}
	return rules.NewPorts(ranges), named
}

// ReadVersion reads a product version; "" if the key is absent.
func ReadVersion(t *tomldoc.Table, key string) string {
	s := t.Str(key)
	if t.Has(key) {
		if err := rules.CheckVersion(s); err != nil {
			t.Errorf(key, "%q is not a version: %v", s, err)
		}
	}
	return s
}
