// Declared: what is said about a role or a feature that a rule names and the profile does not
// declare, or names in another form; and about a file that is no profile at all.

package profile

import (
	"bytes"
	"fmt"
	"slices"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// notAProfile returns what a file is that is no profile: an empty file, or a configuration. It
// returns "" for any other file.
func notAProfile(top *tomldoc.Table, file string, data []byte) string {
	keys := top.Keys()
	has := func(any ...string) bool {
		return slices.ContainsFunc(any, func(k string) bool { return slices.Contains(keys, k) })
	}
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return "the file is empty; is it being written?"
	case has("client", "listen", "profiles") && !has("document", "roles", "product"):
		return "this is a configuration, not a profile; to check it: sallyport check --config " + file
	}
	return ""
}

// noFeature returns the problem of a feature that the profile does not have, with the lines
// that declare it.
func noFeature(p *rules.Profile, name string) string {
	var known []string
	for _, f := range p.Features {
		known = append(known, f.Name)
	}
	cure := "; it has none"
	if len(known) > 0 {
		cure = tomldoc.DidYouMean(name, known, "the features are")
	}
	return fmt.Sprintf("%q is not one of the profile's features (a feature has the two lines [[feature]] and name = %[1]q, and each of its rules has when = [%[1]q])%s", name, cure)
}

// noRole returns the problem of a destination that is a role which the profile does not
// have.
func noRole(p *rules.Profile, role string) string {
	parties := slices.Concat(p.Roles, p.Binds)
	return fmt.Sprintf("role:%s is not one of the profile's roles or binds (a party that only receives is in a line at the top of the file, binds = [%[1]q])%s",
		role, tomldoc.DidYouMean(role, parties, "the parties are"))
}

// refuseBareRoles refuses a destination that is the name of a role without "role:". sallyport
// would look it up as the name of a host.
func refuseBareRoles(t *tomldoc.Table, r *rules.Rule, p *rules.Profile) {
	for _, d := range r.To {
		name := d.Name.String()
		if !d.Name.IsZero() && !d.Wildcard && (slices.Contains(p.Roles, name) || slices.Contains(p.Binds, name)) {
			t.Doc.Errorf(t.LineOf("to", name), "to: %q is a role of the profile: write to = [\"role:%[1]s\"], and a site says in [client.addresses] where it is", name)
		}
	}
}
