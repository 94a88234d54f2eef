package rules

import (
	"slices"
	"testing"
)

// Another revision of a profile leaves the clients' choices as they are, says which of
// them it does not know, and changes nothing of the old Spec.
func TestWithProfile(t *testing.T) {
	old := &Profile{Name: "p", Roles: []string{"a"}, Features: []Feature{{Name: "f"}}, Ports: []Port{{Name: "n", Default: 1}}, Rules: []*Rule{{Profile: "p", ID: "r", From: "a"}}}
	other := &Profile{Name: "q", Roles: []string{"a"}}
	spec := &Spec{Profiles: []*Profile{other, old}, Clients: []*Client{
		{Name: "c", Profiles: []ClientProfile{{Profile: other, Role: "a"}, {Profile: old, Role: "a", Features: []string{"f"}, Ports: map[string]uint16{"n": 2}, Without: []string{"r"}, Addresses: map[string][]Destination{"a": nil}}}},
		{Name: "d", Profiles: []ClientProfile{{Profile: other, Role: "a"}}},
	}}
	next := &Profile{Name: "p", Roles: []string{"b"}}
	got, unknown := spec.WithProfile(next)
	want := []string{
		`client c: the profile has no role "a"`, `client c: the profile has no feature "f"`, `client c: the profile has no port "n"`,
		`client c: the profile has no role "a", which [client.profile.addresses] binds`, `client c: the profile has no rule "r", which without leaves out`,
	}
	if !slices.Equal(unknown, want) {
		t.Errorf("%q, want %q", unknown, want)
	}
	if got.Profiles[1] != next || got.Clients[0].Profiles[1].Profile != next || got.Clients[0].Profiles[1].Role != "a" || got.Clients[0].Profiles[0].Profile != other {
		t.Errorf("%+v", got)
	}
	if spec.Profiles[1] != old || spec.Clients[0].Profiles[1].Profile != old {
		t.Error("the old Spec has changed")
	}
	if _, unknown := spec.WithProfile(old); len(unknown) > 0 {
		t.Errorf("the same profile: %q", unknown)
	}
}
