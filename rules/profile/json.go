// JSON: a profile as sallyport profiles --json prints it.

package profile

import "sallyport/rules"

// JSON is a profile as sallyport profiles --json prints it.
type JSON struct {
	Name     string              `json:"name"`
	Product  string              `json:"product"`
	Roles    []string            `json:"roles"`
	Binds    []string            `json:"binds,omitempty"`
	Document map[string]any      `json:"document"`
	Features []map[string]string `json:"features,omitempty"`
	Ports    []map[string]any    `json:"ports,omitempty"`
	Count    int                 `json:"rule_count"`
	Rules    []RuleJSON          `json:"rules,omitempty"`
}

// A RuleJSON is a rule of a JSON.
type RuleJSON struct {
	ID      string   `json:"id"`
	From    string   `json:"from"`
	To      []string `json:"to"`
	TCP     string   `json:"tcp,omitempty"`
	UDP     string   `json:"udp,omitempty"`
	Any     bool     `json:"any,omitempty"`
	Local   bool     `json:"local,omitempty"`
	When    []string `json:"when,omitempty"`
	Since   string   `json:"since,omitempty"`
	Until   string   `json:"until,omitempty"`
	Purpose string   `json:"purpose"`
	Section string   `json:"section,omitempty"`
	Note    string   `json:"note,omitempty"`
}

// NewJSON returns the JSON form of a profile; whole adds its rules.
func NewJSON(p *rules.Profile, whole bool) JSON {
	j := JSON{
		Name: p.Name, Product: p.Product, Roles: p.Roles, Binds: p.Binds, Count: len(p.Rules),
		Document: map[string]any{"title": p.Document.Title, "version": p.Document.Version, "released": p.Document.Released, "url": p.Document.URL},
	}
	for _, f := range p.Features {
		j.Features = append(j.Features, map[string]string{"name": f.Name, "meaning": f.Meaning})
	}
	for _, port := range p.Ports {
		j.Ports = append(j.Ports, map[string]any{"name": port.Name, "default": port.Default, "meaning": port.Meaning})
	}
	if !whole {
		return j
	}
	for _, r := range p.Rules {
		tcp, udp := p.DefaultPorts(r)
		rj := RuleJSON{ID: r.ID, From: r.From, TCP: tcp.String(), UDP: udp.String(), Any: r.Any, Local: r.Local,
			When: r.When, Since: r.Since, Until: r.Until, Purpose: r.Purpose, Section: r.Section, Note: r.Note}
		for _, d := range r.To {
			rj.To = append(rj.To, d.String())
		}
		j.Rules = append(j.Rules, rj)
	}
	return j
}
