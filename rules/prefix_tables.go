// Prefix tables: what an address belongs to, by longest prefix. Their types are hidden from
// the packages that use a Policy.

package rules

import (
	"net/netip"

	"github.com/gaissmai/bart"
)

// A hiddenTable holds a *bart.Table. A package that can see this generic type, in a field or
// in a method of a type that it uses, compiles a copy of all of bart, which takes longer than
// the rest of most packages. So only functions of this file name the type.
type hiddenTable struct{ table any }

func newSourceTable() hiddenTable { return hiddenTable{new(bart.Table[int])} }

func newAddressTable() hiddenTable { return hiddenTable{new(bart.Table[[]uint32])} }

// sourceTable returns the table of a policy: source -> index of the first client that has it.
// It is nil for the zero Policy.
func sourceTable(p *Policy) *bart.Table[int] {
	table, _ := p.clients.table.(*bart.Table[int])
	return table
}

// addressTable returns the table of a scope: prefix -> numbers of every rule that covers it.
func addressTable(s *scope) *bart.Table[[]uint32] {
	table, _ := s.addrs.table.(*bart.Table[[]uint32])
	return table
}

// rulesAt returns the numbers of the rules that cover an address.
func (s *scope) rulesAt(a netip.Addr) []uint32 {
	list, _ := addressTable(s).Lookup(a)
	return list
}

// rulesOver returns the numbers of the rules that cover a whole prefix.
func (s *scope) rulesOver(p netip.Prefix) []uint32 {
	list, _ := addressTable(s).LookupPrefix(p)
	return list
}
