// Respec: a site with another revision of one of its profiles.

package rules

import (
	"fmt"
	"maps"
	"slices"
)

// WithProfile returns the Spec as it would be if p were the profile with its name. The
// choices of the clients stay as they are. The texts say which of these choices p does
// not know: a configuration with them is refused.
func (c *Spec) WithProfile(p *Profile) (*Spec, []string) {
	out := *c
	var unknown []string
	out.Profiles = slices.Clone(c.Profiles)
	if i := slices.IndexFunc(out.Profiles, func(o *Profile) bool { return o.Name == p.Name }); i >= 0 {
		out.Profiles[i] = p
	} else {
		out.Profiles = append(out.Profiles, p)
	}
	out.Clients = make([]*Client, len(c.Clients))
	for i, old := range c.Clients {
		cl := *old
		cl.Profiles = slices.Clone(old.Profiles)
		for j := range cl.Profiles {
			if cl.Profiles[j].Profile.Name != p.Name {
				continue
			}
			cl.Profiles[j].Profile = p
			for _, text := range cl.Profiles[j].unknown() {
				unknown = append(unknown, fmt.Sprintf("client %s: the profile has no %s", cl.Name, text))
			}
		}
		out.Clients[i] = &cl
	}
	return &out, unknown
}

// unknown returns the choices that the profile does not know.
func (cp *ClientProfile) unknown() (out []string) {
	p := cp.Profile
	if !slices.Contains(p.Roles, cp.Role) {
		out = append(out, fmt.Sprintf("role %q", cp.Role))
	}
	for _, f := range cp.Features {
		if p.Feature(f) == nil {
			out = append(out, fmt.Sprintf("feature %q", f))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cp.Ports)) {
		if p.Port(name) == nil {
			out = append(out, fmt.Sprintf("port %q", name))
		}
	}
	for _, role := range slices.Sorted(maps.Keys(cp.Addresses)) {
		if !slices.Contains(p.Roles, role) && !slices.Contains(p.Binds, role) {
			out = append(out, fmt.Sprintf("role %q, which [client.profile.addresses] binds", role))
		}
	}
	for _, role := range slices.Sorted(maps.Keys(cp.Addresses)) {
		wild := slices.ContainsFunc(cp.Addresses[role], func(d Destination) bool { return d.Wildcard })
		if wild && !slices.Contains(p.Wildcards, role) {
			out = append(out, fmt.Sprintf("wildcard for role %q, which [client.profile.addresses] has", role))
		}
	}
	for _, id := range cp.Without {
		if !slices.ContainsFunc(p.Rules, func(r *Rule) bool { return r.ID == id }) {
			out = append(out, fmt.Sprintf("rule %q, which without leaves out", id))
		}
	}
	return out
}
