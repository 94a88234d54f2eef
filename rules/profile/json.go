// JSON: a profile as sallyport profiles --json prints it.

package profile

import (
	"time"

	"sallyport/rules"
)

// JSON is a profile as sallyport profiles --json prints it.
type JSON struct {
	Name     string              `json:"name"`
	Product  string              `json:"product"`
	Roles    []string            `json:"roles"`
	Binds    []string            `json:"binds,omitempty"`
	Wild     []string            `json:"wildcards,omitempty"` // those of Roles and Binds that a site may bind to *.names
	Document DocumentJSON        `json:"document"`
	Revision string              `json:"revision"`         // the revision of the profile: a hash of everything that can change a decision
	File     string              `json:"file,omitempty"`   // absent: the profile is inside the binary
	Origin   string              `json:"origin,omitempty"` // the file, named as in the sources of its rules
	Replaces string              `json:"replaces,omitempty"`
	Features []map[string]string `json:"features,omitempty"`
	Ports    []map[string]any    `json:"ports,omitempty"`
	Count    int                 `json:"rule_count"`
	Rules    []RuleJSON          `json:"rules,omitempty"`
}

// A DocumentJSON is the document of a JSON.
type DocumentJSON struct {
	Title     string `json:"title"`
	Version   string `json:"version"`
	Released  string `json:"released"`
	URL       string `json:"url"`
	Retrieved string `json:"retrieved,omitempty"`
	SHA256    string `json:"sha256,omitempty"`
	Language  string `json:"language,omitempty"`
	Note      string `json:"note,omitempty"`
	AgeDays   *int   `json:"age_days,omitempty"` // absent: unknown
	Old       bool   `json:"old"`                // older than two years
}

// newDocumentJSON returns the JSON form of a document.
func newDocumentJSON(d rules.Document, now time.Time) DocumentJSON {
	j := DocumentJSON{Title: d.Title, Version: d.Version, Released: d.Released, URL: d.URL, Retrieved: d.Retrieved, SHA256: d.SHA256, Language: d.Language, Note: d.Note, Old: Old(d, now)}
	if days, known := Age(d, now); known {
		j.AgeDays = &days
	}
	return j
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

// NewJSON returns the JSON form of a profile, with the age of its document at an instant;
// whole adds its rules.
func NewJSON(p *rules.Profile, whole bool, now time.Time) JSON {
	j := JSON{
		Name: p.Name, Product: p.Product, Roles: p.Roles, Binds: p.Binds, Wild: p.Wildcards, Count: len(p.Rules),
		Document: newDocumentJSON(p.Document, now), Revision: p.Revision, Origin: p.Origin, Replaces: p.Replaces,
	}
	if p.Origin != "" {
		j.File = p.File
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
