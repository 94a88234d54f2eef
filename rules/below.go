// Below: which denied names have permitted names below them. Such a name does
// exist, as an empty non-terminal (RFC 4592, section 2.2.2).

package rules

// PermitsBelow tells whether the name that d was asked about has names below it
// that the client may look up: one that a rule in force or an internal zone
// names. A resolver that is told that such a name does not exist takes it that
// nothing below it does (RFC 8020, section 2). It is false for an address and for an
// unknown client, and of zones for a client without any rule.
func (d Decision) PermitsBelow() bool {
	if d.policy == nil || d.scope == nil || d.name.IsZero() {
		return false
	}
	return d.scope.over.whole(d.name) != 0 || d.scope.ruled && d.policy.zonesOver.whole(d.name) != 0
}

// compileOver returns the names that are above some name of a list. Those of a
// wildcard are below its suffix, so that this is above them, too.
func compileOver(list []Destination) suffixTrie {
	seen := map[Name]bool{}
	var keys []trieKey
	add := func(n Name) {
		for ; !n.IsZero() && !seen[n]; n = n.Parent() {
			seen[n] = true
			keys = append(keys, trieKey{n, 1})
		}
	}
	for _, d := range list {
		if d.Wildcard {
			add(d.Name)
		} else {
			add(d.Name.Parent())
		}
	}
	return compileTrie(keys)
}

// inForce lists the names of the scope's rules in force.
func (s *scope) inForce() []Destination {
	var list []Destination
	for i := range s.rules {
		if s.rules[i].block == 0 {
			list = append(list, s.rules[i].names...)
		}
	}
	return list
}
