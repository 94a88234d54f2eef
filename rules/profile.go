// Profile: one product's documented network needs, as data.

package rules

import "slices"

// A Document is where a profile's rules were read.
type Document struct {
	Title    string
	Version  string
	Released string // YYYY-MM-DD
	URL      string
}

// A Feature is a condition that a document itself states.
type Feature struct{ Name, Meaning string }

// A Port is a port that a document calls configurable.
type Port struct {
	Name    string
	Default uint16
	Meaning string
}

// A Profile is one product's documented network needs.
type Profile struct {
	Name     string
	Product  string
	Roles    []string // parties that a client can be; the first is the default
	Binds    []string // further parties that only occur as destinations
	Document Document
	Features []Feature
	Ports    []Port
	Rules    []*Rule
	File     string
}

// Feature returns the feature of a name; nil: the profile has none of that name.
func (p *Profile) Feature(name string) *Feature {
	for i := range p.Features {
		if p.Features[i].Name == name {
			return &p.Features[i]
		}
	}
	return nil
}

// Port returns the configurable port of a name; nil: the profile has none of that
// name. A nil Profile has no ports.
func (p *Profile) Port(name string) *Port {
	if p == nil {
		return nil
	}
	for i := range p.Ports {
		if p.Ports[i].Name == name {
			return &p.Ports[i]
		}
	}
	return nil
}

// portsOf adds the values of a rule's named ports, as the site set them.
func (p *Profile) portsOf(fixed Ports, named []string, set map[string]uint16) Ports {
	if len(named) == 0 {
		return fixed
	}
	ranges := slices.Clone([]PortRange(fixed))
	for _, n := range named {
		v, ok := set[n]
		if !ok {
			v = p.Port(n).Default
		}
		ranges = append(ranges, PortRange{v, v})
	}
	return NewPorts(ranges)
}

// DefaultPorts returns the ports of one of p's rules with every configurable
// port at the document's default.
func (p *Profile) DefaultPorts(r *Rule) (tcp, udp Ports) {
	return p.portsOf(r.TCP, r.TCPNamed, nil), p.portsOf(r.UDP, r.UDPNamed, nil)
}
