// Bind: binds clients to interfaces and link-layer addresses, so that a neighbour
// cannot forge a client's address.

package nftables

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

// A Neighbour is a client's address, or the prefix behind one router, with the
// link-layer address of its packets.
type Neighbour struct {
	Prefix netip.Prefix
	MAC    net.HardwareAddr
}

// An InterfaceBinding names the only interface by which packets from a prefix may
// come in.
type InterfaceBinding struct {
	Prefix netip.Prefix
	Name   string
}

// fromTable is the value of --neighbour that means the kernel's neighbour table.
const fromTable = "table"

// interfacePattern matches the accepted names of interfaces. No quote is among their characters.
var interfacePattern = regexp.MustCompile(`^[A-Za-z0-9_.:@-]{1,15}$`)

// Bind parses the values of --neighbour and --interface and sets the options.
func (o *Options) Bind(neighbours, interfaces []string) error {
	for _, s := range neighbours {
		if s == fromTable {
			o.NeighbourTable = true
			continue
		}
		address, mac, _ := strings.Cut(s, "=")
		p, err := ParsePrefixes("--neighbour", []string{address})
		if err != nil {
			return err
		}
		hw, err := net.ParseMAC(mac)
		if err != nil || len(hw) != 6 {
			return optionError("--neighbour %q: %q is not a link-layer address like 52:54:00:12:34:56", s, mac)
		}
		o.Neighbours = append(o.Neighbours, Neighbour{p[0], hw})
	}
	for _, s := range interfaces {
		address, name, _ := strings.Cut(s, "=")
		p, err := ParsePrefixes("--interface", []string{address})
		if err != nil {
			return err
		}
		if !interfacePattern.MatchString(name) {
			return optionError("--interface %q: %q is not the name of an interface", s, name)
		}
		o.Interfaces = append(o.Interfaces, InterfaceBinding{p[0], name})
	}
	return nil
}

// bind adds the bindings to the plan. known are the neighbours in the kernel's
// table; bind uses the neighbours that are clients. A binding for an address that
// no client has is an error.
func (p *Plan) bind(cfg *site.Config, o Options, known []Neighbour) error {
	var sources []netip.Prefix
	for _, c := range cfg.Clients {
		sources = append(sources, c.Sources...)
	}
	isClient := func(b netip.Prefix) bool { return slices.ContainsFunc(sources, b.Overlaps) }
	list := slices.Clone(o.Neighbours)
	for _, n := range known {
		given := slices.ContainsFunc(o.Neighbours, func(g Neighbour) bool { return g.Prefix.Overlaps(n.Prefix) })
		if isClient(n.Prefix) && !given {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, func(a, b Neighbour) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()), bytes.Compare(a.MAC, b.MAC))
	})
	var bound []netip.Prefix
	for _, n := range list {
		if !isClient(n.Prefix) {
			return optionError("--neighbour %v=%v: no [[client]] has that address", n.Prefix, n.MAC)
		}
		if slices.ContainsFunc(bound, func(b netip.Prefix) bool { return b != n.Prefix && b.Overlaps(n.Prefix) }) {
			return optionError("--neighbour %v=%v: another --neighbour has some of these addresses", n.Prefix, n.MAC)
		}
		bound = append(bound, n.Prefix)
		pair := elementOf(n.Prefix) + " . " + n.MAC.String()
		if n.Prefix.Addr().Is4() {
			p.Neighbours4 = append(p.Neighbours4, pair)
		} else {
			p.Neighbours6 = append(p.Neighbours6, pair)
		}
	}
	p.Neighbours4, p.Neighbours6 = slices.Compact(p.Neighbours4), slices.Compact(p.Neighbours6)
	p.Bound4, p.Bound6 = byFamily(bound)
	for _, i := range o.Interfaces {
		if !isClient(i.Prefix) {
			return optionError("--interface %v=%s: no [[client]] has that address", i.Prefix, i.Name)
		}
		word := "ip"
		if i.Prefix.Addr().Is6() {
			word = "ip6"
		}
		p.Interfaces = append(p.Interfaces, fmt.Sprintf("iif != lo iifname != %q %s saddr %s", i.Name, word, elementOf(i.Prefix)))
	}
	if o.NeighbourTable {
		p.unbound(sources, bound)
	}
	return nil
}

// unbound warns about clients that the neighbour table does not list.
func (p *Plan) unbound(sources, bound []netip.Prefix) {
	var without []string
	for _, s := range sources {
		if !isLoopback(s) && !slices.ContainsFunc(bound, s.Overlaps) {
			without = append(without, elementOf(s))
		}
	}
	if len(without) > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("the neighbour table lists no client in %s, so these addresses are bound to no link-layer address: add them with --neighbour ADDRESS=MAC", strings.Join(without, ", ")))
	}
}

// elementOf returns a prefix as an element of a set.
func elementOf(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
