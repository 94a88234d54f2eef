// Below: which denied names have permitted names below them. In DNS such a denied name
// exists: it is an empty non-terminal (RFC 4592, section 2.2.2).

package rules

// PermitsBelow reports whether the client may look up a name below the name of d: a
// name of a rule in force or of an internal zone. If a resolver gets the answer that
// a name does not exist, it concludes that nothing below it exists either (RFC 8020,
// section 2). PermitsBelow is false for an address and an unknown client. It ignores
// zones for a client without any rule.
func (d Decision) PermitsBelow() bool {
	if d.policy == nil || d.scope == nil || d.name.IsZero() {
		return false
	}
	return d.scope.over.whole(d.name) != 0 || d.scope.listsBelow(d.name) || d.scope.ruled && d.policy.zonesOver.whole(d.name) != 0
}

// listsBelow reports whether a list of a rule in force has a name below n.
func (s *scope) listsBelow(n Name) bool {
	for i := range s.lists {
		if l := &s.lists[i]; s.rules[l.rule].block == 0 && l.list.hasBelow(n) {
			return true
		}
	}
	return false
}

// compileOver returns the names that are above some name of a list. The names that a
// wildcard lists are below its suffix. So the result has the suffix too.
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

// inForce returns the names of the scope's rules in force, without those of lists.
func (s *scope) inForce() []Destination {
	var list []Destination
	for i := range s.rules {
		if s.rules[i].block == 0 {
			list = append(list, s.rules[i].names...)
		}
	}
	return list
}
