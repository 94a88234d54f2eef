// Revision: a hash of everything in a profile that decides, so that two texts with the
// same rules have the same revision.

package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"sallyport/rules"
)

// revision returns 12 hexadecimal digits. They change with everything that changes a
// decision or the name of a rule in a record. They do not change with the name of the
// profile, comments, layout, the order of tables and lists, and texts for people:
// product, document, meanings, purposes, sections, notes.
func revision(p *rules.Profile) string {
	type port struct {
		Name    string
		Default uint16
	}
	type rule struct {
		ID, From           string
		To, When           []string
		TCP, UDP           string
		TCPNamed, UDPNamed []string
		Any, Local         bool
		Since, Until       string
	}
	decides := struct {
		DefaultRole            string
		Roles, Binds, Features []string
		Wildcards              []string `json:",omitempty"`
		Ports                  []port
		Rules                  []rule
	}{Roles: sorted(p.Roles), Binds: sorted(p.Binds), Wildcards: sorted(p.Wildcards)}
	if len(p.Roles) > 0 {
		decides.DefaultRole = p.Roles[0]
	}
	for _, f := range p.Features {
		decides.Features = append(decides.Features, f.Name)
	}
	decides.Features = sorted(decides.Features)
	for _, o := range p.Ports {
		decides.Ports = append(decides.Ports, port{o.Name, o.Default})
	}
	slices.SortFunc(decides.Ports, func(a, b port) int { return strings.Compare(a.Name, b.Name) })
	for _, r := range p.Rules {
		var to []string
		for _, d := range r.To {
			to = append(to, d.String())
		}
		decides.Rules = append(decides.Rules, rule{
			ID: r.ID, From: r.From, To: sorted(to), When: sorted(r.When),
			TCP: r.TCP.String(), UDP: r.UDP.String(), TCPNamed: sorted(r.TCPNamed), UDPNamed: sorted(r.UDPNamed),
			Any: r.Any, Local: r.Local, Since: r.Since, Until: r.Until,
		})
	}
	slices.SortFunc(decides.Rules, func(a, b rule) int { return strings.Compare(a.ID, b.ID) })
	text, _ := json.Marshal(decides) // texts and numbers only: it cannot fail
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:6])
}

// sorted returns a sorted copy of a list.
func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }
