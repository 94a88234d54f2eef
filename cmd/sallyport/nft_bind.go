// Bind: by which interface and from which link-layer address a client's packets
// come, so that a neighbour cannot send in its name.

package main

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"sallyport/rules/site"
)

// A neighbour is a client's address, or those behind one router, with the
// link-layer address that their packets have.
type neighbour struct {
	prefix netip.Prefix
	mac    net.HardwareAddr
}

// An interfaceBinding is client addresses with the only interface that they
// come by.
type interfaceBinding struct {
	prefix netip.Prefix
	name   string
}

// fromTable is the value of --neighbour that asks the kernel's neighbour table.
const fromTable = "table"

// interfacePattern is what an interface may be called here: no quote ends it.
var interfacePattern = regexp.MustCompile(`^[A-Za-z0-9_.:@-]{1,15}$`)

// bindings reads the values of --neighbour and --interface.
func (o *filterOptions) bindings(neighbours, interfaces []string) error {
	for _, s := range neighbours {
		if s == fromTable {
			o.table = true
			continue
		}
		address, mac, _ := strings.Cut(s, "=")
		p, err := parsePrefixes("--neighbour", []string{address})
		if err != nil {
			return err
		}
		hw, err := net.ParseMAC(mac)
		if err != nil || len(hw) != 6 {
			return usageError("--neighbour %q: %q is not a link-layer address like 52:54:00:12:34:56", s, mac)
		}
		o.neighbours = append(o.neighbours, neighbour{p[0], hw})
	}
	for _, s := range interfaces {
		address, name, _ := strings.Cut(s, "=")
		p, err := parsePrefixes("--interface", []string{address})
		if err != nil {
			return err
		}
		if !interfacePattern.MatchString(name) {
			return usageError("--interface %q: %q is not the name of an interface", s, name)
		}
		o.interfaces = append(o.interfaces, interfaceBinding{p[0], name})
	}
	return nil
}

// bind takes the bindings into the plan. known are the neighbours of the
// kernel's table; those that are clients count. A binding that is no client's
// is a slip.
func (p *filterPlan) bind(cfg *site.Config, o filterOptions, known []neighbour) error {
	var sources []netip.Prefix
	for _, c := range cfg.Clients {
		sources = append(sources, c.Sources...)
	}
	isClient := func(b netip.Prefix) bool { return slices.ContainsFunc(sources, b.Overlaps) }
	list := slices.Clone(o.neighbours)
	for _, n := range known {
		given := slices.ContainsFunc(o.neighbours, func(g neighbour) bool { return g.prefix.Overlaps(n.prefix) })
		if isClient(n.prefix) && !given {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, func(a, b neighbour) int {
		return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()), bytes.Compare(a.mac, b.mac))
	})
	var bound []netip.Prefix
	for _, n := range list {
		if !isClient(n.prefix) {
			return usageError("--neighbour %v=%v: no [[client]] has that address", n.prefix, n.mac)
		}
		if slices.ContainsFunc(bound, func(b netip.Prefix) bool { return b != n.prefix && b.Overlaps(n.prefix) }) {
			return usageError("--neighbour %v=%v: another --neighbour has a part of these addresses", n.prefix, n.mac)
		}
		bound = append(bound, n.prefix)
		pair := elementOf(n.prefix) + " . " + n.mac.String()
		if n.prefix.Addr().Is4() {
			p.Neighbours4 = append(p.Neighbours4, pair)
		} else {
			p.Neighbours6 = append(p.Neighbours6, pair)
		}
	}
	p.Neighbours4, p.Neighbours6 = slices.Compact(p.Neighbours4), slices.Compact(p.Neighbours6)
	p.Bound4, p.Bound6 = byFamily(bound)
	for _, i := range o.interfaces {
		if !isClient(i.prefix) {
			return usageError("--interface %v=%s: no [[client]] has that address", i.prefix, i.name)
		}
		word := "ip"
		if i.prefix.Addr().Is6() {
			word = "ip6"
		}
		p.Interfaces = append(p.Interfaces, fmt.Sprintf("iif != lo iifname != %q %s saddr %s", i.name, word, elementOf(i.prefix)))
	}
	if o.table {
		p.unbound(sources, bound)
	}
	return nil
}

// unbound warns of clients that the neighbour table does not know.
func (p *filterPlan) unbound(sources, bound []netip.Prefix) {
	var without []string
	for _, s := range sources {
		if !isLoopback(s) && !slices.ContainsFunc(bound, s.Overlaps) {
			without = append(without, elementOf(s))
		}
	}
	if len(without) > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("the neighbour table has no client in %s, so its addresses are bound to no link-layer address: give them, as --neighbour ADDRESS=MAC", strings.Join(without, ", ")))
	}
}

// elementOf writes a prefix as an element of a set.
func elementOf(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
