// Site: a configuration that is asked about recorded denials.

package denials

import (
	"time"

	"sallyport/rules"
	"sallyport/rules/site"
)

// A Source is the text of a configuration, with all that is needed to compile it.
type Source struct {
	File     string    // its name in problems
	Embedded bool      // it is inside the binary and cannot be changed
	Disk     site.Disk // the files that it names
	Text     []byte
	Profiles []*rules.Profile
	Own      func(site.Listen) rules.Own // the addresses of sallyport itself; nil: none
	Now      time.Time                   // decides which rules have expired, and the dates of proposed rules
}

// A Site is a configuration with its policy. It never changes.
type Site struct {
	Config   *site.Config
	Policy   *rules.Policy
	Problems rules.Problems // warnings
	own      rules.Own
	src      Source
}

// NewSite reads and compiles a configuration.
func NewSite(src Source) (*Site, error) {
	cfg, problems := site.Parse(src.File, src.Disk, src.Text, src.Profiles)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	var own rules.Own
	if src.Own != nil {
		own = src.Own(cfg.Listen)
	}
	policy, more := rules.Compile(&cfg.Spec, own, src.Now)
	return &Site{Config: cfg, Policy: policy, Problems: append(problems, more...), own: own, src: src}, nil
}

// with returns the site with the edits made, and its text.
func (s *Site) with(list []Edit) (*Site, []byte, error) {
	text, err := ApplyEdits(s.Config, s.src.Text, list)
	if err != nil {
		return nil, nil, err
	}
	src := s.src
	src.Text = text
	changed, err := NewSite(src)
	return changed, text, err
}

// HasText reports whether the site has the text of its configuration. Suggest
// needs the text.
func (s *Site) HasText() bool { return len(s.src.Text) > 0 }

// client returns the client with this name. It returns nil if there is none.
func (s *Site) client(name string) *rules.Client {
	for _, c := range s.Config.Clients {
		if c.Name == name {
			return c
		}
	}
	return nil
}
