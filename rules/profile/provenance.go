// Provenance: where a rule of a profile comes from, for reports.

package profile

import (
	"slices"

	"sallyport/rules"
)

// A Provenance says which profile and which document a rule comes from.
type Provenance struct {
	Profile   string `json:"profile"`
	Revision  string `json:"revision"` // the revision of the profile, never that of the configuration
	Document  string `json:"document"`
	Version   string `json:"version,omitempty"`
	Released  string `json:"released,omitempty"`
	URL       string `json:"url,omitempty"`
	Retrieved string `json:"retrieved,omitempty"`
	File      string `json:"file,omitempty"`     // absent: the profile is inside the binary
	Replaces  string `json:"replaces,omitempty"` // the revision of the shipped profile in whose place it is
}

// ProvenanceOf returns the provenance of a rule of one of the profiles; nil for the site's own
// rules.
func ProvenanceOf(profiles []*rules.Profile, r *rules.Rule) *Provenance {
	i := slices.IndexFunc(profiles, func(p *rules.Profile) bool { return p.Name == r.Profile })
	if i < 0 {
		return nil
	}
	p := profiles[i]
	out := &Provenance{
		Profile: p.Name, Revision: p.Revision,
		Document: p.Document.Title, Version: p.Document.Version, Released: p.Document.Released, URL: p.Document.URL, Retrieved: p.Document.Retrieved,
	}
	if p.Origin != "" {
		out.File = p.File
	}
	if p.Replaced != nil {
		out.Replaces = p.Replaced.Revision
	}
	return out
}

// Page returns where the document was read, and when; "" if the profile does not say that.
func (p *Provenance) Page() string {
	switch {
	case p == nil || p.URL == "":
		return ""
	case p.Retrieved == "":
		return p.URL
	}
	return p.URL + ", retrieved " + p.Retrieved
}
