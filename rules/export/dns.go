// DNS: the names that may be looked up, for the formats of resolvers.

package export

import (
	"cmp"
	"slices"
	"strings"

	"sallyport/rules"
)

// A tree has every listed name and wildcard, and every parent of them.
type tree struct {
	nodes map[rules.Name]*node
}

// A node is one name of a tree.
type node struct {
	name         rules.Name
	itself       bool           // the name may be looked up
	wild         bool           // a wildcard permits the names below it
	below        bool           // names below it that the tree does not list may be looked up
	listed       bool           // a rule or zone lists it, exactly or as a wildcard
	by           []*rules.Grant // the rules that list it
	internalZone bool
}

// lookUps returns the names that may be looked up: those of every rule, whatever its
// ports, and those of the internal zones.
func (s *sheet) lookUps() *tree {
	t := &tree{nodes: map[rules.Name]*node{}}
	for i := range s.p.Rules {
		g := &s.p.Rules[i]
		if len(g.Prefixes) > 0 {
			s.left(g, "addresses: a resolver has nothing to look up")
		}
		for _, d := range g.Names {
			n := t.add(d)
			if k := len(n.by); k == 0 || n.by[k-1] != g {
				n.by = append(n.by, g)
			}
		}
	}
	for _, z := range s.p.Zones {
		t.add(rules.Destination{Name: z, Wildcard: true}).internalZone = true
		t.add(rules.Destination{Name: z}).internalZone = true
	}
	for _, n := range t.nodes {
		n.below = n.wild
		for up := n.name.Parent(); !up.IsZero() && !n.below; up = up.Parent() {
			n.below = t.nodes[up] != nil && t.nodes[up].wild
		}
		for up := n.name.Parent(); !up.IsZero() && !n.itself; up = up.Parent() {
			n.itself = t.nodes[up] != nil && t.nodes[up].wild
		}
	}
	s.wider(nil, "a resolver does not see ports and protocols: it answers for a permitted name, whatever the port or the type of record; a packet filter or a proxy must check the ports")
	return t
}

// add adds a name or wildcard with its parents, and returns its node.
func (t *tree) add(d rules.Destination) *node {
	for up := d.Name; !up.IsZero(); up = up.Parent() {
		if t.nodes[up] == nil {
			t.nodes[up] = &node{name: up}
		}
	}
	n := t.nodes[d.Name]
	n.listed = true
	if d.Wildcard {
		n.wild = true
	} else {
		n.itself = true
	}
	return n
}

// sorted returns the nodes in the order of the names, each parent before its children.
func (t *tree) sorted() []*node {
	type keyed struct {
		key  string
		node *node
	}
	all := make([]keyed, 0, len(t.nodes))
	for _, n := range t.nodes {
		labels := strings.Split(n.name.String(), ".")
		slices.Reverse(labels)
		all = append(all, keyed{strings.Join(labels, "\x00"), n})
	}
	slices.SortFunc(all, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
	out := make([]*node, len(all))
	for i := range all {
		out[i] = all[i].node
	}
	return out
}

// nameSource writes the comments of the rules that list a node.
func (s *sheet) nameSource(indent string, n *node) {
	for _, g := range n.by {
		s.source(indent, g)
	}
	if n.internalZone {
		s.linef("%s%s [[dns.zone]] %s", indent, s.comment, n.name)
	}
}
