// Profile: one product's documented network needs, as data.

package rules

import "slices"

// A Document is the vendor's document that a profile was typed from.
type Document struct {
	Title     string
	Version   string
	Released  string // YYYY-MM-DD
	URL       string
	Retrieved string // YYYY-MM-DD: when the text was read
	SHA256    string // the hash of the file that was read, in hexadecimal
	Language  string // like "en" or "pt-BR"
	Note      string // what is unusual about the document
}

// A Feature is a condition that a document states, and that a site turns on.
type Feature struct {
	Name, Meaning string
	Line          int
}

// A Port is a port that the document calls configurable.
type Port struct {
	Name    string
	Default uint16
	Meaning string
	Line    int
}

// A Note is a row of the document that is not a rule yet: a comment that begins with NOTE.
type Note struct {
	Why       string // the open question
	Row       string // the row as the document has it
	Footnotes string // the footnotes that the row's marks refer to, one on a line
	Rule      string // the rule that the row may become, without its id
	Line      int
}

// A Profile is one product's documented network needs.
type Profile struct {
	Name    string
	Product string
	Roles   []string // roles that a client can have; the first one is the default
	Binds   []string // further roles that are destinations only
	// Wildcards lists the roles and binds that a site may bind to *.names, because the
	// document leaves the names of that party open.
	Wildcards []string
	Document  Document
	Features  []Feature
	Ports     []Port
	Rules     []*Rule
	Notes     []Note // rows of the document that are not rules yet
	Revision  string // a hash of everything in the profile that can change a decision; not the revision of a configuration
	File      string
	Line      int // the line of the key "name"

	// The fields below are set for profiles that a configuration reads from files.
	Origin       string   // names the profile in sources; "": the profile is inside the binary
	Replaces     string   // the version or revision of the shipped profile that it is to replace; "": none
	ReplacesLine int      // the line of the key "replaces"
	Replaced     *Profile // the shipped profile that it replaces; nil: none
}

// Feature returns the feature with this name, or nil if the profile has none.
func (p *Profile) Feature(name string) *Feature {
	for i := range p.Features {
		if p.Features[i].Name == name {
			return &p.Features[i]
		}
	}
	return nil
}

// Port returns the configurable port with this name, or nil if the profile has none. A
// nil Profile has no ports.
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

// portsOf returns the fixed ports and the values of the named ports. The map set has
// the values that the site chose.
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

// DefaultPorts returns the ports of one of p's rules. Configurable ports have the
// document's defaults.
func (p *Profile) DefaultPorts(r *Rule) (tcp, udp Ports) {
	return p.portsOf(r.TCP, r.TCPNamed, nil), p.portsOf(r.UDP, r.UDPNamed, nil)
}
