// Nearest: which documented rule an attempt that no rule names came closest to.

package rules

// nearestTo returns the rule nearest to a name that no rule names: one for the
// apex of its wildcard, for the name in another profile, for a parent or a
// sibling under the same registrable domain, or for a party that the site has
// not bound.
func (s *scope) nearestTo(a *Attempt, target Name) *Rule {
	var rule, foreign *Rule
	for w := s.names.walk(target); w.next(); {
		e := &s.entries[w.value]
		switch {
		case w.whole && e.foreign != nil:
			foreign = e.foreign
		case w.whole && e.wild.n > 0:
			rule = s.rules[s.refs[e.wild.off]].rule
		case !w.whole && e.exact.n > 0:
			rule = s.rules[s.refs[e.exact.off]].rule
		case e.near.n > 0:
			rule = s.mostAlike(e.near, target)
		}
	}
	if foreign != nil {
		return foreign
	}
	if rule == nil && a.Dest.Port() != 443 && a.Dest.Port() != 80 {
		return s.unboundFor(a)
	}
	return rule
}

// mostAlike returns the rule of the name that shares most octets at both ends
// with the target; among equals a rule in force, then the first.
func (s *scope) mostAlike(near span, target Name) *Rule {
	var rule *Rule
	best := -1
	for _, k := range s.refs[near.off : near.off+near.n] {
		key := &s.keys[k]
		score := 2 * alike(key.name.s, target.s)
		if s.rules[key.rule].block == 0 {
			score++
		}
		if score > best {
			best, rule = score, s.rules[key.rule].rule
		}
	}
	return rule
}

// alike counts the octets that two texts share at the front and at the back.
func alike(a, b string) int {
	n := min(len(a), len(b))
	front := 0
	for front < n && a[front] == b[front] {
		front++
	}
	back := 0
	for back < n-front && a[len(a)-1-back] == b[len(b)-1-back] {
		back++
	}
	return front + back
}

// unboundFor returns a rule that lists the port for this client, for a party
// that the site has bound to no address.
func (s *scope) unboundFor(a *Attempt) *Rule {
	for _, i := range s.unbound {
		r := &s.rules[i]
		ports := r.tcp
		if a.Proto == UDPProto {
			ports = r.udp
		}
		if r.block&blocked(RoleNotListed) == 0 && ports.Has(a.Dest.Port()) {
			return r.rule
		}
	}
	return nil
}
