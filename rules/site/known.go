// Known: what was read of a configuration so far, in a form that finds one thing among many.

package site

import (
	"net/netip"

	"github.com/gaissmai/bart"

	"sallyport/rules"
)

// A known is an index of the clients and rules above the line that is read.
type known struct {
	clients   map[string]int // name -> line
	rules     map[string]int // id -> line
	sources   any            // see clientsBySource
	order     map[*rules.Client]int
	resolvers resolvers
}

func newKnown() *known {
	return &known{clients: map[string]int{}, rules: map[string]int{}, sources: new(bart.Table[*rules.Client]), order: map[*rules.Client]int{}, resolvers: knownResolvers()}
}

// clientsBySource returns the first client with each source. Its type is hidden, because
// otherwise each package that uses a Config compiles a copy of all of bart.
func clientsBySource(k *known) *bart.Table[*rules.Client] {
	return k.sources.(*bart.Table[*rules.Client])
}

// add adds a client. Of two clients with the same name or source, the first
// stays.
func (k *known) add(c *rules.Client) {
	if _, used := k.clients[c.Name]; !used {
		k.clients[c.Name] = c.Line
	}
	k.order[c] = len(k.order)
	if c.Demands() {
		return // it hides no later client: others may have its addresses without its identity
	}
	for _, p := range c.Sources {
		clientsBySource(k).Modify(p, func(first *rules.Client, there bool) (*rules.Client, bool) {
			if there {
				return first, false
			}
			return c, false
		})
	}
}

// shadows returns the name of an earlier client if the sources of earlier clients cover all
// of these sources. Otherwise it returns "".
func (k *known) shadows(sources []netip.Prefix) (name string) {
	for _, s := range sources {
		var first *rules.Client
		for _, c := range clientsBySource(k).Supernets(s) {
			if first == nil || k.order[c] < k.order[first] {
				first = c
			}
		}
		if first == nil {
			return ""
		}
		name = first.Name
	}
	return name
}
