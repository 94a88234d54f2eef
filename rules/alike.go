// Alike: lets clients that differ only in their name, sources, identity and mode share the tables of
// one scope.

package rules

import (
	"encoding/binary"
	"maps"
	"reflect"
	"slices"
)

// alikes holds the scopes that other clients can share, by a text of what they depend on.
type alikes map[string][]*scope

// find returns a scope for a client that has the same permissions as an earlier client; nil
// if there is none. A client with rules of its own shares nothing.
func (a alikes) find(c *Client, ownRules bool) *scope {
	if ownRules {
		return nil
	}
	mine := permissions(c)
	for _, s := range a[likeKey(c)] {
		theirs := permissions(s.client)
		if reflect.DeepEqual(&mine, &theirs) {
			with := *s
			with.client = c
			return &with
		}
	}
	return nil
}

// add offers the scope of a client to later clients.
func (a alikes) add(s *scope, ownRules bool) {
	if !ownRules {
		key := likeKey(s.client)
		a[key] = append(a[key], s)
	}
}

// permissions returns a client without the fields that its scope does not depend on. Every
// field that is not named here counts, so a new field never makes two different clients
// share.
func permissions(c *Client) Client {
	only := *c
	only.Name, only.Sources, only.Audit, only.Line = "", nil, false, 0
	only.Certificates, only.Users = nil, nil
	only.Profiles = slices.Clone(c.Profiles)
	for i := range only.Profiles {
		only.Profiles[i].Lines = ProfileLines{}
	}
	return only
}

// likeKey returns a text that is equal for clients with equal permissions. It is only to find
// candidates fast: clients with equal texts are compared field by field.
func likeKey(c *Client) string {
	var b []byte
	text := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	bindings := func(addresses map[string][]Destination) {
		for _, role := range slices.Sorted(maps.Keys(addresses)) {
			text(role)
			for _, d := range addresses[role] {
				text(d.String())
			}
		}
	}
	for _, cp := range c.Profiles {
		text(cp.Profile.Name)
		text(cp.Role)
		text(cp.Version)
		for _, f := range cp.Features {
			text(f)
		}
		for _, name := range slices.Sorted(maps.Keys(cp.Ports)) {
			text(name)
			b = binary.AppendUvarint(b, uint64(cp.Ports[name]))
		}
		for _, id := range cp.Without {
			text(id)
		}
		bindings(cp.Addresses)
	}
	bindings(c.Addresses)
	return string(b)
}
