// Change: one setting that a site could change, and its text.

package denials

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// A change is the narrowest setting that would permit an attempt. Features,
// version, ports and addresses belong to a documented rule.
type change struct {
	client   string
	profile  int // index of the client's profile
	rule     *rules.Rule
	features []string          // the features to turn on
	version  string            // the version to set
	ports    map[string]uint16 // the ports to set
	bind     map[string]string // role -> name or address, to add
	source   netip.Addr        // the address to add to the client's sources
	site     *siteRule         // a rule to add instead
	known    *knownDenial      // a [[known]] to add instead: it permits nothing
	ask      string            // the question to the operator; "": the configuration itself supports the change
}

// documented returns the change that puts the nearest documented rule in force.
// It returns nil if no setting does that.
func documented(a *rules.Attempt, d *rules.Decision) *change {
	m := rules.RemedyOf(*a, *d)
	if !m.Settable() {
		return nil
	}
	c := &change{client: m.Client.Name, profile: m.Profile, rule: m.Rule, features: m.Features, version: m.Version}
	if m.Port != "" {
		c.ports = map[string]uint16{m.Port: a.Dest.Port()}
	}
	if m.Bind != "" {
		c.bind = map[string]string{m.Bind: destination(a)}
	}
	return c
}

// destination returns the destination of an attempt as text. It returns "" if
// the attempt has neither a name nor an address.
func destination(a *rules.Attempt) string {
	if n := a.Target(); !n.IsZero() {
		return n.String()
	}
	if addr := a.Dest.Addr(); addr.IsValid() {
		return addr.String()
	}
	return ""
}

// cureOfChange returns the kind of a change. If c is nil, the kind is CureRule.
func cureOfChange(c *change) Cure {
	switch {
	case c == nil || c.site != nil:
		return CureRule
	case len(c.features) > 0:
		return CureFeature
	}
	return CureBinding
}

// key is equal for equal changes.
func (c *change) key() string {
	if c.site != nil {
		return "rule\x00" + c.client + "\x00" + c.site.host
	}
	return fmt.Sprintf("set\x00%s\x00%d\x00%q\x00%s\x00%v\x00%v\x00%s", c.client, c.profile, c.features, c.version, c.ports, c.bind, c.source)
}

// place identifies the setting: changes that put different names or addresses in
// the same setting have the same place.
func (c *change) place() string {
	if c.source.IsValid() {
		return "source\x00" + c.client
	}
	return fmt.Sprintf("set\x00%s\x00%q\x00%q", c.client, slices.Sorted(maps.Keys(c.bind)), slices.Sorted(maps.Keys(c.ports)))
}

// title returns the instruction in one line.
func (c *change) title() string {
	if c.ask != "" {
		return c.finding() + ", then " + c.doing()
	}
	return c.doing()
}

func (c *change) doing() string {
	var parts []string
	if len(c.features) > 0 {
		parts = append(parts, "turn on "+rules.Noun(len(c.features), "feature", "features")+" "+strings.Join(c.features, " and "))
	}
	if c.version != "" {
		text := "set version " + c.version
		if c.guessesVersion() {
			text = "set the version, if it is below " + c.rule.Until + ","
		}
		parts = append(parts, text)
	}
	for _, p := range slices.Sorted(maps.Keys(c.ports)) {
		parts = append(parts, fmt.Sprintf("set port %s to %d", p, c.ports[p]))
	}
	for _, p := range slices.Sorted(maps.Keys(c.bind)) {
		parts = append(parts, fmt.Sprintf("bind %s to %s", p, c.bind[p]))
	}
	if c.source.IsValid() {
		parts = append(parts, "add "+c.source.String()+" to the sources")
	}
	if c.site != nil {
		parts = append(parts, "add a rule for "+c.site.host)
	}
	return strings.Join(parts, ", ") + " for " + c.client
}

// guessesVersion reports whether the version of the change is one of many: the rule has only an
// end, and the version was made for the question whether the rule then permits the attempt.
func (c *change) guessesVersion() bool {
	return c.version != "" && c.rule.Since == "" && c.rule.Until != ""
}

// edits returns the change as edits of the configuration of s.
func (c *change) edits(s *Site) []Edit {
	cl := s.client(c.client)
	if cl == nil {
		return nil
	}
	var out []Edit
	set := func(key, value string) {
		out = append(out, Edit{Client: c.client, Profile: c.profile, Key: key, Value: value, Ask: c.ask})
	}
	if len(c.features) > 0 {
		list := slices.Clone(cl.Profiles[c.profile].Features)
		for _, f := range c.features {
			if !slices.Contains(list, f) {
				list = append(list, f)
			}
		}
		set("features", tomlList(list))
	}
	if c.version != "" {
		set("version", tomlText(c.version))
		if c.guessesVersion() {
			out[len(out)-1].Shown = tomlText("FILL IN: the version of " + c.client + ", below " + c.rule.Until)
		}
	}
	if len(c.ports) > 0 {
		all := maps.Clone(cl.Profiles[c.profile].Ports)
		maps.Copy(all, c.ports)
		var parts []string
		for _, p := range slices.Sorted(maps.Keys(all)) {
			parts = append(parts, fmt.Sprintf("%s = %d", p, all[p]))
		}
		set("ports", "{ "+strings.Join(parts, ", ")+" }")
	}
	for _, p := range slices.Sorted(maps.Keys(c.bind)) {
		var list []string
		for _, d := range cl.Bound(c.profile, p) {
			list = append(list, d.String())
		}
		out = append(out, Edit{Client: c.client, Profile: c.profile, Table: cl.BindingTable(c.profile, p),
			Key: "addresses." + p, Value: tomlList(append(list, c.bind[p])), Ask: c.ask})
	}
	if c.source.IsValid() {
		var list []string
		for _, p := range cl.Sources {
			list = append(list, prefixText(p))
		}
		set("sources", tomlList(append(list, c.source.String())))
	}
	if c.site != nil {
		out = append(out, Edit{Rule: c.site.toml(s)})
	}
	if c.known != nil {
		out = append(out, Edit{Rule: c.known.toml(s)})
	}
	return out
}

func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func tomlList(list []string) string {
	parts := make([]string, len(list))
	for i, s := range list {
		parts[i] = tomlText(s)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// tomlText quotes s. First, it escapes every character that a terminal might
// obey or hide.
func tomlText(s string) string {
	s = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(journal.Visible(s))
	return `"` + s + `"`
}
