// Bindings: the addresses that a site gives for the roles of the documents, for one profile
// of a client or for all of them.

package site

import (
	"slices"
	"strings"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// readAddresses reads [client.addresses], whose bindings hold for every profile of the
// client that has none of its own. whole says that all of these profiles could be read.
func (c *Config) readAddresses(cl *rules.Client, t *tomldoc.Table, whole bool) {
	cl.Addresses = c.readBindings(t, cl.Name, cl.Profiles, whole)
	if !whole {
		return
	}
	for role := range cl.Addresses {
		var users []rules.ClientProfile
		for _, cp := range cl.Profiles {
			if _, own := cp.Addresses[role]; !own && slices.Contains(partiesOf([]rules.ClientProfile{cp}), role) {
				users = append(users, cp)
			}
		}
		warnOfUnused(t, map[string][]rules.Destination{role: cl.Addresses[role]}, users)
	}
}

// readBindings reads the addresses that the site gives for the roles of profiles. Unless whole
// is true, a role may belong to a profile that could not be read.
func (c *Config) readBindings(t *tomldoc.Table, client string, profiles []rules.ClientProfile, whole bool) map[string][]rules.Destination {
	bound := map[string][]rules.Destination{}
	parties := partiesOf(profiles)
	for _, party := range t.Keys() {
		list := t.Strs(party)
		if !slices.Contains(parties, party) && !whole {
			continue
		}
		if !slices.Contains(parties, party) {
			cure := "it has no profile at all"
			if len(parties) > 0 {
				cure = "the roles are " + tomldoc.QuoteList(parties)
			}
			t.Errorf(party, "%s a role of this name; %s", lacksRole(client, profiles), cure)
			continue
		}
		if len(list) == 0 {
			t.Errorf(party, "is empty: list names, addresses or prefixes, or leave it out")
		}
		for _, s := range list {
			d, err := rules.ParseDestination(s)
			switch {
			case err != nil:
				t.Doc.Errorf(t.LineOf(party, s), "%s: %v", party, err)
			case d.Role != "":
				t.Doc.Errorf(t.LineOf(party, s), "%s: %q is not a name, address or prefix", party, s)
			case d.Wildcard && refusesWildcard(profiles, party) != nil:
				t.Doc.Errorf(t.LineOf(party, s), "%s: %q is not a name, address or prefix: profile %s allows no wildcard for this role, because its document means single hosts: list their names",
					party, s, refusesWildcard(profiles, party).Name)
			default:
				bound[party] = append(bound[party], d)
				if !d.Prefix.IsValid() {
					c.warnOfName(t, party, d)
				}
			}
		}
		checkHosts(t, party, bound[party])
		warnOfDestinations(t, party, client, prefixesAmong(bound[party]))
	}
	t.Done()
	return bound
}

// refusesWildcard returns the first profile that has the role and allows no wildcard for
// it; nil if there is none.
func refusesWildcard(profiles []rules.ClientProfile, party string) *rules.Profile {
	for i, cp := range profiles {
		if slices.Contains(partiesOf(profiles[i:i+1]), party) && !slices.Contains(cp.Profile.Wildcards, party) {
			return cp.Profile
		}
	}
	return nil
}

// partiesOf returns the roles and further parties of profiles.
func partiesOf(profiles []rules.ClientProfile) (out []string) {
	for _, cp := range profiles {
		out = append(append(out, cp.Profile.Roles...), cp.Profile.Binds...)
	}
	return out
}

// lacksRole begins the problem of a role that none of the profiles has.
func lacksRole(client string, profiles []rules.ClientProfile) string {
	if len(profiles) == 1 && profiles[0].OwnTable {
		return "profile " + profiles[0].Profile.Name + " does not have"
	}
	return "no profile of client \"" + client + "\" has"
}

// warnOfShared warns of a role in [client.addresses] to which several profiles have rules:
// each of them gets its ports at addresses that belong to the other products.
func warnOfShared(cl *rules.Client, t *tomldoc.Table) {
	addresses := t.Sub("addresses")
	for _, role := range addresses.Keys() {
		var users []string
		for i := range cl.Profiles {
			cp := &cl.Profiles[i]
			_, own := cp.Addresses[role]
			if !own && !slices.Contains(users, cp.Profile.Name) && reaches(cp, role) {
				users = append(users, cp.Profile.Name)
			}
		}
		if len(users) < 2 {
			continue
		}
		cure := "write a [client.profile.addresses] below each [[client.profile]], with the " + role + " of that product"
		if !t.Has("profile") {
			cure = "write one [[client.profile]] for each of them in place of profiles, and below it a [client.profile.addresses] with the " + role + " of that product"
		}
		addresses.Doc.Warnf(addresses.Line(role), "%s: profiles %s all have rules to this role, and all of their ports are permitted at these addresses: %s",
			role, strings.Join(users, " and "), cure)
	}
}

// reaches reports whether the profile has a rule to a role for the client's own role.
func reaches(cp *rules.ClientProfile, role string) bool {
	return slices.ContainsFunc(cp.Profile.Rules, func(r *rules.Rule) bool {
		return r.From == cp.Role && slices.Contains(r.To, rules.Destination{Role: role})
	})
}
